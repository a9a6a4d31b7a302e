"""Passkeys at a browser, by Django's client: what a person's own browser sends for them is made here."""

import json
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from django.conf import settings as portal
from django.test import Client
from pytest_django import Settings

from accounts.factors import pending
from accounts.tokens import now
from orgportal import database
from tests.accounts.factors.apps import App, Clock
from tests.accounts.factors.test_second_factor_pages import CODES, KEY, forget_the_password, with_password
from tests.accounts.passkeys.adding import AUTH, PASSKEYS
from tests.accounts.passkeys.authenticator import HONEST, Authenticator, Held, Json, Lies, lying
from tests.accounts.passkeys.showing import options_alone, options_at_code
from tests.answers import Answer
from tests.remembered import recall
from tests.visitors import signed_up, text_of

NEW = "/account/security/passkeys/new"
REFUSED = "This passkey was not accepted, or it took too long. Try again."


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def browser(device: Authenticator) -> Client:
    """Alice's browser; her passkey is in `device`."""
    client = signed_up()

    def with_passkey() -> tuple[SimpleCookie, list[Held]]:
        assert CODES.findall(add(client, device).content.decode())
        return client.cookies, device.held

    client.cookies, device.held = recall(("alice's passkey by pages",), with_passkey)
    return client


def as_form(credential: Json, **more: str) -> dict[str, str]:
    return {"credential": json.dumps(credential), **more}


def add(client: Client, device: Authenticator, *, name: str = "Phone", lies: Lies = HONEST) -> Answer:
    options = client.post(f"{PASSKEYS}/options").json()["publicKey"]
    return client.post(NEW, as_form(device.create(options, lies), name=name))


def at_code(device: Authenticator, lies: Lies = HONEST) -> tuple[Client, Answer]:
    """A browser whose login waits, and the answer to the passkey that it shows."""
    fresh = Client()
    assert with_password(fresh, next="/settings") == "/login/code"
    return fresh, fresh.post("/login/code/passkey", as_form(device.get(options_at_code(fresh), lies)))


def proved_by() -> str:
    """By what the audit says that the last login was proved."""
    [last] = database.collection("audit").find({"action": "login.succeeded"}).sort("_id", -1).limit(1)
    return str(last["details"]["by"])


def test_the_first_passkey_leads_to_the_recovery_codes_and_the_next_one_does_not(device: Authenticator) -> None:
    client = signed_up()
    shown = add(client, device)
    assert len(CODES.findall(shown.content.decode())) == 10
    assert client.get("/dashboard").status_code == 200
    assert add(client, Authenticator(synced=True), name="Key")["Location"] == "/account/security"
    page = text_of(client.get("/account/security"))
    assert "Phone added" in page
    assert "synced between devices" in page
    assert "10 of 10" in page


def test_a_login_goes_on_with_the_passkey_as_it_was_begun(browser: Client, device: Authenticator) -> None:
    fresh, answer = at_code(device)
    assert (answer.status_code, answer["Location"]) == (302, "/settings")
    assert proved_by() == "password and passkey"
    assert fresh.get("/settings").status_code == 200
    assert "used " in text_of(fresh.get("/account/security"))


def test_a_wrong_one_is_said_on_the_page_and_the_login_goes_on_waiting(browser: Client, device: Authenticator) -> None:
    fresh, answer = at_code(device, lying(tampered=True))
    assert answer.status_code == 422
    assert REFUSED in text_of(answer)
    assert "Recovery code" in text_of(answer)
    assert portal.SESSION_COOKIE_NAME not in fresh.cookies
    again = fresh.post("/login/code/passkey", as_form(device.get(options_at_code(fresh))))
    assert again["Location"] == "/settings"


def test_the_challenge_of_a_waiting_login_is_for_its_browser(browser: Client, device: Authenticator) -> None:
    one, other = Client(), Client()
    with_password(one)
    with_password(other)
    credential = device.get(options_at_code(one))
    assert other.post("/login/code/passkey", as_form(credential)).status_code == 422
    assert one.post("/login/code/passkey", as_form(credential))["Location"] == "/dashboard"
    # A second click on the same: the login is done.
    assert one.post("/login/code/passkey", as_form(credential))["Location"] == "/dashboard"
    assert Client().post("/login/code/passkey", as_form(credential))["Location"] == "/login"
    assert Client().post("/login/code/passkey/options").status_code == 409


