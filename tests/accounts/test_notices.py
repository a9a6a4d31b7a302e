"""Notices of security-relevant changes: who hears of what, and that the wording never fails in the worker."""

import string
from typing import Any

import pytest
from bson import ObjectId

from accounts import notices, service
from accounts.agents import UNKNOWN, family_of
from accounts.notices import NOTICES
from accounts.roles import Role
from orgportal import circumstances, database
from orgportal.errors import PortalError
from tests.accounts.cast import NEW_PASSWORD, PASSWORD, a_session, an_account, an_organization, somebody
from tests.accounts.post import delivered, mails_to, only_mail_to
from tests.scripts import log_in, sign_up

pytestmark = pytest.mark.usefixtures("own_outbox")
ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)
EDGE = CHROME + " Edg/138.0.0.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def log_in_from(address: str, agent: str, *, email: str = ALICE) -> None:
    with circumstances.during(request_id="r", address=address, agent=agent):
        service.open_session(logged_in=service.log_in(email=email, password=PASSWORD))


def subjects(address: str) -> list[str]:
    return [mail.subject for mail in mails_to(address)]


@pytest.fixture
def alice() -> ObjectId:
    return an_account(ALICE, an_organization("acme"))


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_can_be_sent(alice: ObjectId, kind: str) -> None:
    notice = NOTICES[kind]
    words = {
        name
        for text in (notice.subject, notice.sentence, notice.advice)
        for _, name, _, _ in string.Formatter().parse(text)
        if name
    }
    notices.send(kind=kind, account_ids=[alice], details={name: f"«{name}»" for name in words})
    mail = only_mail_to(ALICE)
    assert all(f"«{name}»" in mail.text + mail.subject for name in words)
    assert "{" not in mail.text + mail.subject


def test_a_missing_detail_shows_where_the_act_is_and_not_in_the_worker(alice: ObjectId) -> None:
    with pytest.raises(KeyError):
        notices.send(kind="api_key_created", account_ids=[alice], details={"name": "CI"})
    with pytest.raises(KeyError):
        notices.send(kind="no such notice", account_ids=[alice])
    assert delivered() == []


def test_owners_hear_once_and_nobody_else_does() -> None:
    org_id, other = an_organization("acme"), an_organization("other")
    alice = an_account(ALICE, org_id, other)
    an_account(BOB, org_id, role=Role.ADMIN)
    an_account(CAROL, other)
    notices.send(kind="mfa_disabled", account_ids=[alice], org_owners=org_id)
    assert [len(mails_to(address)) for address in (ALICE, BOB, CAROL)] == [1, 0, 0]


def test_a_notice_says_when_and_from_where(alice: ObjectId) -> None:
    with circumstances.during(request_id="r", address="192.0.2.7", agent=FIREFOX):
        notices.send(kind="mfa_enabled", account_ids=[alice])
    text = only_mail_to(ALICE).text
    assert "With: Firefox on Linux" in text
    assert "From: 192.0.2.7" in text


def test_a_changed_password_is_told(alice: ObjectId) -> None:
    service.change_password(principal=somebody(a_session(ALICE)), current=PASSWORD, new=NEW_PASSWORD)
    assert subjects(ALICE) == ["Your password was changed"]


def test_a_refused_change_is_not(alice: ObjectId) -> None:
    with pytest.raises(PortalError):
        service.change_password(principal=somebody(a_session(ALICE)), current="wrong words here", new=NEW_PASSWORD)
    assert subjects(ALICE) == []


def test_a_deleted_organization_is_told_to_its_owners_even_when_they_went_with_it() -> None:
    sign_up("Acme", email=ALICE)
    delivered()
    assert log_in(ALICE).delete("/api/v1/orgs/acme").status_code == 204
    assert database.collection("accounts").count_documents({}) == 0
    assert subjects(ALICE)[0] == "Acme was deleted"


def test_a_login_from_a_new_place_is_told_once(alice: ObjectId) -> None:
    log_in_from("192.0.2.1", FIREFOX)
    log_in_from("192.0.2.1", FIREFOX)
    assert subjects(ALICE) == [], "the first login is no news, and neither is the second from there"
    log_in_from("192.0.2.1", CHROME)
    log_in_from("198.51.100.9", FIREFOX)
    log_in_from("198.51.100.9", FIREFOX.replace("140", "141"))
    log_in_from("192.0.2.1", CHROME)
    assert subjects(ALICE) == ["New login to your account"] * 2


def test_only_the_latest_places_are_remembered(alice: ObjectId) -> None:
    for number in range(22):
        log_in_from(f"192.0.2.{number}", FIREFOX)
    row: Any = database.collection("accounts").find_one({"_id": alice})
    assert len(row["familiar"]) == 20
    assert "192.0.2" not in str(row["familiar"])


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (EDGE, "Edge on Windows"),
        (IPHONE, "Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "Python"),
        ("SomethingElse/1.0 (Linux)", "A program on Linux"),
        ("", UNKNOWN),
        ("\u202e<script>", UNKNOWN),
        ("x" * 100_000, UNKNOWN),
    ],
)
def test_an_agent_is_named_without_its_version(agent: str, family: str) -> None:
    assert family_of(agent) == family
