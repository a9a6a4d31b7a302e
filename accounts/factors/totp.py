"""Codes of an authenticator app: TOTP with SHA-1, six digits, thirty seconds, as all apps do them (RFC 6238)."""

import hmac
import re
from datetime import datetime

import pyotp
import segno

from accounts.tokens import now

ISSUER = "Orgportal"
STEP_SECONDS = 30
DIGITS = 6
# RFC 6238, 5.2: one step for transmission and clocks, and no more.
SKEW_STEPS = 1
_CODE = re.compile(rf"[0-9]{{{DIGITS}}}", re.ASCII)


def new_secret() -> str:
    """160 random bits in base 32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def step_of(moment: datetime) -> int:
    """The time step of a moment."""
    return int(moment.timestamp()) // STEP_SECONDS


def looks_like_code(text: str) -> bool:
    """Whether the text has the form of such a code."""
    return _CODE.fullmatch(text) is not None


def code_at(secret: str, step: int) -> str:
    """The code of a time step."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).at(step * STEP_SECONDS)


def matching_step(secret: str, code: str, *, after: int = -1) -> int | None:
    """The time step whose code this is: now, one before or one after, and later than `after`; None when it is none.

    Every step is compared, in the same time whichever it is.
    """
    if not looks_like_code(code):
        return None
    current, found = step_of(now()), None
    for step in range(current - SKEW_STEPS, current + SKEW_STEPS + 1):
        equal = hmac.compare_digest(code_at(secret, step), code)
        if equal and step > after:
            found = step
    return found


def address_of(secret: str, *, email: str) -> str:
    """The `otpauth:` address that an app takes from the QR code."""
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    return totp.provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(address: str) -> str:
    """The address as an SVG element, dark on light in every theme, because not every camera reads the reverse."""
    code = segno.make(address, error="m", micro=False)
    return code.svg_inline(omitsize=True, border=4, light="#fff", dark="#000", svgclass="qr-code", lineclass=None)


def in_groups(secret: str) -> str:
    """The secret as people type it, in groups of four."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
