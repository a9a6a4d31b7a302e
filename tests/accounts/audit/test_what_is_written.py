"""What the chains tell of logins, tokens and passwords, and of what the operator and the worker do."""

import io
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import call_command

from accounts import service
from accounts.audit import entries, tallies
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tenants import service as tenants
from tenants.lifecycle import reconcile
from tests.accounts.audit.chains import broken, stored
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    somebody,
    tokens_of,
)

ALICE = "alice@example.org"


@pytest.fixture
def acme() -> ObjectId:
    org_id = an_organization("acme")
    an_account(ALICE, org_id)
    return org_id


def told(org_id: ObjectId | None) -> list[tuple[str, str]]:
    """Action and result of the entries, those of the audit itself left out."""
    return [(row["action"], row["result"]) for row in stored(org_id) if not row["action"].startswith("audit.")]


def settle() -> None:
    tallies.settle(until=entries.instant() + 2 * tallies.WINDOW)


def test_a_session_from_its_beginning_to_its_end(acme: ObjectId) -> None:
    principal = somebody(a_session(ALICE))
    service.end_session(principal=principal)
    tokens_of(ALICE)
    assert told(acme) == [("login.succeeded", "done"), ("session.ended", "done"), ("login.succeeded", "done")]
    assert [row["actor"]["method"] for row in stored(acme)] == ["session", "session", "token"]
    assert [row["details"] for row in stored(acme)] == [{"by": "password"}, {}, {"by": "password"}]


def test_failed_logins_of_a_known_account_are_told_to_each_of_its_organizations(acme: ObjectId) -> None:
    other = an_organization("other")
    account = database.collection("accounts").find_one({"email": ALICE})
    assert account is not None
    service.add_membership(account_id=account["_id"], org_id=other, role=Role.VIEWER)
    for _ in range(3):
        with pytest.raises(PortalError):
            service.log_in(email=ALICE, password="not the password")
    settle()
    for org_id in (acme, other):
        (entry,) = stored(org_id)
        assert (entry["action"], entry["result"], entry["details"]["times"]) == ("login.failed", "refused", 3)
        assert (entry["actor"]["kind"], entry["target"]) == ("anonymous", f"account:{account['_id']}")
    assert told(None) == []


def test_a_failed_login_of_nobody_is_told_to_the_portal_without_what_was_typed(acme: ObjectId) -> None:
    with pytest.raises(PortalError):
        service.log_in(email="my-secret-password@typed.example", password=PASSWORD)
    settle()
    assert told(None) == [("login.failed", "refused")]
    assert "my-secret-password" not in str(stored(None))
    assert stored(acme) == []


def test_a_refresh_token_used_twice_is_told(acme: ObjectId) -> None:
    pair = tokens_of(ALICE)
    service.refresh_tokens(refresh_token=pair.refresh_token)
    with pytest.raises(PortalError):
        service.refresh_tokens(refresh_token=pair.refresh_token)
    assert told(acme) == [("login.succeeded", "done"), ("token.reuse_detected", "refused")]


def test_a_new_password_is_told_and_a_wrong_present_one_changes_nothing(acme: ObjectId) -> None:
    principal = somebody(a_session(ALICE))
    with pytest.raises(PortalError):
        service.change_password(principal=principal, current="not the password", new=NEW_PASSWORD)
    service.change_password(principal=principal, current=PASSWORD, new=NEW_PASSWORD)
    assert told(acme)[-1] == ("password.changed", "done")
    assert [action for action, _ in told(acme)].count("password.changed") == 1


def test_no_entry_holds_a_secret(acme: ObjectId) -> None:
    cookie = a_session(ALICE)
    pair = tokens_of(ALICE)
    service.change_password(principal=somebody(cookie), current=PASSWORD, new=NEW_PASSWORD)
    said = str(stored(acme)) + str(stored(None))
    for secret in (PASSWORD, NEW_PASSWORD, cookie, pair.access_token, pair.refresh_token):
        assert secret not in said


def _run(command: str, *words: str) -> None:
    call_command(command, *words, stdout=io.StringIO(), no_color=True)


def test_what_the_operator_does_is_told_with_the_name_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    monkeypatch.setenv("LOGNAME", "olga")
    _run("createorg", "Acme", "owner@acme.example")
    (organization,) = tenants.all_organizations()
    _run("suspendorg", "acme")
    _run("resumeorg", "acme")
    assert told(organization.id) == [
        ("organization.created", "done"),
        ("organization.suspended", "done"),
        ("organization.resumed", "done"),
    ]
    assert {(row["actor"]["kind"], row["actor"]["name"]) for row in stored(organization.id)} == {("operator", "olga")}
    monkeypatch.setattr("tenants.lifecycle.operation.quarantine_seconds", lambda: 0.0)
    _run("deleteorg", "acme", "--yes")
    assert stored(organization.id) == []
    assert told(None) == [("organization.deleted", "done")]
    ended = [row for row in stored(None) if row["action"] == "audit.ended"]
    assert [row["details"]["entries"] for row in ended] == [4]
    assert broken() == {}


def test_what_the_reconciler_undoes_is_told(acme: ObjectId) -> None:
    from tenants.documents import now, validated
    from tenants.lifecycle import operation

    org_id = ObjectId()
    row: dict[str, Any] = {
        "_id": org_id,
        "name": "Half",
        "slug": "half",
        "names": ["half"],
        "status": "deleting",
        "epoch": 2,
        "rev": 1,
        "placement": {"cluster": "master", "database": database.master().name, "collection": "org_half"},
        "metadata": {},
        "pending": operation.pending("delete", "fenced", "somebody dead"),
        "quarantine": [],
        "due_at": now(),
        "created_at": now(),
        "updated_at": now(),
    }
    database.collection("organizations").insert_one(validated(row))
    reconcile.run_due()
    resumed = [row for row in stored(None) if row["action"] == "organization.operation_resumed"]
    assert [(row["target"], row["actor"]["kind"]) for row in resumed] == [(f"organization:{org_id}", "system")]
    assert resumed[0]["details"] == {"operation": "delete", "step": "fenced"}
