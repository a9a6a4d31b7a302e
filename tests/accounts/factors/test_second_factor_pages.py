"""The second factor at a browser: the second step of a login, the set-up, the password again."""

import re
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from django.conf import settings
from django.test import Client

from accounts import cookies
from accounts.factors import totp
from accounts.tokens import now
from orgportal import database
from tests.accounts.factors.apps import App, Clock
from tests.remembered import recall
from tests.visitors import PASSWORD, field_error, signed_up, text_of, value_of

EMAIL = "alice@example.com"
CODES = re.compile(r"<code>([0-9a-z]{4}(?:-[0-9a-z]{4}){5})</code>")
KEY = re.compile(r'id="totp-key">([A-Z2-7 ]+)<')


def forget_the_password(client: Client) -> None:
    """The password was entered long ago, in every session."""
    past = {"sudo_until": now() - timedelta(seconds=1)}
    assert database.collection("sessions").update_many({}, {"$set": past}).matched_count


def set_up(client: Client, clock: Clock) -> tuple[App, list[str]]:
    """Switch the second factor on as a person does; the app, and the recovery codes that were shown."""

    def by_pages() -> tuple[str, list[str], SimpleCookie]:
        assert client.post("/account/security/begin")["Location"] == "/account/security/setup"
        page = client.get("/account/security/setup")
        found = KEY.search(page.content.decode())
        assert found
        secret = found[1].replace(" ", "")
        shown = client.post("/account/security/setup", {"otp": App(secret, clock).code()})
        assert shown.status_code == 200, text_of(shown)
        return secret, CODES.findall(shown.content.decode()), client.cookies

    # The code of a step is used up by it.
    secret, codes, client.cookies = recall(("a second factor by pages", totp.step_of(clock())), by_pages)
    clock.on(steps=1)
    return App(secret, clock), codes


def with_password(client: Client, **more: str) -> str:
    """Where the first step of a login leads."""
    response = client.post("/login", {"email": EMAIL, "password": PASSWORD, **more})
    assert response.status_code == 302, text_of(response)
    return response["Location"]


def test_a_person_switches_it_on_and_logs_in_with_a_code(clock: Clock) -> None:
    client = signed_up()
    app, codes = set_up(client, clock)
    assert len(codes) == 10
    assert client.get("/dashboard").status_code == 200
    fresh = Client()
    assert with_password(fresh, next="/settings") == "/login/code"
    assert settings.SESSION_COOKIE_NAME not in fresh.cookies
    assert fresh.get("/dashboard").status_code == 302
    wrong = fresh.post("/login/code", {"otp": "000000"})
    assert (wrong.status_code, field_error(wrong, "otp")) == (
        422, "This code is not right, was used before, or is out of date."
    )  # fmt: skip
    right = fresh.post("/login/code", {"otp": f" {app.code()[:3]} {app.code()[3:]} "})
    assert (right.status_code, right["Location"]) == (302, "/settings")
    assert fresh.get("/settings").status_code == 200


def test_a_recovery_code_logs_in_as_well_and_is_counted_down(clock: Clock) -> None:
    client = signed_up()
    _, codes = set_up(client, clock)
    fresh = Client()
    with_password(fresh)
    assert fresh.post("/login/code", {"otp": codes[0]})["Location"] == "/dashboard"
    assert "9 of 10" in text_of(fresh.get("/account/security"))


def test_the_second_step_belongs_to_the_browser_of_the_first(clock: Clock) -> None:
    app, _ = set_up(signed_up(), clock)
    with_password(Client())
    other = Client()
    assert other.post("/login/code", {"otp": app.code()})["Location"] == "/login"
    assert settings.SESSION_COOKIE_NAME not in other.cookies


def test_the_second_step_is_taken_within_ten_minutes(clock: Clock) -> None:
    app, _ = set_up(signed_up(), clock)
    client = Client()
    with_password(client)
    past = {"expires_at": now() - timedelta(seconds=1)}
    database.collection("pending_logins").update_many({}, {"$set": past})
    assert client.get("/login/code")["Location"] == "/login"
    assert client.post("/login/code", {"otp": app.code()})["Location"] == "/login"


def test_a_second_step_opens_one_session(clock: Clock) -> None:
    app, _ = set_up(signed_up(), clock)
    client = Client()
    with_password(client)
    waiting = client.cookies[cookies.WAITING].value
    assert client.post("/login/code", {"otp": app.code()})["Location"] == "/dashboard"
    clock.on(steps=1)
    again = Client()
    again.cookies[cookies.WAITING] = waiting
    assert again.post("/login/code", {"otp": app.code()})["Location"] == "/login"


def test_the_cookie_of_the_second_step_is_no_session_and_is_well_kept(clock: Clock) -> None:
    set_up(signed_up(), clock)
    client = Client()
    with_password(client)
    cookie = client.cookies[cookies.WAITING]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 600)
    assert database.collection("pending_logins").find_one({"_id": cookie.value}) is None
    client.cookies[settings.SESSION_COOKIE_NAME] = cookie.value
    assert client.get("/dashboard").status_code == 302


