"""Who the portal is to an authenticator: its RP ID and origin, by SITE_URL alone and never by a request."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from orgportal.errors import PortalError

NAME = "Orgportal"
DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)


@dataclass(frozen=True)
class RelyingParty:
    """The RP ID that passkeys are made for, and the one origin that they are shown at."""

    id: str
    origin: str


def relying_party() -> RelyingParty:
    """This portal. Raises PortalError 409 `passkeys_unavailable` when the host of SITE_URL cannot be an RP ID."""
    found = at(settings.SITE_URL)
    if found is None:
        raise PortalError("passkeys_unavailable", 409, "This portal does not offer passkeys: ask whoever runs it.")
    return found


def is_available() -> bool:
    """Whether the portal can offer passkeys at all."""
    return at(settings.SITE_URL) is not None


def at(site_url: str) -> RelyingParty | None:
    """The relying party at that address; None where there can be none.

    An RP ID is a valid domain string, and no IP address (WebAuthn, 5.1.3, 13.4.9). The origin is written as browsers
    write it: in lower case and ASCII, without the scheme's own port (RFC 6454, 6.2).
    """
    parts = urlsplit(site_url)
    host = _ascii((parts.hostname or "").rstrip("."))
    if host is None or not _is_domain(host):
        return None
    port = "" if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    return RelyingParty(id=host, origin=f"{parts.scheme}://{host}{port}")


def _ascii(host: str) -> str | None:
    try:
        return host.lower().encode("idna").decode()
    except UnicodeError:
        return None


def _is_domain(host: str) -> bool:
    labels = host.split(".")
    # Browsers read a host whose last label is a number as an IPv4 address, however it is written.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return all(_LABEL.fullmatch(label) for label in labels)
    return False
