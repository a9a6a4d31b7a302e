"""Passkeys that come and go at the same time: what an account has, and whether its second factor is on, never part."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from bson import ObjectId
from django.conf import settings as portal
from django.test import Client

from accounts.factors import pending
from accounts.passkeys import challenges
from orgportal import database
from tests.accounts.factors.test_second_factor_pages import CODES, with_password
from tests.accounts.passkeys.adding import PASSKEYS, added, options_to_add
from tests.accounts.passkeys.authenticator import Authenticator
from tests.accounts.passkeys.conftest import EMAIL
from tests.accounts.passkeys.showing import options_at_code
from tests.accounts.passkeys.test_passkey_pages import add, as_form
from tests.answers import Answer
from tests.effort import effort
from tests.scripts import Script, body_of, log_in
from tests.visitors import signed_up


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


def test_of_many_who_end_a_waiting_login_at_once_one_does(clean_database: None) -> None:
    for _ in range(effort(short=5, full=50)):
        secret = pending.begin(account_id=ObjectId(), generation=0, wishes={})
        waiting = pending.find(secret)
        assert waiting is not None
        together = Barrier(6)

        def end(_: int, waiting: pending.PendingLogin = waiting, together: Barrier = together) -> bool:
            together.wait(10)
            return pending.end(waiting)

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(end, range(6))) == 1
        assert pending.find(secret) is None


def test_a_login_that_is_finished_by_a_passkey_and_by_a_code_at_once_logs_in_once(
    device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways ask who was first; what was right but late begins anew."""
    codes = CODES.findall(add(signed_up(), device).content.decode())
    for code in codes[: effort(short=3, full=10)]:
        with_passkey, with_code = Client(), Client()
        assert with_password(with_passkey) == "/login/code"
        with_code.cookies.update(with_passkey.cookies)
        shown = as_form(device.get(options_at_code(with_passkey)))
        with monkeypatch.context() as patch:
            patch.setattr(pending, "end", _together(2))
            with ThreadPoolExecutor(2) as pool:
                answers = [
                    pool.submit(with_passkey.post, "/login/code/passkey", shown),
                    pool.submit(with_code.post, "/login/code", {"otp": code}),
                ]
                led_to = {answer.result()["Location"]: answer.result() for answer in answers}
        assert set(led_to) == {"/dashboard", "/login"}
        assert [_logs_in(led_to[place]) for place in ("/dashboard", "/login")] == [True, False]


def _together(number: int) -> Callable[[pending.PendingLogin], bool]:
    """`pending.end`, for so many who come to it at the same moment."""
    end, barrier = pending.end, Barrier(number)

    def ended(waiting: pending.PendingLogin) -> bool:
        barrier.wait(10)
        return end(waiting)

    return ended


def _logs_in(answer: Answer) -> bool:
    return bool(answer.cookies.get(portal.SESSION_COOKIE_NAME))


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
