"""A rename or deletion for which the database takes longer than a request may: 202, and the worker goes on."""

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from orgportal import database, indexes
from tenants import service
from tenants.documents import ACTIVE, DELETING, RENAMING, now
from tenants.lifecycle import doctor, reconcile
from tests.servers import DatabaseServer
from tests.tenants.test_lifecycle import ACME, LATER
from tests.wire.people import access_of, sign_up

# What one request may take here, and how long the database thinks about the command that is slow.
DEADLINE = 1.0
SLOW_MILLISECONDS = 2500


@pytest.fixture
def server(database_server: Callable[..., DatabaseServer]) -> Iterator[DatabaseServer]:
    """A database that can be made slow, with one organization, called acme."""
    started = database_server(durable=False, failpoints=True)
    with override_settings(MONGODB_URI=started.uri, MONGODB_DATABASE="slow"):
        database.forget_clients()
        try:
            indexes.ensure_indexes()
            sign_up("Acme", email=ACME)
            yield started
        finally:
            database.forget_clients()


def think_once_about(command: str) -> None:
    """Let the next such command wait before it is done."""
    data = {"failCommands": [command], "blockConnection": True, "blockTimeMS": SLOW_MILLISECONDS}
    database.client().admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)


def test_a_rename_that_takes_too_long_is_left_to_the_worker(server: DatabaseServer) -> None:
    access = access_of(ACME)
    think_once_about("create")
    with database.deadline(DEADLINE):
        renamed = service.update(access=access, slug="bcme")
    assert renamed.status == RENAMING
    reconcile.run_all(at=now() + LATER)
    organization = access_of(ACME).organization
    assert (organization.status, organization.slug) == (ACTIVE, "bcme")
    assert list(doctor.examine()) == []


def test_a_deletion_that_takes_too_long_is_left_to_the_worker(server: DatabaseServer) -> None:
    access = access_of(ACME)
    think_once_about("drop")
    with database.deadline(DEADLINE):
        assert not service.delete(access=access)
    assert [one.status for one in service.all_organizations()] == [DELETING]
    reconcile.run_all(at=now() + LATER)
    assert list(service.all_organizations()) == []
    assert list(doctor.examine()) == []
