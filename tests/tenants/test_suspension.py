"""An operator closes an organization without removing anything, and opens it again."""

import pytest
from django.core.management import CommandError, call_command

from accounts import service as accounts
from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.documents import now
from tenants.lifecycle import doctor
from tests.wire.people import PASSWORD, access_of, principal_with, sign_up, token_of

pytestmark = pytest.mark.usefixtures("clean_database")

EMAIL = "owner@acme.example"


def status() -> str:
    return next(iter(service.all_organizations())).status


def test_a_suspended_organization_lets_nobody_in_and_keeps_everything() -> None:
    sign_up("Acme")
    token = token_of(EMAIL)
    manager.bind(access_of(EMAIL)).insert_one({"_id": "kept", "data": {"colour": "red"}, "created_at": now()})

    call_command("suspendorg", "acme")

    with pytest.raises(PortalError) as dead:
        principal_with(token)
    assert dead.value.status == 401
    with pytest.raises(PortalError) as refused:
        accounts.log_in(email=EMAIL, password=PASSWORD)
    assert refused.value.code == "invalid_credentials"
    assert database.collection("org_acme").count_documents({}) == 1
    assert list(doctor.examine()) == []


def test_opened_again_its_sessions_count_again_and_its_records_are_there() -> None:
    sign_up("Acme")
    token = token_of(EMAIL)
    manager.bind(access_of(EMAIL)).insert_one({"_id": "kept", "data": {"colour": "red"}, "created_at": now()})
    call_command("suspendorg", "acme")

    call_command("resumeorg", "acme")

    assert principal_with(token).organization is not None
    assert manager.bind(access_of(EMAIL)).find_one({"_id": "kept"}) is not None
    assert list(doctor.examine()) == []


def test_a_write_with_an_access_from_before_the_suspension_is_not_acknowledged() -> None:
    sign_up("Acme")
    collection = manager.bind(access_of(EMAIL))
    collection.find_one({})
    call_command("suspendorg", "acme")
    with pytest.raises(PortalError) as refused:
        collection.insert_one({"_id": "late", "data": {}, "created_at": now()})
    assert refused.value.status == 404


@pytest.mark.parametrize("command", ["suspendorg", "resumeorg"])
def test_repeating_it_changes_nothing_and_an_unknown_one_is_named(command: str) -> None:
    sign_up("Acme")
    call_command("suspendorg", "acme")
    call_command(command, "acme")
    after = list(database.collection("organizations").find({}))
    call_command(command, "acme")
    assert list(database.collection("organizations").find({})) == after
    assert status() == ("suspended" if command == "suspendorg" else "active")
    with pytest.raises(CommandError, match="There is nothing here"):
        call_command(command, "nobody")


def test_what_is_being_deleted_cannot_be_suspended_or_opened() -> None:
    sign_up("Acme")
    database.collection("organizations").update_one({}, {"$set": {"status": "deleting"}})
    for command in ("suspendorg", "resumeorg"):
        with pytest.raises(CommandError, match="deleting"):
            call_command(command, "acme")
    assert status() == "deleting"


def test_a_suspended_organization_keeps_its_name_and_can_be_deleted_by_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_up("Acme")
    call_command("suspendorg", "acme")
    with pytest.raises(PortalError) as taken:
        sign_up("Acme", email="other@acme.example")
    assert taken.value.code == "organization_exists"
    monkeypatch.setattr("tenants.lifecycle.operation.BINDING_SECONDS", -10.0)
    service.delete_as_operator(slug="acme")
    assert list(service.all_organizations()) == []
    assert database.collection("accounts").count_documents({}) == 0
