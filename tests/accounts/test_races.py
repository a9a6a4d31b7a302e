"""Logins, changes of the password and deletions at the same moment, from real threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from bson import ObjectId

from accounts import passwords, service
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    by_token,
    change_organization,
    somebody,
    stored_sessions,
    tokens_of,
)
from tests.effort import effort

ALICE = "alice@example.org"
Outcome = TypeVar("Outcome")
LOGINS: list[Callable[[], str]] = [
    lambda: a_session(ALICE),
    lambda: tokens_of(ALICE).access_token,
    lambda: a_session(ALICE),
]


@pytest.fixture
def acme() -> ObjectId:
    """Alice's organization."""
    org_id = an_organization("acme")
    an_account(ALICE, org_id)
    return org_id


def at_once(*calls: Callable[[], Outcome]) -> list[Outcome | PortalError]:
    """What each call returned or was refused with, all begun at the same moment."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Outcome]) -> Outcome | PortalError:
        together.wait()
        try:
            return call()
        except PortalError as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(run, call) for call in calls]]


@pytest.mark.parametrize("round_", range(effort(short=4, full=10)))
def test_of_two_password_changes_one_counts(acme: ObjectId, round_: int) -> None:
    first, second = somebody(a_session(ALICE)), somebody(a_session(ALICE))
    others = "other words for the same door"
    outcomes = at_once(
        lambda: service.change_password(principal=first, current=PASSWORD, new=NEW_PASSWORD, words=()),
        lambda: service.change_password(principal=second, current=PASSWORD, new=others, words=()),
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(won) == 1, "the other one found the password changed, or its own no longer right"
    assert by_cookie(won[0])
    assert len(stored_sessions()) == 1
    password = NEW_PASSWORD if isinstance(outcomes[0], str) else others
    assert service.log_in(email=ALICE, password=password).generation == 1


@pytest.mark.parametrize("round_", range(effort(short=4, full=10)))
def test_no_login_with_the_old_password_outlives_its_change(acme: ObjectId, round_: int) -> None:
    principal = somebody(a_session(ALICE))

    def change() -> str:
        return service.change_password(principal=principal, current=PASSWORD, new=NEW_PASSWORD, words=())

    outcomes = at_once(change, *LOGINS)
    changed, *logins = outcomes
    assert isinstance(changed, str)
    assert by_cookie(changed)
    for login in (login for login in logins if isinstance(login, str)):
        assert by_cookie(login) is None
        assert by_token(login) is None
    assert [row["generation"] for row in stored_sessions()] == [1]


@pytest.mark.parametrize("round_", range(effort(short=4, full=10)))
def test_no_login_outlives_the_organization(acme: ObjectId, round_: int) -> None:
    def delete() -> str:
        change_organization(acme, status="deleting")
        service.forget_organization(org_id=acme)
        database.collection("organizations").delete_one({"_id": acme})
        return ""

    outcomes = at_once(delete, *LOGINS)
    for login in outcomes:
        if isinstance(login, str):
            assert by_cookie(login) is None
            assert by_token(login) is None
        else:
            assert login.code == "invalid_credentials"
    assert stored_sessions() == []


@pytest.mark.parametrize("round_", range(effort(short=3, full=5)))
def test_one_session_can_choose_once(round_: int) -> None:
    an_account(ALICE, an_organization("acme"), an_organization("umbrella"))
    principal = somebody(a_session(ALICE))
    outcomes = at_once(
        *[
            lambda slug=slug: service.choose_organization(principal=principal, slug=slug)
            for slug in ("acme", "umbrella", "acme")
        ]
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert len(stored_sessions()) == 1


@pytest.mark.parametrize("round_", range(effort(short=3, full=5)))
def test_logging_out_while_the_session_is_in_use_ends_it(acme: ObjectId, round_: int) -> None:
    cookie = a_session(ALICE)
    principal = somebody(cookie)
    at_once(lambda: service.end_session(principal=principal), *[lambda: by_cookie(cookie) for _ in range(4)])
    assert by_cookie(cookie) is None
    assert stored_sessions() == []


def test_a_better_hash_never_undoes_a_password_change(acme: ObjectId, monkeypatch: pytest.MonkeyPatch) -> None:
    principal = somebody(a_session(ALICE))
    monkeypatch.setattr("django.conf.settings.BCRYPT_ROUNDS", 5)
    compare = passwords.verify_and_upgrade
    really_changed: list[bool] = []

    def compare_and_be_overtaken(
        password: str, encoded: str | None, *, count: Callable[[], None] | None = None
    ) -> tuple[bool, str | None]:
        outcome = compare(password, encoded, count=count)
        if not really_changed:
            really_changed.append(True)
            service.change_password(principal=principal, current=PASSWORD, new=NEW_PASSWORD, words=())
        return outcome

    monkeypatch.setattr(passwords, "verify_and_upgrade", compare_and_be_overtaken)
    logged_in = service.log_in(email=ALICE, password=PASSWORD)
    assert really_changed
    assert service.log_in(email=ALICE, password=NEW_PASSWORD).generation == 1
    with pytest.raises(PortalError, match="do not belong together"):
        service.open_session(logged_in=logged_in)
