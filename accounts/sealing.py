"""Secrets that the portal must read again, kept sealed in the database (AES-256-GCM).

The key is derived from SECRET_KEY for each purpose; what an earlier key of SECRET_KEY_FALLBACKS sealed still opens.
What is sealed for one owner does not open for another.
"""

import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12


class CannotOpen(Exception):
    """It was sealed for something else, with a key that is gone, or was changed since."""


def seal(plain: bytes, *, purpose: str, owner: str) -> bytes:
    """The sealed text, for this purpose and owner only."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(settings.SECRET_KEY, purpose)).encrypt(nonce, plain, owner.encode())


def unseal(sealed: bytes, *, purpose: str, owner: str) -> bytes:
    """What was sealed. Raises CannotOpen."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
            return AESGCM(_key(secret, purpose)).decrypt(nonce, text, owner.encode())
        except (InvalidTag, ValueError):
            continue
    raise CannotOpen(purpose)


def is_current(sealed: bytes, *, purpose: str, owner: str) -> bool:
    """Whether today's SECRET_KEY opens it, so that no fallback is needed."""
    try:
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        AESGCM(_key(settings.SECRET_KEY, purpose)).decrypt(nonce, text, owner.encode())
    except (InvalidTag, ValueError):
        return False
    return True


@lru_cache(maxsize=16)
def _key(secret: str, purpose: str) -> bytes:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"orgportal sealing {purpose}".encode())
    return derivation.derive(secret.encode())
