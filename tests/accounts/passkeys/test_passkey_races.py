"""Passkeys that come and go at the same time: what an account has, and whether its second factor is on, never part."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from accounts.passkeys import challenges
from orgportal import database
from tests.accounts.passkeys.authenticator import Authenticator
from tests.accounts.passkeys.conftest import EMAIL
from tests.accounts.passkeys.people import PASSKEYS, added, options_to_add
from tests.effort import effort
from tests.scripts import Script, body_of, log_in


def factors() -> tuple[bool, int]:
    """Whether the second factor is on, and how many passkeys there are."""
    account = database.collection("accounts").find_one({"email": EMAIL})
    assert account is not None
    return "second_factor" in account, len(account.get("secrets", {}).get("passkeys", []))


def test_of_many_who_take_a_challenge_at_once_one_has_it(clean_database: None) -> None:
    """Whoever deletes it, and not whoever has found it."""
    for _ in range(effort(short=5, full=50)):
        challenge = challenges.issue(purpose="login")
        together = Barrier(6)

        def take(_: int, challenge: bytes = challenge, together: Barrier = together) -> bool:
            together.wait(10)
            return challenges.consume(challenge, purposes=["login"]) is not None

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(take, range(6))) == 1


def test_of_two_first_ones_at_once_one_makes_the_recovery_codes(script: Script) -> None:
    scripts = [script, log_in(EMAIL)]
    made = [(one, {"name": "Phone", "credential": Authenticator().create(options_to_add(one))}) for one in scripts]
    with ThreadPoolExecutor(2) as pool:
        answers: list[Any] = list(pool.map(lambda pair: pair[0].post(PASSKEYS, pair[1]), made))
    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert {answer.status_code for answer in answers} <= {201, 401, 409}
    good = [body_of(answer) for answer in answers if answer.status_code == 201]
    assert len([one for one in good if one["recovery_codes"]]) == 1
    assert factors() == (True, len(good))


def test_when_the_last_two_are_removed_at_once_the_second_factor_goes_with_the_last(owner: Script) -> None:
    for _ in range(effort(short=2, full=20)):
        if not factors()[0]:
            added(owner, Authenticator())
        while factors()[1] < 2:
            added(owner, Authenticator())
        ids = [one["id"] for one in body_of(owner.get(PASSKEYS))["items"]]
        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(lambda id: owner.delete(f"{PASSKEYS}/{id}").status_code, ids))
        is_on, left = factors()
        assert is_on == (left > 0), statuses
        assert left == 2 - statuses.count(204), statuses
