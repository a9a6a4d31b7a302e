"""Email addresses as the portal keeps and compares them."""

import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from orgportal.errors import invalid

MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets
MAX_LOCAL_LENGTH = 64
_valid = EmailValidator(allowlist=[])

# IDNA 2003 and 2008 read these differently: one spelling would name two owners' domains.
_DEVIATING = frozenset("ßς\u200c\u200d")


def normalise_email(email: str) -> str:
    """The one spelling under which an address is stored, looked up and compared.

    Letters are lowered in both parts, a domain in another script becomes its `xn--` form.
    Raises PortalError 422 (path `email`) for what is not an address of at most 254 characters.
    """
    if not isinstance(email, str) or len(email) > 4 * MAX_LENGTH:
        raise invalid("email", "Enter an email address.")
    local, _, domain = unicodedata.normalize("NFC", email.strip()).rpartition("@")
    address = f"{local.lower()}@{_ascii_domain(domain.lower())}"
    if not address.isascii() or set(address) & set('"['):
        raise invalid("email", "Enter an email address with plain letters before the @, like ada@example.org.")
    if len(address) > MAX_LENGTH or len(local) > MAX_LOCAL_LENGTH:
        raise invalid("email", f"Enter an email address of at most {MAX_LENGTH} characters.")
    try:
        _valid(address)
    except ValidationError:
        raise invalid("email", "Enter an email address like ada@example.org.") from None
    return address


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    if _DEVIATING & set(domain):
        raise invalid("email", "Write this domain in its xn-- form.")
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise invalid("email", "The domain after the @ is not one.") from None
