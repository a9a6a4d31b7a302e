"""Accounts and memberships: made once, added once, and forgotten with their organization."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bson import ObjectId
from mongoengine.errors import ValidationError
from pymongo.errors import DuplicateKeyError

from accounts import service
from accounts.documents import AccountDocument, SessionDocument, new_document
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    somebody,
    stored_account,
    stored_sessions,
    tokens_of,
)
from tests.accounts.commands import Commands
from tests.accounts.hashing import hashes_counted

ALICE, BOB, CHARLIE = "alice@example.org", "bob@example.org", "charlie@example.org"


def accounts_stored() -> int:
    return database.collection("accounts").count_documents({})


def prepared(**changes: Any) -> service.NewAccount:
    """A new account of Alice's, with some of its input changed."""
    return service.prepare_account(**{"email": ALICE, "password": PASSWORD, **changes})


class TestNewAccounts:
    """A new account is checked and hashed first, and inserted with its first membership in one write."""

    def test_preparing_writes_nothing(self, commands: Commands) -> None:
        new = prepared(email=" Alice@Example.ORG ", name="  Alice   Liddell ")
        assert (new.email, new.name) == (ALICE, "Alice Liddell")
        assert new.password_hash.startswith("bcrypt_sha256$$2b$04$")
        assert commands.names == ["find"]
        assert accounts_stored() == 0

    def test_its_hash_is_not_shown(self) -> None:
        new = prepared()
        assert new.password_hash not in repr(new)

    def test_inserting_makes_a_member_who_can_log_in(self) -> None:
        account_id, org_id = ObjectId(), an_organization("acme")
        service.insert_account(new=prepared(name="Alice"), account_id=account_id, org_id=org_id, role=Role.OWNER)
        row = stored_account(account_id)
        assert (row["email"], row["name"], row["generation"]) == (ALICE, "Alice", 0)
        assert [(one["org_id"], one["role"]) for one in row["memberships"]] == [(org_id, "owner")]
        assert PASSWORD not in str(row)
        assert somebody(a_session(ALICE)).account_id == account_id

    def test_inserting_again_changes_nothing(self) -> None:
        account_id, org_id, new = ObjectId(), an_organization("acme"), prepared()
        service.insert_account(new=new, account_id=account_id, org_id=org_id, role=Role.OWNER)
        before = stored_account(account_id)
        service.insert_account(new=new, account_id=account_id, org_id=org_id, role=Role.OWNER)
        assert stored_account(account_id) == before
        assert accounts_stored() == 1

    def test_a_taken_address_is_refused_before_any_hash(self) -> None:
        an_account(ALICE, an_organization("acme"))
        with pytest.raises(PortalError) as refused, hashes_counted() as costs:
            prepared(email="ALICE@example.org")
        assert (refused.value.status, refused.value.code) == (409, "email_taken")
        assert costs == []

    def test_an_address_that_was_taken_meanwhile_is_refused_by_the_index(self) -> None:
        new = prepared()
        first = an_account(ALICE, an_organization("acme"))
        with pytest.raises(PortalError) as refused:
            service.insert_account(new=new, account_id=ObjectId(), org_id=an_organization("umbrella"), role=Role.OWNER)
        assert (refused.value.status, refused.value.code) == (409, "email_taken")
        assert [row["_id"] for row in database.collection("accounts").find()] == [first]

    def test_the_index_itself_allows_an_address_once(self) -> None:
        row = stored_account(an_account(ALICE, an_organization("acme")))
        with pytest.raises(DuplicateKeyError):
            database.collection("accounts").insert_one({**row, "_id": ObjectId()})

    @pytest.mark.parametrize("round_", range(5))
    def test_of_many_who_want_one_address_at_once_one_gets_it(self, round_: int) -> None:
        new, org_id, together = prepared(), an_organization("acme"), threading.Barrier(8)

        def insert() -> bool:
            together.wait()
            try:
                service.insert_account(new=new, account_id=ObjectId(), org_id=org_id, role=Role.OWNER)
            except PortalError as refusal:
                return refusal.code != "email_taken"
            return True

        with ThreadPoolExecutor(8) as threads:
            outcomes = [future.result() for future in [threads.submit(insert) for _ in range(8)]]
        assert outcomes.count(True) == 1
        assert accounts_stored() == 1

    @pytest.mark.parametrize("name", ["x" * 201, "bell\x07", "nul\x00", "\ud800", "reversed \u202e", 7, None, ["Ada"]])
    def test_a_name_is_a_line_of_text(self, name: Any) -> None:
        with pytest.raises(PortalError) as refused:
            prepared(name=name)
        assert (refused.value.status, [error.path for error in refused.value.errors]) == (422, ["name"])

    @pytest.mark.parametrize("name", ["", "Ada", "Ƶoë Åström", "نگار‌ صادقی", "山田太郎", "x" * 200])
    def test_names_of_every_script_are_names(self, name: str) -> None:
        assert prepared(name=name).name == name

    @pytest.mark.parametrize("password", ["short", "alice@example.org", "Alice Liddell 123", "acme acme acme!"])
    def test_the_password_is_measured_against_what_is_known_of_the_account(self, password: str) -> None:
        with pytest.raises(PortalError) as refused:
            prepared(password=password, name="Alice Liddell", words=["Acme"])
        assert [error.path for error in refused.value.errors] == ["password"]

    @pytest.mark.parametrize("email", [None, 7, {"$ne": None}, [ALICE], "nobody", "\ud800@example.org"])
    def test_what_is_no_address_never_reaches_a_query(self, email: Any, commands: Commands) -> None:
        with pytest.raises(PortalError) as refused:
            prepared(email=email)
        assert [error.path for error in refused.value.errors] == ["email"]
        assert commands.names == []


