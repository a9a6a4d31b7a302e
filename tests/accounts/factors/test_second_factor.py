"""The second factor of an account: set up, asked for, used once, switched off, and what ends with it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from bson import ObjectId
from django.conf import LazySettings
from django.core.management import call_command

from accounts import api_keys, login, sealing
from accounts import service as accounts
from accounts.factors import codes, recovery_codes, service
from accounts.principal import Principal
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    by_cookie,
    by_token,
    change_account,
    somebody,
    stored_account,
    tokens_of,
)
from tests.accounts.factors.apps import App, Clock, Factor
from tests.accounts.factors.conftest import ALICE

SHORT = "rust tin fog"


def refused(call: Any, **arguments: Any) -> PortalError:
    with pytest.raises(PortalError) as caught:
        call(**arguments)
    return caught.value


def log_in(otp: str | None, *, password: str = PASSWORD) -> accounts.LoggedIn:
    return accounts.log_in(email=ALICE, password=password, otp=otp)


def gone_stale(principal: Principal) -> Principal:
    """The same session, an hour after the password was entered."""
    database.collection("sessions").update_one(
        {"_id": principal.session_id}, {"$set": {"sudo_until": now() - timedelta(seconds=1)}}
    )
    return Principal(**{**vars(principal), "sudo_until": now() - timedelta(seconds=1)})


def test_nothing_changes_until_a_first_code_was_right(alice: Principal, clock: Clock) -> None:
    setup = service.begin(principal=alice)
    assert service.setup_under_way(principal=alice) == setup
    assert log_in(None).email == ALICE
    wrong = refused(service.confirm, principal=alice, otp="000000")
    assert (wrong.status, [part.path for part in wrong.errors]) == (422, ["otp"])
    assert not service.status(principal=alice).is_on
    assert len(service.confirm(principal=alice, otp=App(setup.secret, clock).code())) == 10
    assert service.status(principal=alice).is_on
    assert refused(log_in, otp=None).code == "otp_required"


def test_a_set_up_that_took_too_long_is_begun_anew(alice: Principal, clock: Clock) -> None:
    setup = service.begin(principal=alice)
    past = {"secrets.setup.expires_at": now() - timedelta(seconds=1)}
    change_account(alice.account_id, {"$set": past})
    assert service.setup_under_way(principal=alice) is None
    assert refused(service.confirm, principal=alice, otp=App(setup.secret, clock).code()).code == "no_setup"


def test_the_first_code_cannot_log_in_a_moment_later(alice: Principal, clock: Clock) -> None:
    app = App(service.begin(principal=alice).secret, clock)
    service.confirm(principal=alice, otp=app.code())
    assert refused(log_in, otp=app.code()).code == "invalid_otp"


def test_a_code_logs_in_once(factor: Factor) -> None:
    assert log_in(factor.app.code()).email == ALICE
    assert refused(log_in, otp=factor.app.code()).code == "invalid_otp"
    factor.clock.on(steps=1)
    assert log_in(factor.app.code()).email == ALICE


def test_of_twenty_uses_of_a_code_at_once_one_succeeds(factor: Factor, settings: LazySettings) -> None:
    settings.GUESSES_PER_ACCOUNT = 0
    account, code = login.password_holder(email=ALICE, password=PASSWORD, device=None), factor.app.code()
    right = [codes.right_code(account, code) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(lambda one: one is not None and codes.use_up(one), right)) == 1


@pytest.mark.parametrize("skew", [-1, 1])
def test_a_clock_one_step_off_logs_in(factor: Factor, skew: int) -> None:
    factor.clock.on(steps=2)
    assert log_in(factor.app.code(steps=skew)).email == ALICE


@pytest.mark.parametrize("skew", [-2, 2])
def test_a_clock_two_steps_off_does_not(factor: Factor, skew: int) -> None:
    factor.clock.on(steps=4)
    assert refused(log_in, otp=factor.app.code(steps=skew)).code == "invalid_otp"


def test_a_recovery_code_logs_in_once(factor: Factor) -> None:
    code = factor.recovery_codes[3]
    assert log_in(code.upper().replace("-", " ")).email == ALICE
    assert refused(log_in, otp=code).code == "invalid_otp"
    assert log_in(factor.recovery_codes[4]).email == ALICE


def test_of_twenty_uses_of_a_recovery_code_at_once_one_succeeds(factor: Factor) -> None:
    account = login.password_holder(email=ALICE, password=PASSWORD, device=None)
    right = [codes.right_code(account, factor.recovery_codes[0]) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(lambda one: one is not None and codes.use_up(one), right)) == 1
    assert len(stored_account(account["_id"])["secrets"]["recovery"]) == 9


def test_new_recovery_codes_replace_the_earlier_ones(alice: Principal, factor: Factor) -> None:
    renewed = service.renew_recovery_codes(principal=alice)
    assert refused(log_in, otp=factor.recovery_codes[0]).code == "invalid_otp"
    assert log_in(renewed[0]).email == ALICE
    assert service.status(principal=alice).recovery_codes_left == 9


def as_before_passkeys(account_id: ObjectId, shown: list[str]) -> None:
    """Rewrite an account as it was stored when recovery codes had no key of their own."""
    key = codes.open_secret(stored_account(account_id)["secrets"]["totp"], account_id)
    stored = [recovery_codes.digest(code, key=key) for code in shown]
    change_account(account_id, {"$set": {"secrets.recovery": stored}, "$unset": {"secrets.recovery_key": ""}})


def test_recovery_codes_from_before_passkeys_go_on_working(alice: Principal, factor: Factor) -> None:
    as_before_passkeys(alice.account_id, factor.recovery_codes)
    assert log_in(factor.recovery_codes[0]).email == ALICE
    renewed = service.renew_recovery_codes(principal=alice)
    assert refused(log_in, otp=factor.recovery_codes[1]).code == "invalid_otp"
    assert log_in(renewed[0]).email == ALICE


def test_recovery_codes_from_before_passkeys_outlive_the_app(alice: Principal, factor: Factor) -> None:
    as_before_passkeys(alice.account_id, factor.recovery_codes)
    change_account(alice.account_id, {"$push": {"secrets.passkeys": {"id": ObjectId(), "credential": "A" * 32}}})
    service.switch_off(principal=alice)
    assert log_in(factor.recovery_codes[0]).email == ALICE


def test_a_wrong_password_never_tells_that_there_is_a_second_factor(factor: Factor) -> None:
    for otp in (None, "000000", factor.app.code(), factor.recovery_codes[0]):
        wrong = refused(log_in, otp=otp, password="not the password")
        assert (wrong.code, wrong.status, wrong.data) == ("invalid_credentials", 401, {})
    # And it used up none of them.
    assert log_in(factor.app.code()).email == ALICE


def test_a_code_is_still_good_after_the_choice_of_an_organization(factor: Factor) -> None:
    assert refused(
        accounts.log_in, email=ALICE, password=PASSWORD, org_slug="umbrella", otp=factor.app.code()
    ).code == ("invalid_credentials")
    assert log_in(factor.app.code()).email == ALICE


@pytest.mark.parametrize("otp", [7, True, {"$ne": None}, ["123456"]])
def test_a_code_that_is_no_text_is_refused(factor: Factor, otp: Any) -> None:
    assert refused(log_in, otp=otp).status == 422


@pytest.mark.parametrize("otp", ["", " ", "0" * 101, "\0" * 6, "$ne", "\ud800"])
def test_a_text_that_is_no_code_is_a_wrong_one(factor: Factor, otp: str) -> None:
    assert refused(log_in, otp=otp).code == "invalid_otp"


def test_the_secret_is_sealed_and_recovery_codes_are_digests(alice: Principal, factor: Factor) -> None:
    stored = str(stored_account(alice.account_id))
    assert factor.app.secret not in stored
    for code in factor.recovery_codes:
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_no_secret_is_read_with_a_session(alice: Principal, factor: Factor, commands: Any) -> None:
    cookie = accounts.open_session(logged_in=log_in(factor.app.code()))
    commands.forget()
    assert somebody(cookie).has_second_factor
    assert "totp" not in "".join(commands.replies)
    assert "recovery" not in "".join(commands.replies)


# What ends when it is switched


def everything_of_alice() -> tuple[str, str, str]:
    """A second browser's cookie, an access token, a refresh token, all good."""
    pair = tokens_of(ALICE)
    return a_session(ALICE), pair.access_token, pair.refresh_token


