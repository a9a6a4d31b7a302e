"""Codes of an authenticator app: those of the standard, within one step, and each once."""

from datetime import datetime, timezone

import pytest

from accounts.factors import totp
from tests.accounts.factors.apps import App, Clock

# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
STANDARD_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
STANDARD = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("seconds", "code"), STANDARD)
def test_the_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    step = totp.step_of(datetime.fromtimestamp(seconds, timezone.utc))
    assert totp.code_at(STANDARD_SECRET, step) == code


@pytest.mark.parametrize("skew", [-1, 0, 1])
def test_a_clock_may_be_one_step_off(clock: Clock, skew: int) -> None:
    secret = totp.new_secret()
    assert totp.matching_step(secret, App(secret, clock).code(steps=skew)) == totp.step_of(clock()) + skew


@pytest.mark.parametrize("skew", [-20, -3, -2, 2, 3, 20])
def test_a_clock_may_not_be_two_steps_off(clock: Clock, skew: int) -> None:
    secret = totp.new_secret()
    code = App(secret, clock).code(steps=skew)
    near = {App(secret, clock).code(steps=step) for step in (-1, 0, 1)}
    if code in near:  # one in 300,000: two steps with one code
        pytest.skip("the two codes are equal by chance")
    assert totp.matching_step(secret, code) is None


def test_a_step_that_was_used_counts_no_more_nor_do_earlier_ones(clock: Clock) -> None:
    secret, step = totp.new_secret(), totp.step_of(clock())
    app = App(secret, clock)
    assert totp.matching_step(secret, app.code(steps=-1), after=step) is None
    assert totp.matching_step(secret, app.code(), after=step) is None
    assert totp.matching_step(secret, app.code(steps=1), after=step) == step + 1


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "12345a", "１２３４５６", "١٢٣٤٥٦", "-12345", "12 456", "1e5000", "\n123456"]
)
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert totp.matching_step(totp.new_secret(), typed) is None


def test_secrets_have_160_bits_and_are_all_different() -> None:
    secrets = {totp.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert {len(secret) for secret in secrets} == {32}


def test_the_qr_code_is_a_picture_without_style_or_script() -> None:
    picture = totp.qr_code(totp.address_of(totp.new_secret(), email="<script>@example.org"))
    assert picture.startswith("<svg")
    assert "viewBox" in picture
    for word in ("style", "script", "href", "onload", "example.org"):
        assert word not in picture


def test_the_address_names_the_portal_and_the_account() -> None:
    address = totp.address_of(STANDARD_SECRET, email="alice@example.org")
    assert address.startswith("otpauth://totp/Orgportal:alice%40example.org?secret=" + STANDARD_SECRET)
    assert "issuer=Orgportal" in address


def test_the_key_is_shown_in_groups_that_a_person_can_type() -> None:
    assert totp.in_groups("ABCDEFGHIJ") == "ABCD EFGH IJ"