def test_a_wrong_password_leads_to_no_second_step(clock: Clock) -> None:
    set_up(signed_up(), clock)
    client = Client()
    response = client.post("/login", {"email": EMAIL, "password": "not the password"})
    assert response.status_code == 422
    assert cookies.WAITING not in client.cookies


def test_a_browser_that_logged_in_is_remembered_as_a_device(clock: Clock) -> None:
    signed_up()
    client = Client()
    with_password(client)
    cookie = client.cookies[cookies.DEVICE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert EMAIL not in cookie.value
    for _ in range(11):
        Client().post("/login", {"email": EMAIL, "password": "not the password"})
    # This network logged in before, and its attempts are used up as well; the browser has its own.
    assert Client().post("/login", {"email": EMAIL, "password": PASSWORD}).status_code == 429
    assert with_password(client) == "/dashboard"


@pytest.mark.parametrize("forged", ["", "a", "a:b:c", "WyJhIl0:1abcde:xxxx", "9" * 3000])
def test_a_forged_device_is_none(forged: str) -> None:
    signed_up()
    client = Client()
    client.cookies[cookies.DEVICE] = forged
    assert with_password(client) == "/dashboard"


def test_too_many_wrong_codes_are_refused_with_the_time_to_wait(clock: Clock) -> None:
    set_up(signed_up(), clock)
    client = Client()
    with_password(client)
    answers = [client.post("/login/code", {"otp": "000000"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) > 800


def test_the_set_up_page_shows_a_qr_code_and_the_key_and_is_kept_nowhere(clock: Clock) -> None:
    client = signed_up()
    client.post("/account/security/begin")
    page = client.get("/account/security/setup")
    body = page.content.decode()
    assert "<svg" in body
    assert 'class="qr-code"' in body
    assert page["Cache-Control"] == "no-store"
    found = KEY.search(body)
    assert found
    assert found[1].replace(" ", "") == re.sub(r"\s", "", found[1])


def test_without_a_set_up_there_is_nothing_to_confirm() -> None:
    client = signed_up()
    assert client.get("/account/security/setup")["Location"] == "/account/security"
    assert client.post("/account/security/setup", {"otp": "123456"})["Location"] == "/account/security"


def test_switching_it_off_says_so(clock: Clock) -> None:
    client = signed_up()
    set_up(client, clock)
    assert client.post("/account/security/off")["Location"] == "/account/security"
    assert "The second factor is off." in text_of(client.get("/account/security"))
    assert "Your account has no second factor." in text_of(client.post("/account/security/off", follow=True))


def test_new_recovery_codes_are_shown_once(clock: Clock) -> None:
    client = signed_up()
    _, earlier = set_up(client, clock)
    shown = CODES.findall(client.post("/account/security/codes").content.decode())
    assert len(shown) == 10
    assert not set(shown) & set(earlier)
    assert CODES.findall(client.get("/account/security").content.decode()) == []


@pytest.mark.parametrize("path", ["/account/security/begin", "/account/security/off", "/account/security/codes"])
def test_a_change_leads_to_the_password_and_back_to_the_page(path: str) -> None:
    client = signed_up()
    forget_the_password(client)
    response = client.post(path, headers={"Referer": "http://testserver/account/security"})
    assert response["Location"] == "/sudo?next=/account/security"
    page = client.get(response["Location"])
    assert value_of(page, "next") == "/account/security"
    wrong = client.post("/sudo", {"password": "not the password", "next": "/account/security"})
    assert (wrong.status_code, field_error(wrong, "password")) == (422, "This is not your password.")
    right = client.post("/sudo", {"password": PASSWORD, "next": "/account/security"})
    assert right["Location"] == "/account/security"
    assert "/sudo" not in client.post(path).get("Location", "")


@pytest.mark.parametrize("foreign", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_the_password_never_leads_away_from_the_portal(foreign: str) -> None:
    client = signed_up()
    assert value_of(client.get("/sudo", {"next": foreign}), "next") == ""
    assert client.post("/sudo", {"password": PASSWORD, "next": foreign})["Location"] == "/account/security"


def test_a_referer_from_elsewhere_leads_nowhere() -> None:
    client = signed_up()
    forget_the_password(client)
    response = client.post("/account/security/off", headers={"Referer": "https://evil.example/account"})
    assert response["Location"] == "/sudo?next=/account/security/off"


def test_with_a_second_factor_the_password_page_wants_a_code_as_well(clock: Clock) -> None:
    client = signed_up()
    app, _ = set_up(client, clock)
    forget_the_password(client)
    assert 'name="otp"' in client.get("/sudo").content.decode()
    assert field_error(client.post("/sudo", {"password": PASSWORD}), "otp") == "This field is required."
    assert client.post("/sudo", {"password": PASSWORD, "otp": app.code()}).status_code == 302


def test_the_first_code_does_not_switch_it_on_when_it_is_wrong(clock: Clock) -> None:
    client = signed_up()
    client.post("/account/security/begin")
    refused = client.post("/account/security/setup", {"otp": "000000"})
    assert refused.status_code == 422
    assert "This code is not right." in field_error(refused, "otp")
    assert totp.new_secret() not in refused.content.decode()
    assert "It is off" in text_of(client.get("/account/security"))
