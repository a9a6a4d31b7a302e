"""API keys as text: `orgp_live_`, 256 random bits in base 62, and a checksum.

The beginning lets people and secret scanners recognise a key; the checksum tells a typo, or a text that only looks
like a key, from a key without asking the database.
"""

import re
import secrets
import zlib

PREFIX = "orgp_live_"
SHOWN = 4
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})", re.ASCII)


def new_key() -> str:
    """A new key; it is kept nowhere."""
    secret = _base62(int.from_bytes(secrets.token_bytes(32), "big"), _SECRET_LENGTH)
    return f"{PREFIX}{secret}{_checksum(secret)}"


def looks_like_key(text: str) -> bool:
    """Whether a text claims to be an API key rather than an access token."""
    return text.startswith(PREFIX)


def is_well_formed(text: str) -> bool:
    """Whether a text can be a key at all: its shape and its checksum are right."""
    match = _SHAPE.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def shown_prefix(key: str) -> str:
    """What lists show of a key, so that people recognise it: 24 of its 256 random bits."""
    return key[: len(PREFIX) + SHOWN]


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
