"""Guesses at passwords and codes: never one more than the limit is evaluated, and the owner keeps a way in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from bson import ObjectId
from django.conf import LazySettings

from accounts import gate, guessing, passwords, service
from accounts.devices import Device
from orgportal import circumstances
from orgportal.errors import PortalError
from tests.accounts.cast import PASSWORD, an_account, an_organization
from tests.effort import effort

ALICE, NOBODY = "alice@example.org", "nobody@example.org"
WRONG = "a wrong password"
LIMIT = 10
HERE, THERE, ELSEWHERE = "192.0.2.1", "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def account() -> ObjectId:
    """Alice's, and nothing counted yet."""
    return an_account(ALICE, an_organization("acme"))


@contextmanager
def coming_from(address: str) -> Iterator[None]:
    with circumstances.during(request_id="", address=address, agent=""):
        yield


def outcome(email: str = ALICE, password: str = WRONG, device: Device | None = None) -> str:
    """What a login comes to: "in", or the code of the refusal."""
    try:
        service.open_session(logged_in=service.log_in(email=email, password=password, device=device))
    except PortalError as error:
        return error.code
    return "in"


def guessed(times: int, **arguments: object) -> list[str]:
    return [outcome(**arguments) for _ in range(times)]  # type: ignore[arg-type]


ALL_WRONG = ["invalid_credentials"] * LIMIT


@pytest.mark.parametrize("email", [ALICE, NOBODY, "this is no address", " ALICE@Example.ORG "])
def test_after_ten_wrong_passwords_no_more_are_compared_whether_there_is_an_account_or_not(email: str) -> None:
    assert guessed(LIMIT, email=email) == ALL_WRONG
    assert guessed(2, email=email) == ["too_many_attempts"] * 2
    assert outcome("another@example.org") == "invalid_credentials"


def test_the_right_password_does_not_open_it_either_so_that_no_guess_learns_it_was_right() -> None:
    guessed(LIMIT)
    assert outcome(password=PASSWORD) == "too_many_attempts"


def test_every_spelling_of_an_address_counts_as_the_same() -> None:
    spellings = [ALICE, "ALICE@example.org", " alice@EXAMPLE.org", "Alice@Example.Org "]
    assert [outcome(spellings[turn % 4]) for turn in range(LIMIT)] == ALL_WRONG
    assert {outcome(one) for one in spellings} == {"too_many_attempts"}


def test_known_and_unknown_addresses_are_refused_in_the_same_words() -> None:
    refusals = []
    for email in (ALICE, NOBODY):
        guessed(LIMIT, email=email)
        with pytest.raises(PortalError) as caught:
            service.log_in(email=email, password=PASSWORD)
        refusals.append(caught.value)
    assert len({(one.code, one.status, one.message.rstrip("0123456789 minutes.")) for one in refusals}) == 1
    assert all(890 <= (one.retry_after or 0) <= 900 for one in refusals)


def test_right_passwords_are_not_counted() -> None:
    with coming_from(HERE):
        assert [outcome(password=PASSWORD) for _ in range(LIMIT + 2)] == ["in"] * (LIMIT + 2)


