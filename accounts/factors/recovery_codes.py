"""Recovery codes: ten, each good once, for whoever has lost the app. Only keyed digests of them are stored."""

import hmac
import re
import secrets

HOW_MANY = 10
GROUPS, GROUP_LENGTH = 6, 4
# Crockford's base 32: no I, L, O, U, so that nothing is mistaken for something else. 24 of them are
# 120 bits: from 112 on, no slow hash is needed (NIST SP 800-63B, 3.1.2.2).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = GROUPS * GROUP_LENGTH
_CODE = re.compile(rf"[{_ALPHABET}]{{{_LENGTH}}}", re.ASCII)
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "-": "", " ": ""})


def new_codes() -> list[str]:
    """Ten new codes, as they are shown."""
    return [_new_code() for _ in range(HOW_MANY)]


def normalised(typed: str) -> str | None:
    """The code that was typed, whatever the case and the dashes; None when it is none."""
    if len(typed) > 4 * _LENGTH:
        return None
    code = typed.strip().lower().translate(_MISREAD)
    return code if _CODE.fullmatch(code) else None


def digest(code: str, *, key: str) -> str:
    """What is stored of a code. Raises ValueError for what is no code.

    Keyed with a secret of the account, which is sealed: whoever has the database alone cannot try codes.
    """
    plain = normalised(code)
    if plain is None:
        raise ValueError("not a recovery code")
    return hmac.new(f"orgportal recovery {key}".encode(), plain.encode(), "sha256").hexdigest()


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[start : start + GROUP_LENGTH] for start in range(0, _LENGTH, GROUP_LENGTH))
