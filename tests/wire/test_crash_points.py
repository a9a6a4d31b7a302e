"""kill -9 before and after every single database command of every lifecycle operation (every few in the suite).

Each time the reconciler runs once, and then: the state is legal, `doctor` finds nothing, and the same call
made again gives the right answer. The same with the database killed instead of the portal.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from accounts import service as accounts
from orgportal import database, indexes
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.documents import ACTIVE, now
from tenants.lifecycle import doctor, reconcile
from tests.effort import effort
from tests.emptying import empty, written_elsewhere
from tests.portals import ROOT
from tests.servers import DatabaseServer
from tests.wire.people import PASSWORD, access_of, principal_with, sign_up, token_of

MORE_COMMANDS_THAN_ANY_OPERATION = 80
EVERY = effort(short=29, full=1)
EVERY_WITH_THE_DATABASE = effort(short=50, full=1)
EMAIL = "owner@acme.example"
RECORDS = [{"_id": number, "data": {"number": number}} for number in range(5)]
SIGN_UP = {"organization_name": "Acme", "slug": None, "email": EMAIL, "password": PASSWORD, "origin": None}


class Crasher:
    """The process that dies at our word, again and again."""

    def __init__(self, uri: str, name: str) -> None:
        environment = os.environ | {
            "MONGODB_URI": uri,
            "MONGODB_DATABASE": name,
            "ORGPORTAL_ENV": "local",
            "DATA_DIR": str(settings.DATA_DIR),
            "BCRYPT_ROUNDS": "4",
            "DATABASE_DEADLINE": "2",
            "LOG_LEVEL": "CRITICAL",
            "DJANGO_SETTINGS_MODULE": "orgportal.settings",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.wire.crash_child"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, operation: str, command: int, when: str, victim: int = 0, **request: Any) -> dict[str, Any]:
        """Try the operation; what became of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        written_elsewhere()
        line = {"operation": operation, "command": command, "when": when, "victim": victim, **request}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def _crasher(database_indexes: None) -> Iterator[Crasher]:
    made = Crasher(settings.MONGODB_URI, settings.MONGODB_DATABASE)
    yield made
    made.close()


@pytest.fixture
def crasher(_crasher: Crasher, clean_database: None) -> Crasher:
    return _crasher


def seed() -> None:
    """Acme with five records, and a neighbour that nothing may happen to."""
    sign_up("Acme", email=EMAIL)
    manager.bind(access_of(EMAIL)).insert_many([dict(record) for record in RECORDS])
    sign_up("Neighbour")
    manager.bind(access_of("owner@neighbour.example")).insert_many([dict(record) for record in RECORDS])


def reconciled() -> None:
    """Everything that may be done an hour from now is done, and every promise holds."""
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def records_of(email: str) -> list[dict[str, Any]]:
    return sorted(manager.bind(access_of(email)).find({}, limit=100), key=lambda record: record["_id"])


def assert_sign_up_is_settled() -> None:
    """All of it or nothing, and signing up again gives what it should."""
    reconciled()
    organizations = list(service.all_organizations())
    if organizations:
        assert [(found.slug, found.status) for found in organizations] == [("acme", ACTIVE)]
        assert principal_with(token_of(EMAIL)).organization is not None
        with pytest.raises(PortalError) as refusal:
            sign_up("Acme", email=EMAIL)
        assert refusal.value.code == "organization_exists"
    else:
        assert database.collection("accounts").count_documents({}) == 0
        assert not any(name.startswith("org_") for name in database.master().list_collection_names())
        assert sign_up("Acme", email=EMAIL).organization.status == ACTIVE
    reconciled()


def assert_rename_is_settled() -> None:
    """The old slug or the new one, every record there, and the rename can be repeated."""
    reconciled()
    access = access_of(EMAIL)
    assert access.organization.slug in {"acme", "bcme"}
    assert records_of(EMAIL) == RECORDS
    renamed = service.update(access=access, slug="bcme", organization_name="Bcme")
    assert (renamed.slug, renamed.name, renamed.status) == ("bcme", "Bcme", ACTIVE)
    assert records_of(EMAIL) == RECORDS
    reconciled()
    assert sign_up("Acme", email="other@acme.example").organization.slug == "acme"
    assert records_of("owner@neighbour.example") == RECORDS


def assert_delete_is_settled(token: str) -> None:
    """Whole or gone, and gone after the second call; then the name is free, and the old token opens nothing."""
    reconciled()
    if any(found.slug == "acme" for found in service.all_organizations()):
        assert principal_with(token).organization is not None
        assert records_of(EMAIL) == RECORDS
        assert service.delete(access=access_of(EMAIL))
    else:
        with pytest.raises(PortalError):
            principal_with(token)
        with pytest.raises(PortalError):
            accounts.log_in(email=EMAIL, password=PASSWORD)
    reconciled()
    assert [found.slug for found in service.all_organizations()] == ["neighbour"]
    assert sign_up("Acme", email=EMAIL).organization.slug == "acme"
    with pytest.raises(PortalError):
        principal_with(token)
    assert records_of(EMAIL) == []
    assert records_of("owner@neighbour.example") == RECORDS


