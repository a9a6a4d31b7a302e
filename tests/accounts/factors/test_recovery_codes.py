"""Recovery codes as texts: easy to type, hard to guess, nowhere to be read from what is stored."""

import re

import pytest

from accounts.factors import recovery_codes


def test_there_are_ten_of_120_bits_each() -> None:
    codes = recovery_codes.new_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){5}[0-9a-hjkmnp-tv-z]{4}", code) for code in codes)


def test_a_code_may_be_typed_with_or_without_dashes_and_in_capitals() -> None:
    code = recovery_codes.new_codes()[0]
    plain = code.replace("-", "")
    for typed in (code, plain, code.upper(), f" {code} ", code.replace("-", " ")):
        assert recovery_codes.normalised(typed) == plain


def test_letters_that_are_mistaken_for_digits_are_read_as_those() -> None:
    assert recovery_codes.normalised("OIlo-0000-1111-2222-3333-4444") == "011000001111222233334444"


@pytest.mark.parametrize("typed", ["", "123456", "u" * 24, "a" * 23, "a" * 25, "a" * 10_000, "äbcd" + "-abcd" * 5])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert recovery_codes.normalised(typed) is None
    with pytest.raises(ValueError, match="not a recovery code"):
        recovery_codes.digest(typed, key="k")


def test_a_digest_needs_the_key() -> None:
    code = recovery_codes.new_codes()[0]
    assert recovery_codes.digest(code, key="one") == recovery_codes.digest(code.upper(), key="one")
    assert recovery_codes.digest(code, key="one") != recovery_codes.digest(code, key="two")
    assert code.replace("-", "") not in recovery_codes.digest(code, key="one")
