"""The keys that sign and verify tokens: Ed25519, one in use, retired ones still verified."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from orgportal import rotation

ALGORITHM = "EdDSA"
_PEM_BLOCK = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True)
class KeyRing:
    """The private key in use, its id, and every public key that verifies, by id."""

    private: Ed25519PrivateKey
    kid: str
    public: dict[str, Ed25519PublicKey]


def key_ring() -> KeyRing:
    """The keys at this moment, each read once. Raises ImproperlyConfigured naming the setting that is wrong.

    Of a portal that makes its keys itself, a rotated one is known here at once, and signs after an overlap.
    """
    path = settings.ROTATING.get("JWT_PRIVATE_KEY")
    kept = rotation.secrets_in(path) if path else ()
    if not kept:
        return _load(settings.JWT_PRIVATE_KEY, settings.JWT_RETIRED_KEYS)
    return _load(rotation.in_use(kept), settings.JWT_RETIRED_KEYS, tuple(rotation.accepted(kept)))


def public_pem(private_pem: str) -> str:
    """The public half of a private key, as JWT_RETIRED_KEYS takes it."""
    key = _read_private(private_pem).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwks() -> dict[str, list[dict[str, Any]]]:
    """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037), the one in use first."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": _x(key), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in key_ring().public.items()
        ]
    }


@lru_cache(maxsize=8)
def _load(private_pem: str, retired_pem: str, other_private_pems: tuple[str, ...] = ()) -> KeyRing:
    private = _read_private(private_pem)
    kid = _thumbprint(private.public_key())
    public = {kid: private.public_key()}
    others = [_read_private(pem).public_key() for pem in other_private_pems]
    for key in (*others, *_read_retired(retired_pem)):
        public.setdefault(_thumbprint(key), key)
    return KeyRing(private=private, kid=kid, public=public)


def _read_private(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ImproperlyConfigured("JWT_PRIVATE_KEY: not an unencrypted private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ImproperlyConfigured("JWT_PRIVATE_KEY: not an Ed25519 key")
    return key


def _read_retired(pem: str) -> list[Ed25519PublicKey]:
    if _PEM_BLOCK.sub("", pem).strip():
        raise ImproperlyConfigured("JWT_RETIRED_KEYS: something besides public keys in PEM is in it")
    keys = []
    for block in _PEM_BLOCK.findall(pem):
        try:
            key = load_pem_public_key(block.encode())
        except ValueError:
            raise ImproperlyConfigured("JWT_RETIRED_KEYS: not a public key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise ImproperlyConfigured("JWT_RETIRED_KEYS: not an Ed25519 key")
        keys.append(key)
    return keys


def _x(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _thumbprint(key: Ed25519PublicKey) -> str:
    """The key's id: its JWK thumbprint (RFC 7638), so that no two keys share one."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _x(key)}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