def are_dead(cookie: str, access: str, refresh: str) -> bool:
    dead = by_cookie(cookie) is None and by_token(access) is None
    return dead and refused(accounts.refresh_tokens, refresh_token=refresh).code == "invalid_token"


def test_switching_it_on_ends_everything_else_and_this_browser_stays(clock: Clock, alice: Principal) -> None:
    others = everything_of_alice()
    key = api_keys.make_key(principal=alice, name="nightly", scopes=["records:read"])
    assert by_token(key.text) is not None
    app = App(service.begin(principal=alice).secret, clock)
    assert by_cookie(others[0]) is not None
    service.confirm(principal=alice, otp=app.code())
    assert are_dead(*others)
    assert by_token(key.text) is None
    assert database.collection("sessions").count_documents({}) == 1
    kept = database.collection("sessions").find_one({})
    assert kept is not None
    assert kept["_id"] == alice.session_id


def test_switching_it_off_ends_everything_else_and_this_browser_stays(factor: Factor, alice: Principal) -> None:
    other = accounts.open_session(logged_in=log_in(factor.app.code()))
    factor.clock.on(steps=1)
    pair = accounts.issue_tokens(logged_in=log_in(factor.app.code()))
    assert by_cookie(other) is not None
    service.switch_off(principal=alice)
    assert are_dead(other, pair.access_token, pair.refresh_token)
    assert log_in(None).email == ALICE
    assert "secrets" not in stored_account(alice.account_id)


