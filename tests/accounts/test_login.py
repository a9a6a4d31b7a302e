"""Logging in: what succeeds, and that a failure tells nothing in words, work or queries."""

from types import SimpleNamespace
from typing import Any

import pytest
from bson import ObjectId
from django.conf import LazySettings

from accounts import login, service
from accounts.roles import Role
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
    change_account,
    change_organization,
    somebody,
    stored_account,
    stored_sessions,
    tokens_of,
)
from tests.accounts.commands import Commands
from tests.accounts.hashing import hashes_counted

ALICE, BOB, CHARLIE = "alice@example.org", "bob@example.org", "charlie@example.org"


@pytest.fixture(autouse=True)
def alice() -> ObjectId:
    """Alice owns acme."""
    return an_account(ALICE, an_organization("acme"))


@pytest.fixture
def bob() -> ObjectId:
    """Bob is a member of several organizations, one of which is being deleted."""
    organizations = [an_organization("umbrella"), an_organization("initech")]
    return an_account(BOB, *organizations, an_organization("closing", status="deleting"), role=Role.EDITOR)


def refusal_of(email: Any, password: Any, slug: Any = None) -> PortalError:
    """Why a login is refused."""
    with pytest.raises(PortalError) as refused:
        service.log_in(email=email, password=password, org_slug=slug)
    return refused.value


def test_the_right_pair_logs_in(alice: ObjectId) -> None:
    logged_in = service.log_in(email=ALICE, password=PASSWORD)
    assert (logged_in.account_id, logged_in.email, logged_in.generation) == (alice, ALICE, 0)
    assert logged_in.organization is not None
    assert logged_in.organization.slug == "acme"


@pytest.mark.parametrize("email", ["Alice@Example.ORG", " alice@example.org ", "ALICE@EXAMPLE.ORG"])
def test_an_address_is_found_however_its_letters_are_written(alice: ObjectId, email: str) -> None:
    assert service.log_in(email=email, password=PASSWORD).account_id == alice


WRONG_PAIRS: list[tuple[Any, Any]] = [
    (ALICE, "not the password"),
    (ALICE, ""),
    (ALICE, PASSWORD.upper()),
    (ALICE, PASSWORD + " "),
    (ALICE, PASSWORD + "\x00"),
    (ALICE, "x" * 100_000),
    (ALICE, "\ud800" * 20),
    ("nobody@example.org", PASSWORD),
    ("nobody@example.org", ""),
    ("no address", PASSWORD),
    ("", PASSWORD),
    ("\ud800@example.org", PASSWORD),
    ("alice@example.org\x00", PASSWORD),
    ("a" * 100_000, PASSWORD),
    ({"$ne": None}, PASSWORD),
    (None, PASSWORD),
    ([ALICE], PASSWORD),
]


@pytest.mark.parametrize(("email", "password"), WRONG_PAIRS)
def test_every_wrong_pair_gets_the_same_answer(email: Any, password: Any) -> None:
    refused = refusal_of(email, password)
    assert (refused.code, refused.status) == ("invalid_credentials", 401)
    assert refused.message == "This email and password do not belong together."
    assert (refused.errors, refused.data, refused.retry_after) == ((), {}, None)


@pytest.mark.parametrize(("email", "password"), WRONG_PAIRS)
def test_every_wrong_pair_costs_one_query_and_one_hash_at_todays_cost(
    email: Any, password: Any, commands: Commands, settings: LazySettings
) -> None:
    settings.BCRYPT_ROUNDS = 5
    an_account(CHARLIE, an_organization("warm"))
    change_account(_id_of(ALICE), {"$set": {"password": stored_account(_id_of(CHARLIE))["password"]}})
    commands.forget()
    with hashes_counted() as costs:
        refusal_of(email, password)
    assert costs == [5]
    of_accounts = [sent for sent in commands.sent if sent.get("find") == "accounts"]
    assert [list(sent["filter"]) for sent in of_accounts] == [["email"]]
    assert isinstance(of_accounts[0]["filter"]["email"], str)
    # Whether there is such an account or not: attempts are counted, then the refusal for the audit.
    assert commands.names == ["find", "find", "update", "update", "update"]
    assert "audit_tallies" in commands.sent[-1].values()


def _id_of(email: str) -> ObjectId:
    row = database.collection("accounts").find_one({"email": email})
    assert row is not None
    found: ObjectId = row["_id"]
    return found


@pytest.mark.parametrize("password", [7, None, b"bytes", ["list"], {"$ne": None}, True])
def test_a_password_that_is_no_text_is_refused_before_any_work(password: Any, commands: Commands) -> None:
    with hashes_counted() as costs:
        refused = refusal_of(ALICE, password)
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert (costs, commands.names) == ([], [])


@pytest.mark.parametrize("slug", [7, ["acme"], {"$ne": None}, True])
def test_an_organization_that_is_no_text_is_refused_before_any_work(slug: Any, commands: Commands) -> None:
    assert refusal_of(ALICE, PASSWORD, slug).status == 422
    assert commands.names == []


def test_a_hash_of_lower_cost_makes_a_wrong_password_no_faster(alice: ObjectId, settings: LazySettings) -> None:
    settings.BCRYPT_ROUNDS = 7
    with hashes_counted() as costs:
        refusal_of(ALICE, "not the password")
    assert sum(2**cost for cost in costs) == 2**7, "the work is that of one hash at today's cost"
    assert set(costs) == {4}