def every_crash_point(try_once: Callable[[int, str], bool], *, step: int = EVERY) -> int:
    """Call with command 1, 1 + `step`, … before and after, until it no longer triggers; how many points there were."""
    points = 0
    for when in ("before", "after"):
        for command in range(1, MORE_COMMANDS_THAN_ANY_OPERATION, step):
            if not try_once(command, when):
                break
            points += 1
        else:
            pytest.fail("the operation never came to its end")
    return points


def at_least(commands: int, *, step: int = EVERY) -> int:
    """How many points an operation of so many commands has; its first command, before and after, in any case."""
    return max(2, commands // step)


def test_a_sign_up_killed_at_any_command_is_whole_or_gone(crasher: Crasher) -> None:
    def try_once(command: int, when: str) -> bool:
        empty(database.master())
        outcome = crasher.run("sign_up", command, when, input=SIGN_UP)
        assert outcome["triggered"] or outcome["fate"] == "finished", outcome
        assert_sign_up_is_settled()
        return bool(outcome["triggered"])

    assert every_crash_point(try_once) >= at_least(14)


def test_a_killed_sign_up_that_is_repeated_under_its_key_gives_the_first_organization(crasher: Crasher) -> None:
    def try_once(command: int, when: str) -> bool:
        empty(database.master())
        outcome = crasher.run("sign_up", command, when, input=SIGN_UP | {"origin": "key"})
        reconciled()
        first = [found.id for found in service.all_organizations()]
        again = sign_up("Acme", email=EMAIL, origin="key")
        assert again.organization.status == ACTIVE
        assert first in ([], [again.organization.id])
        assert again.account_id == accounts.first_owner(org_id=again.organization.id)
        return bool(outcome["triggered"])

    assert every_crash_point(try_once) >= at_least(14)


@pytest.mark.parametrize("renames_natively", [False, True], ids=["copying", "renameCollection"])
def test_a_rename_killed_at_any_command_keeps_every_record_under_one_name(
    crasher: Crasher, monkeypatch: pytest.MonkeyPatch, renames_natively: bool
) -> None:
    if renames_natively:
        monkeypatch.setattr(database, "copies_on_rename", lambda cluster: False)

    def try_once(command: int, when: str) -> bool:
        empty(database.master())
        seed()
        change = {"slug": "bcme", "organization_name": "Bcme"}
        outcome = crasher.run("rename", command, when, email=EMAIL, input=change, renames_natively=renames_natively)
        assert outcome["triggered"] or outcome["fate"] == "finished", outcome
        assert_rename_is_settled()
        return bool(outcome["triggered"])

    assert every_crash_point(try_once) >= at_least(12)


def test_a_deletion_killed_at_any_command_ends_in_nothing(crasher: Crasher) -> None:
    def try_once(command: int, when: str) -> bool:
        empty(database.master())
        seed()
        token = token_of(EMAIL)
        outcome = crasher.run("delete", command, when, email=EMAIL)
        assert outcome["triggered"] or outcome["fate"] == "finished", outcome
        assert_delete_is_settled(token)
        return bool(outcome["triggered"])

    assert every_crash_point(try_once) >= at_least(12)


class KilledDatabase:
    """A durable server of the test's own, killed at a command and started again."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self.crasher = Crasher(server.uri, settings.MONGODB_DATABASE)

    def crash(self, operation: str, command: int, when: str, **request: Any) -> bool:
        outcome = self.crasher.run(operation, command, when, victim=self.server.pid, **request)
        if outcome["triggered"]:
            self.server.kill()
            self.server.start()
            database.forget_clients()
        return bool(outcome["triggered"])


@pytest.fixture(scope="module")
def _killed_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledDatabase]:
    killed = KilledDatabase(DatabaseServer(tmp_path_factory.mktemp("killed") / "database").start())
    yield killed
    killed.crasher.close()
    killed.server.kill()


@pytest.fixture
def killed_database(_killed_database: KilledDatabase, settings: Any) -> Iterator[KilledDatabase]:
    database.forget_clients()
    settings.MONGODB_URI = _killed_database.server.uri
    indexes.ensure_indexes()
    yield _killed_database
    database.forget_clients()


@pytest.mark.parametrize("operation", ["sign_up", "rename", "delete"])
def test_a_database_killed_at_any_command_loses_nothing(operation: str, killed_database: KilledDatabase) -> None:
    def try_once(command: int, when: str) -> bool:
        empty(database.master())
        if operation == "sign_up":
            triggered = killed_database.crash(operation, command, when, input=SIGN_UP)
            assert_sign_up_is_settled()
            return triggered
        seed()
        token = token_of(EMAIL)
        change = {"slug": "bcme", "organization_name": "Bcme"}
        triggered = killed_database.crash(operation, command, when, email=EMAIL, input=change)
        if operation == "rename":
            assert_rename_is_settled()
        else:
            assert_delete_is_settled(token)
        return triggered

    assert every_crash_point(try_once, step=EVERY_WITH_THE_DATABASE) >= at_least(12, step=EVERY_WITH_THE_DATABASE)