class TestMemberships:
    """An account may belong to several organizations, once to each."""

    def test_adding_twice_keeps_the_first(self) -> None:
        first, second = an_organization("acme"), an_organization("umbrella")
        account_id = an_account(ALICE, first)
        assert service.add_membership(account_id=account_id, org_id=second, role=Role.VIEWER)
        before = stored_account(account_id)
        assert service.add_membership(account_id=account_id, org_id=second, role=Role.OWNER)
        assert stored_account(account_id) == before
        assert [(one["org_id"], one["role"]) for one in before["memberships"]] == [(first, "owner"), (second, "viewer")]

    def test_an_account_that_is_gone_gets_none_and_does_not_come_back(self) -> None:
        assert not service.add_membership(account_id=ObjectId(), org_id=ObjectId(), role=Role.OWNER)
        assert accounts_stored() == 0

    def test_a_membership_exists_or_does_not(self) -> None:
        org_id = an_organization("acme")
        account_id = an_account(ALICE, org_id)
        assert service.membership_exists(account_id=account_id, org_id=org_id)
        assert not service.membership_exists(account_id=account_id, org_id=ObjectId())
        assert not service.membership_exists(account_id=ObjectId(), org_id=org_id)

    def test_members_are_counted_with_those_who_have_nothing_else(self) -> None:
        acme, umbrella = an_organization("acme"), an_organization("umbrella")
        an_account(ALICE, acme)
        an_account(BOB, acme, umbrella)
        an_account(CHARLIE, umbrella)
        assert service.count_members(org_id=acme) == service.MemberCounts(members=2, only_here=1)
        assert service.count_members(org_id=ObjectId()) == service.MemberCounts(members=0, only_here=0)


