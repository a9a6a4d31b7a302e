"""One's own sessions: seen in plain words, ended one by one or all others at once, remembered when asked to."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.test import Client
from pytest_django import Settings

from accounts.tokens import now
from orgportal import database
from tests.accounts.cast import PASSWORD, a_session, an_account, an_organization, by_cookie, by_token, tokens_of
from tests.scripts import Script, body_of, problem_of
from tests.visitors import text_of

ALICE = "alice@example.org"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
SESSIONS = "/api/v1/auth/sessions"
COOKIE = "orgportal_session"


@pytest.fixture
def acme() -> ObjectId:
    org_id = an_organization("acme", name="Acme")
    an_account(ALICE, org_id)
    return org_id


def logged_in(agent: str = FIREFOX, **form: Any) -> Client:
    """A browser in which alice has just logged in."""
    browser = Client(headers={"User-Agent": agent})
    answer = browser.post("/login", {"email": ALICE, "password": PASSWORD, **form})
    assert answer.status_code == 302, text_of(answer)
    return browser


def listed(caller: Script | Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body_of(caller.get(SESSIONS))["items"]
    return found


def test_sessions_are_shown_with_device_place_and_time_the_newest_first(acme: ObjectId) -> None:
    logged_in()
    phone = logged_in(PHONE)
    script = Script(tokens_of(ALICE).access_token)
    token, second, first = listed(script)
    assert [one["kind"] for one in (token, second, first)] == ["token", "session", "session"]
    assert [one["is_current"] for one in (token, second, first)] == [True, False, False]
    assert [second["device"], first["device"]] == ["Safari on iOS", "Firefox on Linux"]
    assert (first["address"], first["organization"]) == ("127.0.0.1", "Acme")
    assert [one["is_current"] for one in listed(phone)] == [False, True, False]


def test_an_id_says_nothing_about_the_credential(acme: ObjectId) -> None:
    browser = logged_in()
    stored = database.collection("sessions").find_one({})
    assert stored is not None
    (one,) = listed(browser)
    assert one["id"] not in stored["_id"]
    assert len(one["id"]) == 24


def test_a_session_that_is_ended_is_refused_at_its_next_request(acme: ObjectId) -> None:
    lost, kept = logged_in(PHONE), logged_in()
    (mine, other) = listed(kept)
    assert (mine["is_current"], other["device"]) == (True, "Safari on iOS")
    answer = kept.post(f"/account/sessions/{other['id']}/end", follow=True)
    assert "The session has ended." in text_of(answer)
    assert lost.get("/dashboard").headers["Location"].startswith("/login")
    assert [one["id"] for one in listed(kept)] == [mine["id"]]


def test_a_family_of_tokens_ends_with_every_token_of_it(acme: ObjectId) -> None:
    pair, script = tokens_of(ALICE), Script(tokens_of(ALICE).access_token)
    other = next(one for one in listed(script) if not one["is_current"])
    assert script.delete(f"{SESSIONS}/{other['id']}").status_code == 204
    assert by_token(pair.access_token) is None
    refused = Script().post("/api/v1/auth/refresh", {"refresh_token": pair.refresh_token})
    assert problem_of(refused) == (401, "invalid_token")
    assert script.get("/api/v1/auth/me").status_code == 200


def test_ending_the_own_session_is_logging_out(acme: ObjectId) -> None:
    browser = logged_in()
    (mine,) = listed(browser)
    answer = browser.post(f"/account/sessions/{mine['id']}/end")
    assert (answer.headers["Location"], answer.cookies[COOKIE].value) == ("/", "")
    script = Script(tokens_of(ALICE).access_token)
    assert script.delete(f"{SESSIONS}/{listed(script)[0]['id']}").status_code == 204
    assert problem_of(script.get("/api/v1/auth/me")) == (401, "unauthenticated")


def test_all_others_end_at_once_everywhere(acme: ObjectId) -> None:
    second = an_organization("second")
    database.collection("accounts").update_one(
        {}, {"$push": {"memberships": {"org_id": second, "role": "viewer", "joined_at": now()}}}
    )
    elsewhere, pair = a_session(ALICE, slug="second"), tokens_of(ALICE, slug="acme")
    undecided = a_session(ALICE)
    script = Script(tokens_of(ALICE, slug="acme").access_token)
    answer = script.delete(SESSIONS)
    assert (answer.status_code, body_of(answer)) == (200, {"ended": 3})
    assert [by_cookie(elsewhere), by_cookie(undecided), by_token(pair.access_token)] == [None, None, None]
    assert [one["is_current"] for one in listed(script)] == [True]


def test_what_has_run_out_is_not_shown(acme: ObjectId) -> None:
    script = Script(tokens_of(ALICE).access_token)
    for change in (
        {"expires_at": now()},
        {"idle_until": now()},
        {"generation": 7},
        {"org_id": ObjectId()},
    ):
        secret = a_session(ALICE)
        database.collection("sessions").update_one({"kind": "session"}, {"$set": change})
        assert by_cookie(secret) is None
        assert [one["kind"] for one in listed(script)] == ["token"]
        database.collection("sessions").delete_many({"kind": "session"})


def test_nobody_sees_or_ends_the_sessions_of_others(acme: ObjectId) -> None:
    an_account("bob@example.org", acme)
    bobs = Script(tokens_of("bob@example.org").access_token)
    alices = Script(tokens_of(ALICE).access_token)
    (one,) = listed(bobs)
    assert [other["id"] for other in listed(alices)] != [one["id"]]
    assert problem_of(alices.delete(f"{SESSIONS}/{one['id']}")) == (404, "not_found")
    assert bobs.get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize("session_id", ["x", "0" * 24, "0" * 64, "%24ne", "%00"])
def test_an_id_that_no_session_has_is_404(acme: ObjectId, session_id: str) -> None:
    browser = logged_in()
    assert Script(tokens_of(ALICE).access_token).delete(f"{SESSIONS}/{session_id}").status_code == 404
    assert browser.post(f"/account/sessions/{session_id}/end").status_code == 404


def test_pages_of_sessions_go_on_where_the_last_one_ended(acme: ObjectId) -> None:
    for _ in range(4):
        a_session(ALICE)
    script = Script(tokens_of(ALICE).access_token)
    found, cursor = [], ""
    for _ in range(3):
        page = body_of(script.get(f"{SESSIONS}?limit=2{cursor}"))
        found += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(found, reverse=True)
    assert (len(set(found)), page["next_cursor"]) == (5, None)


def test_a_session_is_shown_where_it_was_used_last(acme: ObjectId) -> None:
    browser = logged_in()
    database.collection("sessions").update_one({}, {"$set": {"seen_at": now() - timedelta(minutes=2)}})
    browser.get("/account", headers={"User-Agent": PHONE}, REMOTE_ADDR="203.0.113.7")
    (one,) = listed(browser)
    assert (one["device"], one["address"]) == ("Safari on iOS", "203.0.113.7")


# Staying logged in


def test_without_a_wish_the_browser_forgets_the_session_when_it_is_closed(acme: ObjectId) -> None:
    browser = logged_in()
    cookie = browser.cookies[COOKIE]
    assert (cookie["max-age"], cookie["expires"]) == ("", "")
    assert [one["is_remembered"] for one in listed(browser)] == [False]


def test_a_session_that_is_to_stay_outlives_the_browser(acme: ObjectId, settings: Settings) -> None:
    browser = logged_in(remembered="on")
    assert browser.cookies[COOKIE]["max-age"] == settings.REMEMBERED_ABSOLUTE_SECONDS
    row = database.collection("sessions").find_one({})
    assert row is not None
    assert row["idle_until"] - row["seen_at"] == timedelta(seconds=settings.REMEMBERED_IDLE_SECONDS)
    assert row["expires_at"] - row["created_at"] == timedelta(seconds=settings.REMEMBERED_ABSOLUTE_SECONDS)
    assert [one["is_remembered"] for one in listed(browser)] == [True]


def test_a_session_goes_on_as_it_began(acme: ObjectId, settings: Settings) -> None:
    """Through its use, the choice of another organization, and a new password."""
    browser = logged_in(remembered="on")
    past = now() - timedelta(hours=1)
    database.collection("sessions").update_one(
        {}, {"$set": {"seen_at": past, "idle_until": now() + timedelta(hours=1)}}
    )
    browser.get("/account")
    row = database.collection("sessions").find_one({})
    assert row is not None
    assert row["idle_until"] > now() + timedelta(seconds=settings.REMEMBERED_IDLE_SECONDS - 60)
    chosen = browser.post("/choose", {"slug": "acme"})
    assert chosen.cookies[COOKIE]["max-age"] == settings.REMEMBERED_ABSOLUTE_SECONDS
    new = "slow rivers carve canyons"
    changed = browser.post("/account", {"current": PASSWORD, "password": new, "repeat": new})
    assert changed.cookies[COOKIE]["max-age"] == settings.REMEMBERED_ABSOLUTE_SECONDS


def test_a_cookie_that_calls_itself_remembered_is_not_for_that(acme: ObjectId) -> None:
    secret = a_session(ALICE)
    assert by_cookie(secret) is not None
    assert by_cookie(f"r.{secret}") is None