def test_an_anonymous_challenge_is_no_second_step(browser: Client, device: Authenticator) -> None:
    fresh = Client()
    with_password(fresh)
    answer = fresh.post("/login/code/passkey", as_form(device.get(options_alone())))
    assert (answer.status_code, REFUSED in text_of(answer)) == (422, True)


def test_a_recovery_code_stands_in_for_a_passkey(device: Authenticator) -> None:
    client = signed_up()
    codes = CODES.findall(add(client, device).content.decode())
    fresh = Client()
    with_password(fresh)
    page = text_of(fresh.get("/login/code"))
    assert "Show that it is you" in page
    assert "Six digits" not in page
    assert fresh.post("/login/code", {"otp": "123456"}).status_code == 422
    assert fresh.post("/login/code", {"otp": codes[0]})["Location"] == "/dashboard"
    assert fresh.post("/sudo", {"password": "violet kettle under the stairs", "otp": codes[1]}).status_code == 302


def test_from_the_page_of_the_login_it_is_enough_alone(browser: Client, device: Authenticator) -> None:
    fresh = Client()
    form = as_form(device.get(options_alone()), next="/members", remembered="on")
    answer = fresh.post("/login/passkey", form)
    assert (answer.status_code, answer["Location"]) == (302, "/members")
    assert proved_by() == "passkey"
    assert fresh.cookies[portal.SESSION_COOKIE_NAME]["max-age"]
    again = Client().post("/login/passkey", form)
    assert (again.status_code, REFUSED in text_of(again)) == (422, True)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"id": {"$ne": null}}', "x" * 100_000, '{"a": 1, "a": 2}'])
def test_what_is_no_passkey_is_said_on_every_page(browser: Client, text: str) -> None:
    said = "Your browser has sent no passkey."
    fresh = Client()
    with_password(fresh)
    for client, path in ((Client(), "/login/passkey"), (fresh, "/login/code/passkey"), (browser, "/sudo/passkey")):
        answer = client.post(path, {"credential": text})
        assert (answer.status_code, said in text_of(answer)) == (422, True), path
    answer = browser.post(NEW, {"credential": text, "name": "Phone"})
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_a_wrong_new_one_is_said_and_the_name_stays(browser: Client) -> None:
    answer = add(browser, Authenticator(), name="My key", lies=lying(origin="https://evil.example"))
    assert answer.status_code == 422
    assert "This passkey cannot be used here." in text_of(answer)
    assert 'value="My key"' in answer.content.decode()


def test_sudo_is_asked_for_and_given_by_the_passkey(browser: Client, device: Authenticator) -> None:
    forget_the_password(browser)
    assert browser.get(NEW)["Location"] == f"/sudo?next={NEW}"
    options = browser.post(f"{AUTH}/sudo/passkey/options").json()["publicKey"]
    wrong = browser.post("/sudo/passkey", as_form(device.get(options, lying(verified=False)), next=NEW))
    assert (wrong.status_code, REFUSED in text_of(wrong)) == (422, True)
    options = browser.post(f"{AUTH}/sudo/passkey/options").json()["publicKey"]
    assert browser.post("/sudo/passkey", as_form(device.get(options), next=NEW))["Location"] == NEW
    assert browser.get(NEW).status_code == 200


def test_it_is_renamed_and_removed(browser: Client, device: Authenticator) -> None:
    [passkey] = browser.get(PASSKEYS).json()["items"]
    own = f"/account/security/passkeys/{passkey['id']}"
    assert browser.post(own, {"name": " "}).status_code == 422
    assert browser.post(own, {"name": "Old <phone>"})["Location"] == "/account/security"
    asked = browser.get(f"{own}/remove")
    assert "It is your only second factor" in text_of(asked)
    assert "Old &lt;phone&gt;" in asked.content.decode()
    assert browser.post(f"{own}/remove")["Location"] == "/account/security"
    assert browser.post(f"{own}/remove").status_code == 404
    assert "It is off" in text_of(browser.get("/account/security"))


