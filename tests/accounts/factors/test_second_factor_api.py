"""The second factor over the API: `otp` at the login, set-up, recovery codes, the password again."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.tokens import now
from orgportal import database
from tests.accounts.factors.apps import App, Clock
from tests.scripts import PASSWORD, Script, body_of, log_in, problem_of, sign_up, wrong_paths

FACTOR = "/api/v1/auth/second-factor"
EMAIL = "owner@acme.example"


@pytest.fixture
def script() -> Script:
    """Acme's owner, logged in."""
    sign_up("Acme")
    return log_in(EMAIL)


def set_up(script: Script, clock: Clock) -> tuple[App, list[str]]:
    begun = script.post(FACTOR)
    assert begun.status_code == 201, begun.content
    app = App(body_of(begun)["secret"], clock)
    confirmed = script.post(f"{FACTOR}/confirm", {"otp": app.code()})
    assert confirmed.status_code == 200, confirmed.content
    clock.on(steps=1)
    return app, body_of(confirmed)["recovery_codes"]


def login(**more: Any) -> Any:
    return Script().post("/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD, **more})


def test_a_login_wants_the_code_after_a_right_password_only(script: Script, clock: Clock) -> None:
    app, codes = set_up(script, clock)
    assert problem_of(login()) == (401, "otp_required")
    assert problem_of(login(otp="000000")) == (401, "invalid_otp")
    assert problem_of(login(password="not the password")) == (401, "invalid_credentials")
    assert problem_of(login(password="not the password", otp=app.code())) == (401, "invalid_credentials")
    assert login(otp=app.code()).status_code == 200
    assert problem_of(login(otp=app.code())) == (401, "invalid_otp")
    assert login(otp=codes[0]).status_code == 200
    assert problem_of(login(otp=codes[0])) == (401, "invalid_otp")


def test_the_token_that_switches_it_on_stays_and_all_others_end(script: Script, clock: Clock) -> None:
    other = log_in(EMAIL)
    set_up(script, clock)
    assert script.get("/api/v1/auth/me").status_code == 200
    assert problem_of(other.get("/api/v1/auth/me")) == (401, "unauthenticated")


def test_it_says_how_it_stands(script: Script, clock: Clock) -> None:
    assert body_of(script.get(FACTOR)) == {
        "enabled": False, "since": None, "totp": False, "passkeys": 0, "recovery_codes_left": 0
    }  # fmt: skip
    _, codes = set_up(script, clock)
    login(otp=codes[0])
    found = body_of(script.get(FACTOR))
    assert (found["enabled"], found["recovery_codes_left"]) == (True, 9)
    assert len(body_of(script.post(f"{FACTOR}/recovery-codes"))["recovery_codes"]) == 10
    assert body_of(script.get(FACTOR))["recovery_codes_left"] == 10
    assert script.post(f"{FACTOR}/remove").status_code == 204
    assert body_of(script.get(FACTOR))["enabled"] is False
    assert login().status_code == 200


def test_changes_want_the_password_again_after_a_while(script: Script, clock: Clock) -> None:
    past = {"sudo_until": now() - timedelta(seconds=1)}
    database.collection("sessions").update_many({}, {"$set": past})
    for path in (FACTOR, f"{FACTOR}/remove", f"{FACTOR}/recovery-codes"):
        assert problem_of(script.post(path)) == (403, "sudo_required"), path
    assert wrong_paths(script.post("/api/v1/auth/sudo", {"password": "not the password"})) == ["password"]
    answer = script.post("/api/v1/auth/sudo", {"password": PASSWORD})
    assert answer.status_code == 200
    assert body_of(answer)["sudo_until"] > now().isoformat()[:19]
    app, _ = set_up(script, clock)
    assert wrong_paths(script.post("/api/v1/auth/sudo", {"password": PASSWORD})) == ["otp"]
    assert script.post("/api/v1/auth/sudo", {"password": PASSWORD, "otp": app.code()}).status_code == 200


def test_repeated_with_its_key_a_confirmation_shows_the_same_codes(script: Script, clock: Clock) -> None:
    app = App(body_of(script.post(FACTOR))["secret"], clock)
    answers = [
        script.post(f"{FACTOR}/confirm", {"otp": app.code()}, Idempotency_Key="one and the same".replace(" ", "-"))
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert len(body_of(answers[1])["recovery_codes"]) == 10


def test_too_many_guesses_are_429_with_the_seconds_to_wait(script: Script) -> None:
    answers = [login(password=f"wrong password {turn}") for turn in range(11)]
    assert [problem_of(answer) for answer in answers[:10]] == [(401, "invalid_credentials")] * 10
    assert problem_of(answers[10]) == (429, "too_many_attempts")
    assert 890 <= int(answers[10]["Retry-After"]) <= 900
    unknown = [
        Script().post("/api/v1/auth/login", {"email": "nobody@acme.example", "password": f"wrong {turn}"})
        for turn in range(11)
    ]
    assert [answer.status_code for answer in unknown] == [401] * 10 + [429]
    assert body_of(unknown[10]).keys() == body_of(answers[10]).keys()


@pytest.mark.parametrize("otp", [7, None, True, {"$ne": ""}, ["123456"], "1" * 101])
def test_a_code_of_another_type_is_refused(script: Script, otp: Any) -> None:
    assert login(otp=otp).status_code == 422
    assert script.post(f"{FACTOR}/confirm", {"otp": otp}).status_code == 422
