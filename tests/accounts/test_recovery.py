"""A forgotten password: nothing tells who has an account, a link works once, and everything old ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.http import HttpResponse

from accounts import links, recovery, service
from accounts.api_keys import service as api_keys
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from orgportal.logs import clean
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    by_token,
    change_account,
    somebody,
    stored_account,
    tokens_of,
)
from tests.accounts.commands import Commands
from tests.accounts.mailed import a_reset_token
from tests.accounts.post import link_to, mails_to, only_mail_to, token_to
from tests.scripts import Script, client, problem_of
from tests.visitors import text_of

pytestmark = pytest.mark.usefixtures("own_outbox")
ALICE = "alice@example.org"


@pytest.fixture
def alice() -> ObjectId:
    return an_account(ALICE, an_organization("acme"))


def post(path: str, form: dict[str, str]) -> HttpResponse:
    response = client(enforce_csrf_checks=False).post(path, form)
    assert isinstance(response, HttpResponse)
    return response


def refused(token: str, password: str = NEW_PASSWORD) -> str:
    with pytest.raises(PortalError) as refusal:
        recovery.reset(token=token, password=password)
    return refusal.value.code


def test_a_forgotten_password_is_replaced_by_mail(alice: ObjectId) -> None:
    assert post("/password/forgot", {"email": " Alice@Example.org "})["Location"] == "/password/sent"
    mail = only_mail_to(ALICE)
    assert mail.subject == "Reset your password"
    path = link_to(ALICE)
    page = client().get(path)
    assert page.status_code == 200
    assert ALICE in text_of(page)
    done = post(path, {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD})
    assert (done.status_code, done["Location"]) == (302, "/login")
    assert service.log_in(email=ALICE, password=NEW_PASSWORD).account_id == alice
    with pytest.raises(PortalError):
        service.log_in(email=ALICE, password=PASSWORD)


def test_the_link_is_the_sites_own_whatever_host_was_asked(alice: ObjectId, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "evil.example"]
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    response = client(enforce_csrf_checks=False).post("/password/forgot", {"email": ALICE}, headers=headers)
    assert response.status_code == 302
    mail = only_mail_to(ALICE)
    assert "evil" not in mail.path.read_text(encoding="utf-8")
    assert mail.link.startswith("http://testserver/password/reset/")


@pytest.mark.parametrize("way", ["page", "API"])
def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
    alice: ObjectId, commands: Commands, way: str
) -> None:
    answers, work = [], []
    for address in (ALICE, "nobody@example.org"):
        commands.forget()
        if way == "page":
            answer = post("/password/forgot", {"email": address})
        else:
            answer = Script().post("/api/v1/auth/password/forgot", {"email": address})
        answers.append((answer.status_code, answer.content, answer.headers.get("Location")))
        work.append([f"{name} {sent[name]}" for name, sent in zip(commands.names, commands.sent, strict=True)])
    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert "find accounts" not in work[0]
    assert mails_to("nobody@example.org") == []


def test_looking_at_the_page_uses_nothing_up(alice: ObjectId) -> None:
    token = a_reset_token(alice)
    for _ in range(3):
        assert client().get(f"/password/reset/{token}").status_code == 200
        assert client().head(f"/password/reset/{token}").status_code == 200
    assert recovery.reset(token=token, password=NEW_PASSWORD) == ALICE


def test_a_link_works_once(alice: ObjectId) -> None:
    token = a_reset_token(alice)
    recovery.reset(token=token, password=NEW_PASSWORD)
    assert refused(token, "another one of those") == "invalid_link"
    assert client().get(f"/password/reset/{token}").status_code == 422


def test_of_ten_uses_at_once_one_counts(alice: ObjectId) -> None:
    token = a_reset_token(alice)

    def use(number: int) -> bool:
        try:
            recovery.reset(token=token, password=f"number {number} of ten passwords")
        except PortalError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(use, range(10))) == 1
    assert stored_account(alice)["generation"] == 1


def test_a_refused_password_leaves_the_link_good(alice: ObjectId) -> None:
    token = a_reset_token(alice)
    assert refused(token, "short") == "invalid_input"
    assert refused(token, "acme acme acme acme") == "invalid_input"
    page = post(f"/password/reset/{token}", {"password": NEW_PASSWORD, "repeat": PASSWORD})
    assert page.status_code == 422
    assert recovery.reset(token=token, password=NEW_PASSWORD) == ALICE


def test_a_link_runs_out(alice: ObjectId) -> None:
    token = a_reset_token(alice)
    database.collection("links").update_many({}, {"$set": {"expires_at": now() - timedelta(seconds=1)}})
    assert refused(token) == "invalid_link"


def test_a_new_password_and_a_new_address_make_links_worthless(alice: ObjectId) -> None:
    first, second = a_reset_token(alice), a_reset_token(alice)
    change_account(alice, {"$inc": {"generation": 1}})
    assert refused(first) == "invalid_link"
    third = a_reset_token(alice)
    change_account(alice, {"$set": {"email": "alice@example.net"}})
    assert refused(third) == "invalid_link"
    assert refused(second) == "invalid_link"


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 44, "../../etc", "$ne", "é" * 43, "a" * 42 + "\n"])
def test_what_is_no_token_is_no_link(token: str) -> None:
    assert refused(token) == "invalid_link"


def test_a_link_of_another_kind_resets_nothing(alice: ObjectId) -> None:
    address = links.issue(kind="verify_email", email=ALICE, account_id=alice, until=now() + timedelta(hours=1))
    assert refused(address.rsplit("/", 1)[1]) == "invalid_link"


def test_a_reset_ends_every_session_token_and_key_at_the_next_request(alice: ObjectId) -> None:
    cookies, pairs = [a_session(ALICE) for _ in range(3)], [tokens_of(ALICE) for _ in range(3)]
    key = api_keys.make_key(principal=somebody(cookies[0]), name="CI", scopes=["organization"]).text
    assert all(by_cookie(cookie) for cookie in cookies)
    assert api_keys.principal_with(key) is not None
    recovery.reset(token=a_reset_token(alice), password=NEW_PASSWORD)
    assert [by_cookie(cookie) for cookie in cookies] == [None] * 3
    assert [by_token(pair.access_token) for pair in pairs] == [None] * 3
    assert api_keys.principal_with(key) is None
    for pair in pairs:
        with pytest.raises(PortalError):
            service.refresh_tokens(refresh_token=pair.refresh_token)


def test_a_reset_logs_nobody_in_and_tells_the_owner(alice: ObjectId, settings: Any) -> None:
    response = post(f"/password/reset/{a_reset_token(alice)}", {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD})
    assert database.collection("sessions").count_documents({}) == 0
    assert response.cookies[settings.SESSION_COOKIE_NAME].value == ""
    assert only_mail_to(ALICE).subject == "Your password was reset"


def test_a_reset_does_not_go_around_the_second_factor(alice: ObjectId) -> None:
    change_account(alice, {"$set": {"second_factor": {"since": now()}}})
    recovery.reset(token=a_reset_token(alice), password=NEW_PASSWORD)
    assert "second_factor" in stored_account(alice)
    with pytest.raises(PortalError) as refusal:
        service.log_in(email=ALICE, password=NEW_PASSWORD)
    assert refusal.value.code == "otp_required"


def test_who_reads_the_mail_has_confirmed_the_address(alice: ObjectId) -> None:
    change_account(alice, {"$unset": {"email_verified_at": ""}})
    recovery.reset(token=a_reset_token(alice), password=NEW_PASSWORD)
    assert stored_account(alice)["email_verified_at"] is not None


def test_the_api_resets_as_the_page_does(alice: ObjectId) -> None:
    assert Script().post("/api/v1/auth/password/forgot", {"email": ALICE}).status_code == 202
    body = {"token": token_to(ALICE), "password": NEW_PASSWORD}
    assert Script().post("/api/v1/auth/password/reset", body).status_code == 204
    assert problem_of(Script().post("/api/v1/auth/password/reset", body)) == (422, "invalid_link")
    assert service.log_in(email=ALICE, password=NEW_PASSWORD).account_id == alice


def test_mails_to_one_address_are_bounded(alice: ObjectId, settings: Any) -> None:
    settings.MAILS_PER_RECIPIENT = 3
    answers = [post("/password/forgot", {"email": address}).status_code for address in [ALICE] * 5]
    assert answers == [302, 302, 302, 429, 429]
    unknown = [post("/password/forgot", {"email": "nobody@example.org"}).status_code for _ in range(5)]
    assert unknown == answers, "also for an address without an account"


def test_no_token_is_stored_in_the_database(alice: ObjectId) -> None:
    recovery.forgot(email=ALICE)
    everything = str([list(database.collection(name).find({})) for name in ("mail", "links")])
    token = token_to(ALICE)
    later = str([list(database.collection(name).find({})) for name in ("mail", "links", "accounts")])
    assert token not in everything + later


@pytest.mark.parametrize("path", links.PATHS.values())
def test_the_token_of_a_link_is_not_logged(alice: ObjectId, path: str) -> None:
    assert clean(f"{path}{a_reset_token(alice)}") == f"{path}[redacted]"
    assert clean(f"/api/v1/orgs/acme/invitations/{alice}") == f"/api/v1/orgs/acme/invitations/{alice}"