def test_somebody_elses_is_not_found(browser: Client) -> None:
    [passkey] = browser.get(PASSKEYS).json()["items"]
    stranger = signed_up("Umbrella", "charlie@example.com")
    own = f"/account/security/passkeys/{passkey['id']}"
    assert stranger.get(own).status_code == stranger.post(own, {"name": "Mine"}).status_code == 404
    assert stranger.get(f"{own}/remove").status_code == stranger.post(f"{own}/remove").status_code == 404


def test_an_app_beside_it_comes_and_goes_and_the_codes_stay(
    browser: Client, device: Authenticator, clock: Clock
) -> None:
    browser.post("/account/security/begin")
    key = KEY.search(browser.get("/account/security/setup").content.decode())
    assert key
    app = App(key[1].replace(" ", ""), clock)
    assert browser.post("/account/security/setup", {"otp": app.code()})["Location"] == "/account/security"
    clock.on(steps=1)
    fresh = Client()
    with_password(fresh)
    assert "Six digits of your authenticator app" in text_of(fresh.get("/login/code"))
    assert fresh.post("/login/code", {"otp": app.code()})["Location"] == "/dashboard"
    removed = browser.post("/account/security/off", follow=True)
    assert "The authenticator app is removed." in text_of(removed)
    assert "10 of 10" in text_of(removed)
    assert "Your account has no authenticator app." in text_of(browser.post("/account/security/off", follow=True))
    assert at_code(device)[1]["Location"] == "/settings"


def test_a_passkey_beside_an_app_comes_and_goes_and_the_codes_stay(device: Authenticator, clock: Clock) -> None:
    client = signed_up()
    client.post("/account/security/begin")
    key = KEY.search(client.get("/account/security/setup").content.decode())
    assert key
    app = App(key[1].replace(" ", ""), clock)
    client.post("/account/security/setup", {"otp": app.code()})
    assert add(client, device)["Location"] == "/account/security"
    [passkey] = client.get(PASSKEYS).json()["items"]
    client.post(f"/account/security/passkeys/{passkey['id']}/remove")
    account = database.collection("accounts").find_one({"email": "alice@example.com"})
    assert account is not None
    assert "passkeys" not in account["secrets"]
    assert "10 of 10" in text_of(client.get("/account/security"))


def test_a_login_that_somebody_else_has_finished_meanwhile_is_begun_again(
    browser: Client, device: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = pending.end

    def overtaken(waiting: pending.PendingLogin) -> bool:
        assert end(waiting)
        return end(waiting)

    monkeypatch.setattr(pending, "end", overtaken)
    fresh, answer = at_code(device)
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/login")
    assert portal.SESSION_COOKIE_NAME not in fresh.cookies
    assert fresh.get("/dashboard").status_code == 302


def test_a_login_that_waited_too_long_is_begun_again(browser: Client, device: Authenticator) -> None:
    fresh = Client()
    with_password(fresh)
    credential = device.get(options_at_code(fresh))
    past = {"expires_at": now() - timedelta(seconds=1)}
    database.collection("pending_logins").update_many({}, {"$set": past})
    assert fresh.post("/login/code/passkey", as_form(credential))["Location"] == "/login"


def test_where_there_are_no_passkeys_none_are_offered(browser: Client, settings: Settings) -> None:
    settings.SITE_URL = "http://127.0.0.1:8000"
    fresh = Client()
    assert "passkey" not in fresh.get("/login").content.decode()
    with_password(fresh)
    page = fresh.get("/login/code").content.decode()
    assert "Use your passkey" not in page
    assert "Recovery code" in page
    assert "This portal does not offer passkeys at present." in text_of(browser.get("/account/security"))
    assert browser.get(NEW)["Location"] == "/account/security"
    assert "Add a passkey" not in text_of(signed_up("Umbrella", "c@example.com").get("/account/security"))
