"""Which addresses of a portal can have passkeys, and for which RP ID and origin."""

import pytest

from accounts.passkeys.relying_party import at

GOOD = {
    "https://portal.example": ("portal.example", "https://portal.example"),
    "https://Portal.Example:443": ("portal.example", "https://portal.example"),
    "https://portal.example:8443": ("portal.example", "https://portal.example:8443"),
    "http://localhost:8000": ("localhost", "http://localhost:8000"),
    "http://localhost:80": ("localhost", "http://localhost"),
    "https://bücher.example": ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    "https://intranet": ("intranet", "https://intranet"),
}
BAD = (
    "http://127.0.0.1:8000",
    "https://[2001:db8::7]",
    "https://203.0.113.7",
    "https://2130706433",
    "https://0x7f000001",
    "https://portal.127",
    "https://portal..example",
    "https://-portal.example",
    "https://",
)


@pytest.mark.parametrize(("address", "expected"), GOOD.items())
def test_a_host_name_is_an_rp_id(address: str, expected: tuple[str, str]) -> None:
    found = at(address)
    assert found is not None
    assert (found.id, found.origin) == expected


@pytest.mark.parametrize("address", BAD)
def test_an_ip_address_and_what_is_no_host_name_is_none(address: str) -> None:
    assert at(address) is None
