"""The password again: what it takes, how long it counts, and for whom."""

from datetime import timedelta

import pytest
from django.conf import LazySettings

from accounts import service as accounts
from accounts import sudo
from accounts.principal import Principal
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import PASSWORD, a_session, an_account, an_organization, by_token, somebody, tokens_of
from tests.accounts.factors.apps import Factor
from tests.accounts.factors.conftest import ALICE


def stale(cookie: str) -> Principal:
    """Who has been logged in for longer than the password counts."""
    principal = somebody(cookie)
    past = {"sudo_until": now() - timedelta(seconds=1)}
    database.collection("sessions").update_one({"_id": principal.session_id}, {"$set": past})
    return somebody(cookie)


def refused(principal: Principal, **arguments: object) -> PortalError:
    with pytest.raises(PortalError) as caught:
        sudo.confirm(principal=principal, **arguments)  # type: ignore[arg-type]
    return caught.value


def paths(error: PortalError) -> list[str]:
    return [part.path for part in error.errors]


def test_a_login_counts_for_ten_minutes(alice: Principal, settings: LazySettings) -> None:
    assert alice.sudo_until is not None
    assert timedelta(seconds=590) < alice.sudo_until - now() <= timedelta(seconds=settings.SUDO_SECONDS)
    sudo.require_recent(alice)


def test_then_it_is_wanted_again(alice: Principal) -> None:
    principal = stale(a_session(ALICE))
    with pytest.raises(PortalError) as caught:
        sudo.require_recent(principal)
    assert (caught.value.code, caught.value.status) == ("sudo_required", 403)
    assert refused(principal, password="not the password").status == 422
    sudo.confirm(principal=principal, password=PASSWORD)
    with pytest.raises(PortalError):
        sudo.require_recent(principal)  # what was read before still says what it said


def test_it_counts_for_this_session_from_the_next_request_on(alice: Principal) -> None:
    mine, other = a_session(ALICE), a_session(ALICE)
    stale(other)
    until = sudo.confirm(principal=stale(mine), password=PASSWORD)
    assert somebody(mine).sudo_until == until.replace(microsecond=until.microsecond // 1000 * 1000)
    assert sudo.is_recent(somebody(mine))
    assert not sudo.is_recent(somebody(other))


def test_it_counts_for_every_token_of_the_same_login(alice: Principal) -> None:
    pair = tokens_of(ALICE)
    first = by_token(pair.access_token)
    assert first is not None
    assert sudo.is_recent(first)
    past = {"sudo_until": now() - timedelta(seconds=1)}
    database.collection("sessions").update_one({"_id": first.session_id}, {"$set": past})
    renewed = accounts.refresh_tokens(refresh_token=pair.refresh_token)
    later = by_token(renewed.access_token)
    assert later is not None
    assert not sudo.is_recent(later)
    sudo.confirm(principal=later, password=PASSWORD)
    again = by_token(renewed.access_token)
    assert again is not None
    assert sudo.is_recent(again)


def test_choosing_another_organization_neither_renews_nor_loses_it() -> None:
    an_account(ALICE, an_organization("acme"), an_organization("umbrella"))
    cookie = a_session(ALICE)
    before = somebody(cookie).sudo_until
    cookie = accounts.choose_organization(principal=somebody(cookie), slug="umbrella")
    assert somebody(cookie).sudo_until == before


def test_with_a_second_factor_it_takes_both(alice: Principal, factor: Factor) -> None:
    cookie = accounts.open_session(
        logged_in=accounts.log_in(email=ALICE, password=PASSWORD, otp=factor.app.code(), choose_later=True)
    )
    factor.clock.on(steps=1)
    principal = stale(cookie)
    assert paths(refused(principal, password=PASSWORD)) == ["otp"]
    assert paths(refused(principal, password=PASSWORD, otp="000000")) == ["otp"]
    assert paths(refused(principal, password="wrong", otp=factor.app.code())) == ["password"]
    sudo.confirm(principal=principal, password=PASSWORD, otp=factor.app.code())
    assert paths(refused(principal, password=PASSWORD, otp=factor.app.code())) == ["otp"]
    assert sudo.is_recent(somebody(cookie))


def test_guesses_are_limited_and_do_not_keep_the_owner_from_logging_in(alice: Principal) -> None:
    thief = stale(a_session(ALICE))
    assert [refused(thief, password="wrong").code for _ in range(11)] == ["invalid_input"] * 10 + ["too_many_attempts"]
    assert refused(thief, password=PASSWORD).code == "too_many_attempts"
    sudo.require_recent(somebody(a_session(ALICE)))


@pytest.mark.parametrize("password", [None, 7, {"$ne": ""}, [PASSWORD]])
def test_a_password_that_is_no_text_is_refused(alice: Principal, password: object) -> None:
    assert refused(alice, password=password).status == 422


def test_a_session_that_has_ended_gains_nothing(alice: Principal) -> None:
    accounts.end_session(principal=alice)
    assert refused(alice, password=PASSWORD).status == 401
