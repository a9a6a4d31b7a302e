"""Confirming an address, and changing it: by a link that was sent there, and a button on the page behind it."""

from typing import Any

import pytest
from bson import ObjectId

from accounts import email_change, service, verification
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    change_account,
    somebody,
    stored_account,
)
from tests.accounts.mailed import a_change_token, a_reset_token, a_verification_token
from tests.accounts.post import link_to, mails_to, only_mail_to, token_to
from tests.scripts import Script, body_of, client, log_in, problem_of, sign_up
from tests.visitors import signed_up
from tests.visitors import text_of as words_of

pytestmark = pytest.mark.usefixtures("own_outbox")
ALICE = "alice@example.org"
NEW = "alice@example.net"


@pytest.fixture
def alice() -> ObjectId:
    """Has not confirmed the address yet."""
    account_id = an_account(ALICE, an_organization("acme"))
    change_account(account_id, {"$unset": {"email_verified_at": ""}})
    return account_id


def is_verified(account_id: ObjectId) -> bool:
    return stored_account(account_id).get("email_verified_at") is not None


def code_of(act: Any, **arguments: Any) -> str:
    with pytest.raises(PortalError) as refusal:
        act(**arguments)
    return refusal.value.code


def test_signing_up_sends_one_link_and_the_page_behind_it_confirms() -> None:
    browser = signed_up(email=ALICE)
    mail = only_mail_to(ALICE)
    assert mail.subject == "Confirm your email address"
    path = link_to(ALICE)
    assert "Yes, confirm it" in words_of(client().get(path))
    assert "Confirm your email address" in words_of(browser.get("/dashboard")), "looking at the page confirms nothing"
    done = client(enforce_csrf_checks=False).post(path)
    assert (done.status_code, done["Location"]) == (302, "/login")
    assert "Confirm your email address" not in words_of(browser.get("/dashboard"))
    assert client().get(path).status_code == 422


def test_a_refused_sign_up_sends_nothing() -> None:
    sign_up("Acme", email=ALICE)
    assert problem_of(Script().post("/api/v1/orgs", {"organization_name": "Acme", "email": NEW, "password": PASSWORD}))
    assert mails_to(NEW) == []
    assert len(mails_to(ALICE)) == 1


def test_the_banner_sends_the_link_again_until_the_address_is_confirmed(alice: ObjectId) -> None:
    browser = client(enforce_csrf_checks=False)
    browser.cookies["orgportal_session"] = a_session(ALICE)
    assert "Send it again" in words_of(browser.get("/account"))
    assert browser.post("/email/resend")["Location"] == "/account"
    assert len(mails_to(ALICE)) == 1
    verification.confirm(token=token_to(ALICE))
    assert "Send it again" not in words_of(browser.get("/account"))
    browser.post("/email/resend")
    assert len(mails_to(ALICE)) == 1


def test_a_link_is_for_the_address_that_the_account_still_has(alice: ObjectId) -> None:
    token = a_verification_token(alice)
    change_account(alice, {"$set": {"email": NEW}})
    assert code_of(verification.confirm, token=token) == "invalid_link"
    assert not is_verified(alice)


def test_a_link_confirms_once(alice: ObjectId) -> None:
    token = a_verification_token(alice)
    assert verification.confirm(token=token) == ALICE
    assert is_verified(alice)
    assert code_of(verification.confirm, token=token) == "invalid_link"


def test_a_reset_link_confirms_no_address(alice: ObjectId) -> None:
    assert code_of(verification.confirm, token=a_reset_token(alice)) == "invalid_link"
    assert not is_verified(alice)


def test_a_mail_that_came_too_late_is_not_sent(alice: ObjectId) -> None:
    verification.resend(principal=somebody(a_session(ALICE)))
    verification.confirm(token=a_verification_token(alice))
    assert mails_to(ALICE) == []


def test_the_api_confirms_and_sends_again() -> None:
    created = sign_up("Acme", email=ALICE)
    script = log_in(ALICE)
    assert script.post("/api/v1/auth/email/verify/resend").status_code == 202
    assert len(mails_to(ALICE)) == 2
    assert Script().post("/api/v1/auth/email/verify", {"token": token_to(ALICE)}).status_code == 204
    assert is_verified(ObjectId(created["admin"]["id"]))
    assert problem_of(script.post("/api/v1/auth/email/verify/resend")) == (409, "already_verified")
    assert problem_of(Script().post("/api/v1/auth/email/verify", {"token": "a" * 43})) == (422, "invalid_link")


def test_who_has_not_confirmed_may_use_the_own_organization() -> None:
    sign_up("Acme", email=ALICE)
    script = log_in(ALICE)
    assert body_of(script.get("/api/v1/orgs/acme"))["role"] == "owner"
    assert script.patch("/api/v1/orgs/acme", {"metadata": {"a": 1}}).status_code == 200
    refusal = script.post("/api/v1/orgs/acme/invitations", {"email": NEW, "role": "viewer"})
    assert problem_of(refusal) == (403, "email_not_verified")


def test_an_address_changes_once_the_new_one_is_confirmed(alice: ObjectId) -> None:
    browser = client(enforce_csrf_checks=False)
    cookie = a_session(ALICE)
    browser.cookies["orgportal_session"] = cookie
    answer = browser.post("/email/change", {"email": "Alice@Example.net", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    assert stored_account(alice)["email"] == ALICE
    path = link_to(NEW)
    assert NEW in words_of(browser.get(path))
    assert browser.post(path)["Location"] == "/account"
    assert stored_account(alice)["email"] == NEW
    assert is_verified(alice)
    assert only_mail_to(ALICE).subject == "Your email address was changed"
    assert service.log_in(email=NEW, password=PASSWORD).account_id == alice
    assert by_cookie(cookie) is not None


def test_changing_an_address_takes_the_password_and_a_free_address(alice: ObjectId) -> None:
    an_account("bob@example.org", an_organization("bobs"))
    principal = somebody(a_session(ALICE))
    for email, password, code in (
        (NEW, "not the password at all", "invalid_input"),
        ("bob@example.org", PASSWORD, "email_taken"),
        (ALICE, PASSWORD, "invalid_input"),
        ("nonsense", PASSWORD, "invalid_input"),
    ):
        assert code_of(email_change.request, principal=principal, email=email, password=password) == code
    assert mails_to(NEW) == []


def test_a_change_is_refused_when_the_address_was_taken_or_the_password_changed(alice: ObjectId) -> None:
    token = a_change_token(alice, NEW)
    change_account(alice, {"$inc": {"generation": 1}})
    assert code_of(email_change.confirm, token=token) == "invalid_link"
    token = a_change_token(alice, NEW)
    an_account(NEW, an_organization("others"))
    assert code_of(email_change.confirm, token=token) == "email_taken"
    assert stored_account(alice)["email"] == ALICE
    assert database.collection("mail").count_documents({"to": ALICE}) == 0, "nothing happened, so nothing is told"
