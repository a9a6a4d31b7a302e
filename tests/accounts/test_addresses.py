"""One spelling for every email address."""

from typing import Any

import pytest

from accounts.service import normalise_email
from orgportal.errors import PortalError


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.Lovelace+Post@EXAMPLE.org", "ada.lovelace+post@example.org"),
        ("  ada@example.org\n", "ada@example.org"),
        ("o'hara_{x}@example.co.uk", "o'hara_{x}@example.co.uk"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@例え.jp", "ada@xn--r8jz45g.jp"),
        ("\u212aelvin@example.org", "kelvin@example.org"),
        (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
    ],
)
def test_an_address_has_one_spelling_which_is_its_own(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept
    assert normalise_email(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "@",
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@example",
        "ada@example..org",
        "ada@-example.org",
        "ada@example.org.",
        "ada@exa mple.org",
        "ada lovelace@example.org",
        "ada..lovelace@example.org",
        ".ada@example.org",
        "ada@@example.org",
        "ada@example.org\x00",
        "ada\x00@example.org",
        "ada@example.org\nbcc: bob@example.org",
        "ada@exam\r\nple.org",
        '"ada lovelace"@example.org',
        "ada@[127.0.0.1]",
        "Ada <ada@example.org>",
        "ada@example.org,bob@example.org",
        "adä@example.org",
        "ａda@example.org",
        "\u0131nan@example.org",
        "ada@stra\u00dfe.example",
        "ada@exa\u200dmple.org",
        "ada@\u202eexample.org",
        "ada\ud800@example.org",
        "ada@\ud800.org",
        "ada@" + "ü" * 60 + ".org",
        "ada@" + "x" * 64 + ".org",
        "a" * 65 + "@example.org",
        "a@" + "x." * 130 + "org",
        "a" * 1_000_000,
        {"$ne": None},
        ["ada@example.org"],
        b"ada@example.org",
        None,
        7,
        True,
    ],
)
def test_what_is_no_address_is_refused_beside_its_field(typed: Any) -> None:
    with pytest.raises(PortalError) as refused:
        normalise_email(typed)
    assert (refused.value.status, refused.value.code) == (422, "invalid_input")
    assert [error.path for error in refused.value.errors] == ["email"]


def test_two_hundred_and_fifty_four_characters_are_the_most() -> None:
    longest = "a@" + "x" * 60 + ("." + "x" * 62) * 3 + ".y"
    for domain_length in (254, 255):
        address = longest + "y" * (domain_length - len(longest))
        assert len(address) == domain_length
        if domain_length == 254:
            assert normalise_email(address) == address
        else:
            with pytest.raises(PortalError, match="not acceptable"):
                normalise_email(address)
