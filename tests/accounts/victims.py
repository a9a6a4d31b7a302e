"""A victim whose tokens are forged, and the tools to take tokens apart and put them together."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accounts import service
from accounts.principal import Principal
from accounts.signing import key_ring
from tests.accounts.cast import an_account, an_organization, by_token, tokens_of

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ABSENT = object()


@dataclass(frozen=True)
class Victim:
    """An account with a good pair of tokens, beside a second account in an organization of its own."""

    account_id: ObjectId
    org_id: ObjectId
    other_account_id: ObjectId
    other_org_id: ObjectId
    pair: service.TokenPair
    other_pair: service.TokenPair

    @property
    def token(self) -> str:
        return self.pair.access_token

    @property
    def header(self) -> dict[str, Any]:
        return json_part(self.token, 0)

    @property
    def claims(self) -> dict[str, Any]:
        return json_part(self.token, 1)

    @property
    def principal(self) -> Principal:
        found = by_token(self.token)
        assert found is not None
        return found


def make_victim() -> Victim:
    """A new victim in a new organization, so that any number may be there at once."""
    mark = ObjectId()
    org_id, other_org_id = an_organization(f"acme_{mark}"), an_organization(f"umbrella_{mark}")
    return Victim(
        account_id=an_account(f"alice.{mark}@example.org", org_id),
        org_id=org_id,
        other_account_id=an_account(f"bob.{mark}@example.org", other_org_id),
        other_org_id=other_org_id,
        pair=tokens_of(f"alice.{mark}@example.org"),
        other_pair=tokens_of(f"bob.{mark}@example.org"),
    )


def encoded(content: bytes | dict[str, Any] | list[Any] | str) -> str:
    """One part of a token: canonical base64url of bytes, or of something as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: Ed25519PrivateKey | None = None) -> str:
    """A token signed with our own key unless another one is given: whoever holds it could make this."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded((key or key_ring().private).sign(text.encode()))}"


def with_header(victim: Victim, **changes: Any) -> str:
    """The victim's token with another header, signed again."""
    return signed(_changed(victim.header, changes), victim.claims)


def with_claims(victim: Victim, **changes: Any) -> str:
    """The victim's token with other claims, signed again."""
    return signed(victim.header, _changed(victim.claims, changes))


def other_spelling(part: str) -> str:
    """The same bytes with other unused bits in the last character."""
    assert len(part) % 4 in {2, 3}, "every bit of the last character counts"
    unused = 4 if len(part) % 4 == 2 else 2
    return part[:-1] + BASE64URL[BASE64URL.index(part[-1]) ^ (1 << (unused - 1))]


def json_part(token: str, index: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a token."""
    part = token.split(".")[index]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return content


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}