def test_of_parallel_guesses_not_one_more_than_the_limit_is_compared(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many hashes at once as there are guesses: nothing but the throttle holds them back."""
    guesses = effort(short=80, full=200)
    settings.BCRYPT_CONCURRENCY = settings.WEB_THREADS = guesses
    gate.gate.cache_clear()
    compared: list[str] = []
    really = passwords.ConfiguredBcryptHasher.verify

    def counted(hasher: passwords.ConfiguredBcryptHasher, password: str, encoded: str) -> bool:
        compared.append(password)
        return bool(really(hasher, password, encoded))

    monkeypatch.setattr(passwords.ConfiguredBcryptHasher, "verify", counted)
    with ThreadPoolExecutor(50) as threads:
        outcomes = list(threads.map(lambda turn: outcome(password=f"a wrong password {turn}"), range(guesses)))
    assert len(compared) == LIMIT
    assert sorted(outcomes) == ALL_WRONG + ["too_many_attempts"] * (guesses - LIMIT)
    gate.gate.cache_clear()


# Ways in for the owner


def test_a_browser_that_has_logged_in_before_has_attempts_of_its_own() -> None:
    device = Device("a-device").with_account(ALICE)
    with coming_from(ELSEWHERE):
        guessed(LIMIT)
        assert outcome(password=PASSWORD) == "too_many_attempts"
        assert outcome(password=PASSWORD, device=Device("bobs").with_account("bob@example.org")) == "too_many_attempts"
        assert outcome(password=PASSWORD, device=device) == "in"


def test_a_browser_that_has_logged_in_before_is_limited_as_well() -> None:
    device = Device("a-device").with_account(ALICE)
    assert guessed(LIMIT, device=device) == ALL_WRONG
    assert outcome(password=PASSWORD, device=device) == "too_many_attempts"
    assert outcome(password=PASSWORD, device=Device("another").with_account(ALICE)) == "in"


def test_a_network_that_has_logged_in_before_has_attempts_of_its_own() -> None:
    with coming_from(HERE):
        assert outcome(password=PASSWORD) == "in"
    with coming_from(THERE):
        guessed(LIMIT)
        assert outcome(password=PASSWORD) == "too_many_attempts"
    with coming_from(HERE):
        assert outcome(password=PASSWORD) == "in"


def test_a_new_password_by_mail_gives_all_attempts_back(account: ObjectId) -> None:
    with coming_from(THERE):
        guessed(LIMIT)
        assert outcome(password=PASSWORD) == "too_many_attempts"
        guessing.forget(email=ALICE, account_id=account)
        assert outcome(password=PASSWORD) == "in"


def test_all_guesses_from_one_network_count_together(settings: LazySettings) -> None:
    settings.GUESSES_PER_ADDRESS = 5
    with coming_from(THERE):
        found = [outcome(f"user{turn}@example.org") for turn in range(7)]
    assert found == ["invalid_credentials"] * 5 + ["too_many_attempts"] * 2
    with coming_from(ELSEWHERE):
        assert outcome("user8@example.org") == "invalid_credentials"


def test_a_network_of_ipv6_is_one_however_many_addresses_it_uses(settings: LazySettings) -> None:
    settings.GUESSES_PER_ADDRESS = 3
    found = []
    for turn in range(5):
        with coming_from(f"2001:db8:0:7::{turn:x}"):
            found.append(outcome(f"user{turn}@example.org"))
    assert found == ["invalid_credentials"] * 3 + ["too_many_attempts"] * 2


def test_a_guess_that_the_account_has_no_room_for_is_not_held_against_the_network(settings: LazySettings) -> None:
    settings.GUESSES_PER_ADDRESS = LIMIT + 5
    with coming_from(THERE):
        guessed(LIMIT)
        assert guessed(6) == ["too_many_attempts"] * 6
        assert outcome("another@example.org") == "invalid_credentials"


def test_a_login_that_had_no_turn_at_the_gate_is_not_counted(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BCRYPT_CONCURRENCY = 1
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 0.001)
    gate.gate.cache_clear()
    with gate.gate().slot():
        assert guessed(LIMIT + 1) == ["too_many_logins"] * (LIMIT + 1)
    assert outcome(password=PASSWORD) == "in"
    gate.gate.cache_clear()


def test_no_limit_is_a_setting(settings: LazySettings) -> None:
    settings.GUESSES_PER_ACCOUNT = settings.GUESSES_PER_ADDRESS = 0
    assert guessed(LIMIT + 2) == ["invalid_credentials"] * (LIMIT + 2)


def test_a_device_remembers_the_last_five_accounts_and_tells_nobody_which() -> None:
    device = Device("a-device")
    for turn in range(6):
        device = device.with_account(f"user{turn}@example.org")
    assert not device.knows("user0@example.org")
    assert all(device.knows(f"user{turn}@example.org") for turn in range(1, 6))
    assert "user" not in "".join(device.known)
    assert Device("another", device.known).knows("user5@example.org") is False
