"""Access tokens that must be refused: forged, misused, or overtaken by what happened since.

`FORGERIES` maps a name to a function that makes the token for a `Victim`; some of them change the
victim's state first, so each wants a fresh one (`make_victim`). The same table serves every way in.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from accounts import service
from accounts.signing import jwks, key_ring
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import NEW_PASSWORD, PASSWORD, an_organization, change_account, change_organization
from tests.accounts.victims import (
    ABSENT,
    Victim,
    encoded,
    json_part,
    make_victim,
    other_spelling,
    signed,
    with_claims,
    with_header,
)

CLAIMS = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "typ", "admin_id", "org_id", "org_name", "role", "sid")


def forged_tokens() -> Iterator[tuple[str, str]]:
    """Every forgery by its name, each against a victim of its own."""
    for name, forge in FORGERIES.items():
        yield name, forge(make_victim())


def _without_signature(victim: Victim, algorithm: str) -> str:
    return f"{encoded({**victim.header, 'alg': algorithm})}.{victim.token.split('.')[1]}."


def _hmac_with(victim: Victim, secret: bytes) -> str:
    text = f"{encoded({**victim.header, 'alg': 'HS256'})}.{victim.token.split('.')[1]}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def _public(victim: Victim) -> Any:
    return key_ring().public[victim.header["kid"]]


def _respelled(victim: Victim, index: int) -> str:
    # A role changes the length of the payload until its last character has unused bits.
    parts = next(
        parts
        for padding in range(3)
        for parts in [with_claims(victim, filler="x" * padding).split(".")]
        if len(parts[index]) % 4 in {2, 3}
    )
    parts[index] = other_spelling(parts[index])
    return ".".join(parts)


def _spliced(victim: Victim, index: int) -> str:
    parts, foreign = victim.token.split("."), victim.other_pair.access_token.split(".")
    parts[index] = foreign[index]
    return ".".join(parts)


def _duplicated(victim: Victim) -> str:
    claims = json.dumps(victim.claims).encode()
    return signed(victim.header, claims[:-1] + b',"org_name":"' + victim.claims["org_name"].encode() + b'"}')


def _duplicated_header(victim: Victim) -> str:
    return signed(json.dumps(victim.header).encode()[:-1] + b',"alg":"EdDSA"}', victim.claims)


def _lifetime(victim: Victim, *, iat: int = 0, nbf: int = 0, exp: int | None = None) -> str:
    start = int(time.time())
    life = int(settings.ACCESS_TOKEN_SECONDS)
    return with_claims(victim, iat=start + iat, nbf=start + nbf, exp=start + (life if exp is None else exp))


def _with_foreign_key(victim: Victim, **header: Any) -> str:
    return signed({**victim.header, **header}, victim.claims, Ed25519PrivateKey.generate())


def _jwk_of(key: Ed25519PrivateKey) -> dict[str, str]:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}


def _bringing_its_key(victim: Victim) -> str:
    key = Ed25519PrivateKey.generate()
    return signed({**victim.header, "jwk": _jwk_of(key)}, victim.claims, key)


def _after(change: Callable[[Victim], object]) -> Callable[[Victim], str]:
    """The victim's own good token, once something has happened."""

    def forge(victim: Victim) -> str:
        change(victim)
        return victim.token

    return forge


def _session_set(**fields: Any) -> Callable[[Victim], str]:
    def change(victim: Victim) -> None:
        sid = victim.claims["sid"]
        assert database.collection("sessions").update_one({"_id": sid}, {"$set": fields}).matched_count == 1

    return _after(change)


def _removed(victim: Victim) -> None:
    change_account(victim.account_id, {"$pull": {"memberships": {"org_id": victim.org_id}}})


def _password_changed(victim: Victim) -> None:
    service.change_password(principal=victim.principal, current=PASSWORD, new=NEW_PASSWORD, words=())


def _organization_gone(victim: Victim) -> None:
    service.forget_organization(org_id=victim.org_id)
    database.collection("organizations").delete_one({"_id": victim.org_id})


def _organization_gone_unswept(victim: Victim) -> None:
    database.collection("organizations").delete_one({"_id": victim.org_id})


def _name_taken_by_another(victim: Victim) -> None:
    database.collection("organizations").delete_one({"_id": victim.org_id})
    an_organization(victim.claims["org_name"])


def _reuse(victim: Victim) -> None:
    service.refresh_tokens(refresh_token=victim.pair.refresh_token)
    with pytest.raises(PortalError, match="used before"):
        service.refresh_tokens(refresh_token=victim.pair.refresh_token)


