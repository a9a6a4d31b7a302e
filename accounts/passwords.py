"""Passwords: which ones are accepted, and how they are hashed and compared.

The rules follow NIST 800-63B: length instead of composition, a list of common passwords, and no words
that anybody would guess about this very account.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.contrib.auth.password_validation import CommonPasswordValidator

from accounts.gate import gate
from orgportal.errors import invalid

MIN_LENGTH = 15  # one factor only; NIST 800-63B allows 8 where a second one is asked for
MIN_LENGTH_WITH_FACTOR = 8
MAX_LENGTH = 128
SHORTEST_REMAINDER = 8
SHORTEST_WORD = 3
SERVICE_WORDS = ("orgportal", "password")
_TRIMMINGS = "0123456789!?.,_- "
_ALPHABET, _DIGITS, _KEYBOARD = "abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm"
_KEYBOARD_LINES = (_ALPHABET + _DIGITS, _DIGITS[:10] + _ALPHABET, _KEYBOARD, _DIGITS[1:11] + _KEYBOARD, _DIGITS)


class ConfiguredBcryptHasher(BCryptSHA256PasswordHasher):
    """Django's bcrypt over SHA-256 (so no byte past the 72nd is lost) at the cost of BCRYPT_ROUNDS."""

    def __init__(self) -> None:
        self.rounds = settings.BCRYPT_ROUNDS

    def must_update(self, encoded: str) -> bool:
        """Whether a hash was made at a lower cost than today's."""
        return int(self.decode(encoded)["work_factor"]) < self.rounds


def hash_password(password: str) -> str:
    """The hash to store. Waits for the gate; raises PortalError 429 when too many are hashed at once."""
    with gate().slot():
        return _hash(password)


def verify(password: str, encoded: str | None, *, count: Callable[[], None] | None = None) -> bool:
    """Whether the password is the one of the hash; costs the same for no hash at all, and for any text.

    `count` and what it raises as in `verify_and_upgrade`.
    """
    matches, _ = verify_and_upgrade(password, encoded, count=count)
    return matches


def verify_and_upgrade(
    password: str, encoded: str | None, *, count: Callable[[], None] | None = None
) -> tuple[bool, str | None]:
    """Whether the password matches, and the hash to store instead when the cost was raised since.

    Every call that does not match does the work of one hash at today's cost, whether the account exists
    or not. `count` is called once it is this call's turn, and may refuse: so nothing is compared uncounted, and
    nothing is counted that waits. Raises PortalError 429 when too many are hashed at once.
    """
    hasher = ConfiguredBcryptHasher()
    usable = _is_possible(password)
    text = _normalised(password) if usable else ""
    with gate().slot():
        if count is not None:
            count()
        if encoded is None or not usable:
            hasher.encode(text, hasher.salt())
            return False, None
        if not hasher.verify(text, encoded):
            hasher.harden_runtime(text, encoded)
            return False, None
        return True, _hash(password) if hasher.must_update(encoded) else None


def needs_upgrade(encoded: str) -> bool:
    """Whether a hash was made at a lower cost than BCRYPT_ROUNDS."""
    return ConfiguredBcryptHasher().must_update(encoded)


def check_password_policy(password: str, words: Iterable[str] = (), *, minimum: int = MIN_LENGTH) -> None:
    """Accept a new password or raise PortalError 422 that says (path `password`) what is wrong.

    `words` are what anybody would try first for this account: the email, the organization's name. `minimum` is
    for accounts with a second factor, and for organizations that want more (`accounts.password_rules`).
    """
    if not isinstance(password, str):
        raise invalid("password", "Use text for the password.")
    if len(password) > MAX_LENGTH:
        raise invalid("password", f"Use at most {MAX_LENGTH} characters.")
    if not _is_possible(password):
        raise invalid("password", "Use text for the password.")
    if length_of(password) < minimum:
        raise invalid("password", f"Use at least {minimum} characters; a few unrelated words are easy to remember.")
    if _is_common(password):
        raise invalid("password", "This password is one of the first that anybody would try.")
    if _leans_on(password, words):
        raise invalid("password", "This password is little more than your email, name or organization.")


def length_of(password: str) -> int:
    """How long a password counts as: characters in the form in which it is hashed."""
    return len(_normalised(password))


def _hash(password: str) -> str:
    hasher = ConfiguredBcryptHasher()
    encoded: str = hasher.encode(_normalised(password), hasher.salt())
    return encoded


def _is_possible(password: str) -> bool:
    """Whether it can be a stored password at all: not too long, and free of lone surrogates."""
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return len(password) <= MAX_LENGTH


def _normalised(password: str) -> str:
    # One password, typed on two systems, may arrive composed or decomposed (NIST 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password)


@lru_cache(maxsize=1)
def _common_passwords() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)


def _is_common(password: str) -> bool:
    folded = _normalised(password).casefold().strip()
    unit = _repeated_unit(folded)
    candidates = {folded, unit, folded.rstrip(_TRIMMINGS), folded.strip(_TRIMMINGS)}
    return (
        len(unit) < SHORTEST_REMAINDER
        or not candidates.isdisjoint(_common_passwords())
        or any(unit in line or unit[::-1] in line for line in _KEYBOARD_LINES)
    )


def _repeated_unit(text: str) -> str:
    """The shortest text whose repetition makes up the whole one (cut off anywhere in the last round)."""
    for size in range(1, len(text)):
        unit = text[:size]
        if (unit * (len(text) // size + 1))[: len(text)] == text:
            return unit
    return text


def _leans_on(password: str, words: Iterable[str]) -> bool:
    rest = _normalised(password).casefold()
    guesses = {part for word in (*SERVICE_WORDS, *words) for part in _parts(word)}
    found = False
    for guess in sorted(guesses, key=len, reverse=True):
        found = found or guess in rest
        rest = rest.replace(guess, "")
    return found and len(rest) < SHORTEST_REMAINDER


def _parts(word: str) -> set[str]:
    whole = word.casefold().strip()
    pieces = {whole, re.sub(r"[\W_]+", "", whole), *re.split(r"[\W_]+", whole)}
    return {piece for piece in pieces if len(piece) >= SHORTEST_WORD}