class TestForgetting:
    """With an organization go its sessions, its memberships, and the accounts that have no other."""

    def test_all_of_it_goes_and_nothing_else(self) -> None:
        acme, umbrella = an_organization("acme"), an_organization("umbrella")
        alice, bob, charlie = an_account(ALICE, acme), an_account(BOB, acme, umbrella), an_account(CHARLIE, umbrella)
        gone = [a_session(ALICE), a_session(BOB, slug="acme")]
        kept = [a_session(BOB, slug="umbrella"), a_session(CHARLIE), a_session(BOB)]
        tokens_of(ALICE)
        assert service.forget_organization(org_id=acme) == service.Forgotten(
            accounts_removed=1, memberships_removed=2, sessions_removed=3
        )
        assert database.collection("accounts").find_one({"_id": alice}) is None
        assert [one["org_id"] for one in stored_account(bob)["memberships"]] == [umbrella]
        assert stored_account(charlie)["memberships"]
        assert [by_cookie(cookie) for cookie in gone] == [None, None]
        assert all(by_cookie(cookie) for cookie in kept)

    def test_a_session_without_an_organization_goes_with_its_account(self) -> None:
        acme, umbrella = an_organization("acme"), an_organization("umbrella")
        an_account(ALICE, acme, umbrella)
        undecided = a_session(ALICE)
        service.forget_organization(org_id=acme)
        assert by_cookie(undecided)
        service.forget_organization(org_id=umbrella)
        assert by_cookie(undecided) is None
        assert stored_sessions() == []

    def test_forgetting_again_changes_nothing(self) -> None:
        acme = an_organization("acme")
        an_account(ALICE, acme)
        service.forget_organization(org_id=acme)
        assert service.forget_organization(org_id=acme) == service.Forgotten(0, 0, 0)

    def test_the_address_is_free_again(self) -> None:
        acme = an_organization("acme")
        old = an_account(ALICE, acme)
        cookie = a_session(ALICE)
        service.forget_organization(org_id=acme)
        new = an_account(ALICE, an_organization("acme_again"))
        assert new != old
        assert by_cookie(cookie) is None

    def test_many_members_are_forgotten_in_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("accounts.members._BATCH", 3)
        acme, umbrella = an_organization("acme"), an_organization("umbrella")
        for number in range(8):
            an_account(f"member{number}@example.org", acme, *([umbrella] if number % 2 else []))
        forgotten = service.forget_organization(org_id=acme)
        assert (forgotten.accounts_removed, forgotten.memberships_removed) == (4, 8)
        assert service.count_members(org_id=acme).members == 0
        assert service.count_members(org_id=umbrella).members == 4

    @pytest.mark.parametrize("round_", range(10))
    def test_two_organizations_forgotten_at_once_leave_no_account_of_nothing(self, round_: int) -> None:
        organizations = [an_organization("acme"), an_organization("umbrella")]
        for number in range(5):
            an_account(f"member{number}@example.org", *organizations)
        with ThreadPoolExecutor(2) as threads:
            done = [threads.submit(service.forget_organization, org_id=org_id) for org_id in organizations]
        assert sum(one.result().accounts_removed for one in done) == 5
        assert sum(one.result().memberships_removed for one in done) == 10
        assert accounts_stored() == 0

    @pytest.mark.parametrize("round_", range(10))
    def test_a_membership_added_meanwhile_is_kept_or_refused_but_never_lost(self, round_: int) -> None:
        acme, umbrella = an_organization("acme"), an_organization("umbrella")
        account_id = an_account(ALICE, acme)
        together = threading.Barrier(2)

        def add() -> bool:
            together.wait()
            return service.add_membership(account_id=account_id, org_id=umbrella, role=Role.OWNER)

        def forget() -> service.Forgotten:
            together.wait()
            return service.forget_organization(org_id=acme)

        with ThreadPoolExecutor(2) as threads:
            added, forgotten = threads.submit(add), threads.submit(forget)
        assert forgotten.result().memberships_removed == 1
        assert added.result() is service.membership_exists(account_id=account_id, org_id=umbrella)
        assert accounts_stored() == added.result()


class TestDocuments:
    """What is stored first is checked against its declaration."""

    GOOD_ID = "0" * 64

    @pytest.mark.parametrize("missing", ["email", "password", "generation", "memberships", "created_at"])
    def test_an_account_without_a_field_is_none(self, missing: str) -> None:
        row = stored_account(an_account(ALICE, an_organization("acme")))
        fields = {name: value for name, value in row.items() if name not in {"_id", missing}}
        with pytest.raises(ValidationError, match=missing):
            new_document(AccountDocument, ObjectId(), fields)

    @pytest.mark.parametrize(("field", "value"), [("kind", "key"), ("generation", -1), ("refresh", "secret")])
    def test_a_session_of_another_shape_is_none(self, field: str, value: Any) -> None:
        an_account(ALICE, an_organization("acme"))
        a_session(ALICE)
        row = {name: content for name, content in stored_sessions()[0].items() if name != "_id"}
        assert new_document(SessionDocument, self.GOOD_ID, row)["_id"] == self.GOOD_ID
        with pytest.raises(ValidationError, match=field):
            new_document(SessionDocument, self.GOOD_ID, {**row, field: value})

    def test_a_secret_instead_of_a_digest_is_no_session(self) -> None:
        an_account(ALICE, an_organization("acme"))
        cookie = a_session(ALICE)
        row = {name: content for name, content in stored_sessions()[0].items() if name != "_id"}
        with pytest.raises(ValidationError, match="regex"):
            new_document(SessionDocument, cookie, row)