FORGERIES: dict[str, Callable[[Victim], str]] = {
    "no algorithm": lambda v: _without_signature(v, "none"),
    "no algorithm in capitals": lambda v: _without_signature(v, "NONE"),
    "no algorithm with the good signature": lambda v: _without_signature(v, "none") + v.token.split(".")[2],
    "HS256 with the public key's bytes": lambda v: _hmac_with(
        v, _public(v).public_bytes(Encoding.Raw, PublicFormat.Raw)
    ),
    "HS256 with the public key as PEM": lambda v: _hmac_with(
        v, _public(v).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 with the public key as in the key set": lambda v: _hmac_with(v, jwks()["keys"][0]["x"].encode()),
    "HS256 with nothing": lambda v: _hmac_with(v, b""),
    "another algorithm's name": lambda v: with_header(v, alg="ES256"),
    "algorithm in another case": lambda v: with_header(v, alg="eddsa"),
    "algorithm missing": lambda v: with_header(v, alg=ABSENT),
    "algorithm as a list": lambda v: with_header(v, alg=["EdDSA"]),
    "another key under our key's id": _with_foreign_key,
    "another key under its own id": lambda v: _with_foreign_key(v, kid="A" * 43),
    "unknown key id": lambda v: with_header(v, kid="A" * 43),
    "no key id": lambda v: with_header(v, kid=ABSENT),
    "key id as a number": lambda v: with_header(v, kid=0),
    "key id as a list": lambda v: with_header(v, kid=[v.header["kid"]]),
    "key id as a path": lambda v: with_header(v, kid="../../../../dev/null"),
    "header with jku": lambda v: with_header(v, jku="https://evil.example/jwks.json"),
    "header with its own key": _bringing_its_key,
    "header with x5c": lambda v: with_header(v, x5c=["MIIB"]),
    "header with x5u": lambda v: with_header(v, x5u="https://evil.example/cert.pem"),
    "header with crit": lambda v: with_header(v, crit=["exp"]),
    "header with b64": lambda v: with_header(v, b64=False, crit=["b64"]),
    "header with zip": lambda v: with_header(v, zip="DEF"),
    "header type JWT": lambda v: with_header(v, typ="JWT"),
    "header type of a refresh token": lambda v: with_header(v, typ="rt+jwt"),
    "header type missing": lambda v: with_header(v, typ=ABSENT),
    "header as a list": lambda v: signed([v.header], v.claims),
    "header with a member twice": _duplicated_header,
    "header that is not JSON": lambda v: signed(b"{", v.claims),
    "header in UTF-16": lambda v: signed(json.dumps(v.header).encode("utf-16"), v.claims),
    **{f"without {claim}": lambda v, claim=claim: with_claims(v, **{claim: ABSENT}) for claim in CLAIMS},  # type: ignore[misc]
    **{f"{claim} is null": lambda v, claim=claim: with_claims(v, **{claim: None}) for claim in CLAIMS},  # type: ignore[misc]
    **{
        f"{claim} is an operator": lambda v, claim=claim: with_claims(v, **{claim: {"$ne": None}})  # type: ignore[misc]
        for claim in CLAIMS
    },
    "another issuer": lambda v: with_claims(v, iss="https://evil.example"),
    "issuer as a list": lambda v: with_claims(v, iss=[v.claims["iss"]]),
    "issuer with a slash": lambda v: with_claims(v, iss=v.claims["iss"] + "/"),
    "another audience": lambda v: with_claims(v, aud="somebody-else"),
    "audience as a list": lambda v: with_claims(v, aud=[v.claims["aud"]]),
    "audience among others": lambda v: with_claims(v, aud=["somebody-else", v.claims["aud"]]),
    "type refresh": lambda v: with_claims(v, typ="refresh"),
    "type in capitals": lambda v: with_claims(v, typ="ACCESS"),
    "run out": lambda v: _lifetime(v, iat=-60, nbf=-60, exp=-1),
    "run out this second": lambda v: _lifetime(v, iat=-60, nbf=-60, exp=0),
    "runs out in a year": lambda v: _lifetime(v, exp=365 * 86400),
    "runs out a second too late": lambda v: _lifetime(v, exp=int(settings.ACCESS_TOKEN_SECONDS) + 1),
    "runs out never": lambda v: with_claims(v, exp=10**400),
    "runs out before it was issued": lambda v: _lifetime(v, iat=3, nbf=3, exp=2),
    "issued in the future": lambda v: _lifetime(v, iat=60, exp=120),
    "good only in the future": lambda v: _lifetime(v, nbf=60),
    "good before it was issued": lambda v: _lifetime(v, nbf=-60),
    "exp as text": lambda v: with_claims(v, exp=str(v.claims["exp"])),
    "exp as a truth": lambda v: with_claims(v, exp=True),
    "exp as a fraction": lambda v: with_claims(v, exp=v.claims["exp"] + 0.5),
    "exp as infinity": lambda v: with_claims(v, exp=float("inf")),
    "iat as text": lambda v: with_claims(v, iat=str(v.claims["iat"])),
    "iat as a truth": lambda v: with_claims(v, iat=True),
    "nbf as a fraction": lambda v: with_claims(v, nbf=v.claims["nbf"] + 0.5),
    "sub and admin_id differ": lambda v: with_claims(v, sub=str(v.other_account_id)),
    "another account": lambda v: with_claims(v, sub=str(v.other_account_id), admin_id=str(v.other_account_id)),
    "account id in capitals": lambda v: with_claims(v, sub="A" * 24, admin_id="A" * 24),
    "account id as an email": lambda v: with_claims(v, sub="a@example.org", admin_id="a@example.org"),
    "another organization": lambda v: with_claims(v, org_id=str(v.other_org_id)),
    "another organization and its name": lambda v: with_claims(
        v, org_id=str(v.other_org_id), org_name=v.other_pair.org_name
    ),
    "another organization's name": lambda v: with_claims(v, org_name=v.other_pair.org_name),
    "name of no organization": lambda v: with_claims(v, org_name="../admin"),
    "name with a line end": lambda v: with_claims(v, org_name=v.claims["org_name"] + "\n"),
    "unknown role": lambda v: with_claims(v, role="root"),
    "another account's session": lambda v: with_claims(v, sid=json_part(v.other_pair.access_token, 1)["sid"]),
    "session that never was": lambda v: with_claims(v, sid="0" * 64),
    "session id in capitals": lambda v: with_claims(v, sid=v.claims["sid"].upper() + "A"),
    "session id too short": lambda v: with_claims(v, sid=v.claims["sid"][:-1]),
    "token id as a number": lambda v: with_claims(v, jti=1),
    "claims as a list": lambda v: signed(v.header, [v.claims]),
    "claims as text": lambda v: signed(v.header, json.dumps(v.claims)),
    "a claim twice": _duplicated,
    "claims nested deeply": lambda v: signed(v.header, b"[" * 1200),
    "claims that are not JSON": lambda v: signed(v.header, b"\xff\xfe"),
    "padded": lambda v: v.token + "=",
    "padded twice": lambda v: v.token + "==",
    "padding in the payload": lambda v: "{}.{}=.{}".format(*v.token.split(".")),
    "signature in another spelling": lambda v: _respelled(v, 2),
    "payload in another spelling": lambda v: _respelled(v, 1),
    "signature of another token": lambda v: _spliced(v, 2),
    "payload of another token": lambda v: _spliced(v, 1),
    "signature cut off": lambda v: v.token.rpartition(".")[0] + ".",
    "signature missing": lambda v: v.token.rpartition(".")[0],
    "signature one byte short": lambda v: v.token[:-2],
    "signature of zeros": lambda v: v.token.rpartition(".")[0] + "." + encoded(bytes(64)),
    "space before": lambda v: " " + v.token,
    "space after": lambda v: v.token + " ",
    "space within": lambda v: v.token.replace(".", ". ", 1),
    "tab after": lambda v: v.token + "\t",
    "line end after": lambda v: v.token + "\n",
    "NUL within": lambda v: v.token.replace(".", ".\x00", 1),
    "NUL after": lambda v: v.token + "\x00",
    "in quotes": lambda v: f'"{v.token}"',
    "not ASCII": lambda v: v.token[:-1] + "é",
    "full-width digits": lambda v: v.token[:-1] + "\uff11",
    "plus and slash": lambda v: v.token[:-4] + "+/+/",
    "five parts, as if encrypted": lambda v: v.token + ".AAAA.AAAA",
    "four parts": lambda v: v.token + ".AAAA",
    "empty parts": lambda v: "..",
    "empty": lambda v: "",
    "huge": lambda v: with_claims(v, filler="x" * 1_000_000),
    "longer than any of ours": lambda v: with_claims(v, filler="x" * 2048),
    "twice with a comma": lambda v: f"{v.token}, {v.token}",
    "no token but a secret": lambda v: "x" * 43,
    "the id of its session": lambda v: str(v.claims["sid"]),
    "as JSON": lambda v: json.dumps(dict(zip(("protected", "payload", "signature"), v.token.split("."), strict=True))),
    "refresh token": lambda v: v.pair.refresh_token,
    "refresh token dressed up": lambda v: signed(v.header, json_part(v.pair.refresh_token, 1)),
    "after logging out": _after(lambda v: service.end_session(principal=v.principal)),
    "after another password": _after(_password_changed),
    "after a new generation": _after(lambda v: change_account(v.account_id, {"$inc": {"generation": 1}})),
    "after its removal from the organization": _after(_removed),
    "after its account was deleted": _after(
        lambda v: database.collection("accounts").delete_one({"_id": v.account_id})
    ),
    "after the organization was renamed away": _after(lambda v: change_organization(v.org_id, slug="elsewhere")),
    "while the organization is being deleted": _after(lambda v: change_organization(v.org_id, status="deleting")),
    "while the organization is being set up": _after(lambda v: change_organization(v.org_id, status="provisioning")),
    "after the organization was deleted": _after(_organization_gone),
    "after the organization was deleted, sessions left over": _after(_organization_gone_unswept),
    "after another organization took its name": _after(_name_taken_by_another),
    "after its family was refreshed twice with one token": _after(_reuse),
    "session of no organization": _session_set(org_id=None),
    "session run out": _session_set(expires_at=now() - timedelta(days=1)),
    "session idle too long": _session_set(idle_until=now() - timedelta(days=1)),
}