def test_a_raised_cost_reaches_the_account_at_its_next_login(alice: ObjectId, settings: LazySettings) -> None:
    before = stored_account(alice)
    cookie, token = a_session(ALICE), tokens_of(ALICE).access_token
    settings.BCRYPT_ROUNDS = 5
    service.log_in(email=ALICE, password=PASSWORD)
    after = stored_account(alice)
    assert before["password"].startswith("bcrypt_sha256$$2b$04$")
    assert after["password"].startswith("bcrypt_sha256$$2b$05$")
    assert by_cookie(cookie), "a better hash of the same password ends nothing"
    assert by_token(token)
    with hashes_counted() as costs:
        service.log_in(email=ALICE, password=PASSWORD)
    assert costs == [5], "and it happens once"


def test_a_lowered_cost_leaves_stored_hashes_alone(alice: ObjectId, settings: LazySettings) -> None:
    settings.BCRYPT_ROUNDS = 5
    service.log_in(email=ALICE, password=PASSWORD)
    settings.BCRYPT_ROUNDS = 4
    service.log_in(email=ALICE, password=PASSWORD)
    assert stored_account(alice)["password"].startswith("bcrypt_sha256$$2b$05$")


class TestSeveralOrganizations:
    """With several organizations a login says which, or is told to choose."""

    def test_it_goes_to_the_one_that_is_named(self, bob: ObjectId) -> None:
        logged_in = service.log_in(email=BOB, password=PASSWORD, org_slug="initech")
        assert logged_in.organization is not None
        assert logged_in.organization.slug == "initech"

    def test_without_a_name_it_lists_the_open_ones(self, bob: ObjectId) -> None:
        refused = refusal_of(BOB, PASSWORD)
        assert (refused.status, refused.code) == (409, "choose_organization")
        assert refused.data == {
            "organizations": [
                {"slug": "initech", "organization_name": "Initech", "role": "editor"},
                {"slug": "umbrella", "organization_name": "Umbrella", "role": "editor"},
            ]
        }

    def test_the_list_is_for_those_who_know_the_password(self, bob: ObjectId) -> None:
        refused = refusal_of(BOB, "not the password")
        assert (refused.status, refused.data) == (401, {})

    def test_it_may_choose_later(self, bob: ObjectId) -> None:
        logged_in = service.log_in(email=BOB, password=PASSWORD, choose_later=True)
        assert logged_in.organization is None
        assert len(logged_in.memberships) == 3

    @pytest.mark.parametrize("slug", ["acme", "closing", "nowhere", "", "UMBRELLA", "umbrella\x00"])
    def test_an_organization_that_is_not_open_to_it_reads_like_a_wrong_password(self, bob: ObjectId, slug: str) -> None:
        refused = refusal_of(BOB, PASSWORD, slug)
        assert (refused.code, refused.message) == ("invalid_credentials", refusal_of(BOB, "wrong").message)

    def test_with_one_open_organization_there_is_nothing_to_choose(self, bob: ObjectId) -> None:
        database.collection("organizations").update_one({"slug": "umbrella"}, {"$set": {"status": "deleting"}})
        logged_in = service.log_in(email=BOB, password=PASSWORD)
        assert logged_in.organization is not None
        assert logged_in.organization.slug == "initech"


class TestClosedOrganizations:
    """Nothing of an organization that is not open logs in."""

    @pytest.mark.parametrize("status", ["deleting", "provisioning"])
    @pytest.mark.parametrize("later", [True, False])
    def test_its_members_are_told_what_strangers_are_told(self, alice: ObjectId, status: str, later: bool) -> None:
        database.collection("organizations").update_one({"slug": "acme"}, {"$set": {"status": status}})
        with pytest.raises(PortalError, match="do not belong together"), hashes_counted() as costs:
            service.log_in(email=ALICE, password=PASSWORD, choose_later=later)
        assert costs == [4]

    def test_a_login_that_the_deletion_overtakes_opens_nothing(self, alice: ObjectId) -> None:
        logged_in = service.log_in(email=ALICE, password=PASSWORD)
        assert logged_in.organization is not None
        change_organization(logged_in.organization.id, status="deleting")
        service.forget_organization(org_id=logged_in.organization.id)
        for opens in (service.open_session, service.issue_tokens):
            with pytest.raises(PortalError, match="do not belong together"):
                opens(logged_in=logged_in)
        assert stored_sessions() == [], "and leaves nothing behind"

    def test_a_login_that_a_password_change_overtakes_opens_nothing(self, alice: ObjectId) -> None:
        logged_in = service.log_in(email=ALICE, password=PASSWORD)
        cookie = a_session(ALICE)
        kept = service.change_password(principal=somebody(cookie), current=PASSWORD, new=NEW_PASSWORD, words=())
        for opens in (service.open_session, service.issue_tokens):
            with pytest.raises(PortalError, match="do not belong together"):
                opens(logged_in=logged_in)
        assert len(stored_sessions()) == 1
        assert by_cookie(kept)


@pytest.mark.parametrize("email", [ALICE, "nobody@example.org"])
def test_a_refused_login_pauses_at_random_and_a_right_one_does_not(monkeypatch: pytest.MonkeyPatch, email: str) -> None:
    pauses: list[float] = []
    # The module's own `time`: the driver's threads go on sleeping.
    monkeypatch.setattr(login, "time", SimpleNamespace(sleep=pauses.append))
    for _ in range(5):
        refusal_of(email, "not the password")
    assert len(set(pauses)) == 5
    assert all(0 <= pause <= login.BLUR_SECONDS for pause in pauses)
    service.log_in(email=ALICE, password=PASSWORD)
    assert len(pauses) == 5
