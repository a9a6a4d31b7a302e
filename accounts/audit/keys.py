"""The secret that only the portal has: with it, no one who can write to the database can forge an entry.

AUDIT_KEY is independent of SECRET_KEY, whose rotation leaves the chains alone. Every entry names its key, so
that those of earlier keys are checked with AUDIT_KEY_FALLBACKS.
"""

import hashlib
import hmac
from functools import lru_cache

from django.conf import settings

PURPOSE = b"orgportal audit"


def derived(secret: str) -> bytes:
    """The key of the codes, derived from the setting."""
    return hmac.new(secret.encode(), PURPOSE, hashlib.sha256).digest()


def key_id(secret: str) -> str:
    """What entries name the key by; it gives nothing of the key away."""
    return hashlib.sha256(b"id" + derived(secret)).hexdigest()[:16]


def current_key() -> str:
    """The id of the key that new entries are sealed with."""
    return key_id(settings.AUDIT_KEY)


def seal(text: str) -> str:
    """The code of a text under the current key."""
    return _code(_ring()[current_key()], text)


def is_known(key: object) -> bool:
    """Whether the key of that id is here."""
    return key in _ring()


def fits(text: str, code: object, key: object) -> bool:
    """Whether the code is the text's under the key of that id, which must be here."""
    secret = _ring().get(str(key))
    return secret is not None and hmac.compare_digest(
        _code(secret, text).encode(), str(code).encode("utf-8", "replace")
    )


def _code(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode("utf-8", "backslashreplace"), hashlib.sha256).hexdigest()


def _ring() -> dict[str, bytes]:
    return _ring_of(settings.AUDIT_KEY, tuple(settings.AUDIT_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _ring_of(current: str, fallbacks: tuple[str, ...]) -> dict[str, bytes]:
    return {key_id(secret): derived(secret) for secret in (*fallbacks, current)}