def test_a_login_that_waits_for_a_code_ends_when_it_is_switched_off(factor: Factor, alice: Principal) -> None:
    begun = accounts.begin_login(email=ALICE, password=PASSWORD, device=None, wishes={})
    assert isinstance(begun, accounts.Waiting)
    service.switch_off(principal=alice)
    assert refused(accounts.finish_login, secret=begun.secret, otp="000000", device=None).code == "login_expired"


def test_of_two_switches_at_once_one_takes_place(alice: Principal, clock: Clock) -> None:
    app = App(service.begin(principal=alice).secret, clock)

    def confirms(_: int) -> str:
        try:
            service.confirm(principal=alice, otp=app.code())
        except PortalError as error:
            return error.code
        return "on"

    with ThreadPoolExecutor(8) as threads:
        outcomes = sorted(threads.map(confirms, range(8)))
    assert outcomes.count("on") == 1
    assert set(outcomes) <= {"on", "account_changed", "second_factor_on"}


# What it takes to change it


CHANGES: list[Any] = [
    service.begin,
    service.setup_under_way,
    service.switch_off,
    service.renew_recovery_codes,
    lambda principal: service.confirm(principal=principal, otp="000000"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_wants_the_password_again(alice: Principal, change: Any) -> None:
    assert refused(change, principal=gone_stale(alice)).code == "sudo_required"


@pytest.mark.parametrize("change", CHANGES)
def test_an_api_key_changes_nothing(alice: Principal, change: Any) -> None:
    key = api_keys.make_key(principal=alice, name="nightly", scopes=["organization"])
    principal = by_token(key.text)
    assert principal is not None
    assert refused(change, principal=principal).code == "not_for_keys"


def test_there_is_nothing_to_switch_off_or_renew_without_one(alice: Principal) -> None:
    assert refused(service.switch_off, principal=alice).code == "second_factor_off"
    assert refused(service.renew_recovery_codes, principal=alice).code == "second_factor_off"


def test_there_is_nothing_to_begin_with_one(alice: Principal, factor: Factor) -> None:
    assert refused(service.begin, principal=alice).code == "second_factor_on"
    assert refused(service.confirm, principal=alice, otp="000000").code == "second_factor_on"


def test_eight_characters_are_enough_beside_a_second_factor_and_keep_it_on(factor: Factor, alice: Principal) -> None:
    beside = Principal(**{**vars(alice), "has_second_factor": True})
    assert refused(accounts.change_password, principal=alice, current=PASSWORD, new=SHORT).status == 422
    cookie = accounts.change_password(principal=beside, current=PASSWORD, new=SHORT)
    assert refused(service.switch_off, principal=somebody(cookie)).code == "password_too_short"
    cookie = accounts.change_password(principal=somebody(cookie), current=SHORT, new=NEW_PASSWORD)
    service.switch_off(principal=somebody(cookie))


# The key that seals it


def test_it_outlives_a_new_secret_key_and_is_sealed_anew_by_its_next_use(
    factor: Factor, alice: Principal, settings: LazySettings
) -> None:
    earlier = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a later secret key " * 4, [earlier]
    assert log_in(factor.app.code()).email == ALICE
    settings.SECRET_KEY_FALLBACKS = []
    factor.clock.on(steps=1)
    assert log_in(factor.app.code()).email == ALICE
    sealed = bytes(stored_account(alice.account_id)["secrets"]["totp"])
    assert sealing.is_current(sealed, purpose=codes.PURPOSE, owner=str(alice.account_id))


def test_one_whose_key_is_lost_opens_for_nobody(factor: Factor, settings: LazySettings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a later secret key " * 4, []
    assert (refused(log_in, otp="000000").status, refused(log_in, otp=None).code) == (503, "otp_required")


def test_the_operator_seals_all_anew_before_an_earlier_key_goes(factor: Factor, settings: LazySettings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a later secret key " * 4, [settings.SECRET_KEY]
    told = StringIO()
    call_command("reseal", stdout=told)
    assert told.getvalue() == "1 second factors were sealed anew.\n"
    settings.SECRET_KEY_FALLBACKS = []
    assert codes.reseal_all() == 0
    assert log_in(factor.app.code()).email == ALICE
    assert log_in(factor.recovery_codes[0]).email == ALICE
