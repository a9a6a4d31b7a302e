"""Access and refresh tokens as text: how they are written, and what of them is believed (RFC 8725, RFC 9068).

A token that reads well is only well-formed: whether it still counts, the master database says.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt
from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from accounts.principal import Membership
from accounts.roles import Role
from accounts.signing import ALGORITHM, key_ring

LONGEST = 2048
LEEWAY_SECONDS = 5
ACCESS = "access"
REFRESH = "refresh"
_HEADER_TYPES = {ACCESS: "at+jwt", REFRESH: "rt+jwt"}

_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}", re.ASCII)
_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_SESSION_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TOKEN_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}", re.ASCII)
_ROLE = re.compile("|".join(role.value for role in Role), re.ASCII)

_SHAPES: dict[str, dict[str, "re.Pattern[str]"]] = {
    REFRESH: {"sub": _OBJECT_ID, "sid": _SESSION_ID, "jti": _TOKEN_ID},
    ACCESS: {
        "sub": _OBJECT_ID,
        "sid": _SESSION_ID,
        "jti": _TOKEN_ID,
        "admin_id": _OBJECT_ID,
        "org_id": _OBJECT_ID,
        "org_name": _SLUG,
        "role": _ROLE,
    },
}


class BadToken(Exception):
    """A text that is no token of ours, or no longer. Its message is for tests and debugging, not for callers."""


@dataclass(frozen=True)
class AccessClaims:
    """What a well-formed access token says."""

    account_id: ObjectId
    org_id: ObjectId
    org_name: str
    session_id: str


@dataclass(frozen=True)
class RefreshClaims:
    """What a well-formed refresh token says."""

    account_id: ObjectId
    session_id: str
    token_id: str


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(timezone.utc)


def new_token_id() -> str:
    """An unguessable `jti`: 128 bits."""
    return secrets.token_hex(16)


def new_session_id() -> str:
    """The id of a family of tokens: 256 random bits, in the form that a cookie's digest has."""
    return secrets.token_hex(32)


def digest(secret: str) -> str:
    """What is stored of a secret that the portal made itself."""
    return hashlib.sha256(secret.encode()).hexdigest()


def write_access(
    *, account_id: ObjectId, membership: Membership, org_name: str, session_id: str, until: datetime
) -> str:
    """A signed access token that ends at ACCESS_TOKEN_SECONDS from now, and at `until` at the latest."""
    return _write(
        ACCESS,
        settings.ACCESS_TOKEN_SECONDS,
        until,
        {
            "sub": str(account_id),
            "jti": new_token_id(),
            "sid": session_id,
            "admin_id": str(account_id),
            "org_id": str(membership.org_id),
            "org_name": org_name,
            "role": membership.role.value,
        },
    )


def write_refresh(*, account_id: ObjectId, session_id: str, token_id: str, until: datetime) -> str:
    """A signed refresh token that ends at REFRESH_IDLE_SECONDS from now, and at `until` at the latest."""
    claims = {"sub": str(account_id), "jti": token_id, "sid": session_id}
    return _write(REFRESH, settings.REFRESH_IDLE_SECONDS, until, claims)


def read_access(token: str) -> AccessClaims:
    """The claims of an access token that we signed and that has not run out. Raises BadToken otherwise."""
    claims = _read(token, ACCESS, settings.ACCESS_TOKEN_SECONDS)
    if claims["sub"] != claims["admin_id"]:
        raise BadToken("sub and admin_id name different accounts")
    return AccessClaims(
        account_id=ObjectId(claims["sub"]),
        org_id=ObjectId(claims["org_id"]),
        org_name=claims["org_name"],
        session_id=claims["sid"],
    )


def read_refresh(token: str) -> RefreshClaims:
    """The claims of a refresh token that we signed and that has not run out. Raises BadToken otherwise."""
    claims = _read(token, REFRESH, settings.REFRESH_IDLE_SECONDS)
    return RefreshClaims(account_id=ObjectId(claims["sub"]), session_id=claims["sid"], token_id=claims["jti"])


def _write(kind: str, lifetime: float, until: datetime, claims: dict[str, str]) -> str:
    issued = now()
    expires = min(issued + timedelta(seconds=int(lifetime)), until)
    ring = key_ring()
    return jwt.encode(
        {
            "iss": settings.JWT_ISSUER,
            "aud": settings.JWT_AUDIENCE,
            "iat": int(issued.timestamp()),
            "nbf": int(issued.timestamp()),
            "exp": int(expires.timestamp()),
            "typ": kind,
            **claims,
        },
        ring.private,
        algorithm=ALGORITHM,
        headers={"kid": ring.kid, "typ": _HEADER_TYPES[kind]},
    )


def _read(token: str, kind: str, lifetime: float) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > LONGEST or not _COMPACT.fullmatch(token):
        raise BadToken("not three parts of base64url, or too long")
    header, payload, _ = [_decoded(part) for part in token.split(".")]
    key = _key_of(_checked_header(header, kind))
    _object(payload)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=settings.JWT_ISSUER,
            audience=settings.JWT_AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "typ", *_SHAPES[kind]],
                "strict_aud": True,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise BadToken(type(error).__name__) from None
    _check_claims(claims, kind, lifetime)
    return claims


def _decoded(part: str) -> bytes:
    """The bytes of one part, if that part is the one way to write them."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise BadToken("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise BadToken("another spelling of the same bytes")
    return raw


def _checked_header(raw: bytes, kind: str) -> str:
    """The key id of a header that names our algorithm, our type, a key, and nothing else.

    Nothing else: `jku`, `x5c`, `jwk` and `crit` would ask us to trust what the token brings along.
    """
    header = _object(raw)
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != _HEADER_TYPES[kind]:
        raise BadToken("another algorithm, another type, or a header parameter that we never write")
    return str(header["kid"]) if isinstance(header["kid"], str) else ""


def _key_of(kid: str) -> Ed25519PublicKey:
    key = key_ring().public.get(kid)
    if key is None:
        raise BadToken("a key that is not ours")
    return key


def _object(raw: bytes) -> dict[str, Any]:
    """A JSON object without duplicate members, which two readers could read differently."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise BadToken("not JSON") from None
    if not isinstance(value, dict):
        raise BadToken("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadToken("a member twice")
    return members


def _check_claims(claims: dict[str, Any], kind: str, lifetime: float) -> None:
    """Types and shapes before anything of it may reach a query, and a life no longer than we give."""
    for name in ("iat", "nbf", "exp"):
        if type(claims[name]) is not int:  # not isinstance: True is an int, too
            raise BadToken(f"{name} is not a whole number")
    if claims["typ"] != kind or claims["iss"] != settings.JWT_ISSUER:
        raise BadToken("another type or issuer")
    for name, shape in _SHAPES[kind].items():
        if not isinstance(claims[name], str) or not shape.fullmatch(claims[name]):
            raise BadToken(f"{name} has another shape")
    if not 0 < claims["exp"] - claims["iat"] <= int(lifetime) or claims["nbf"] < claims["iat"]:
        raise BadToken("a longer life than we give")
    if claims["exp"] <= now().timestamp():
        raise BadToken("run out")
