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


def seal(text: str, key: str | None = None) -> str | None:
    """The code of a text under the named key (default: the current one); None for a key that is not here."""
    secret = _ring(settings.AUDIT_KEY, tuple(settings.AUDIT_KEY_FALLBACKS)).get(key or current_key())
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest() if secret else None


@lru_cache(maxsize=8)
def _ring(current: str, fallbacks: tuple[str, ...]) -> dict[str, bytes]:
    return {key_id(secret): derived(secret) for secret in (*fallbacks, current)}
