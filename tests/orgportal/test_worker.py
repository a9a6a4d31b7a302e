"""`manage.py worker`: works from the start, outlives the database, ends when asked."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.portals import ROOT, clean_environment
from tests.servers import DatabaseServer
from tests.waiting import wait_until

pytestmark = pytest.mark.chaos

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


class Worker:
    """One worker process and what it logs."""

    def __init__(self, folder: Path, uri: str) -> None:
        self._log = folder / "worker.log"
        settings = {"ORGPORTAL_ENV": "local", "MONGODB_URI": uri, "DATA_DIR": str(folder), "DATABASE_DEADLINE": "1"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT, env=clean_environment() | settings, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def outages(self) -> int:
        """How often the reconciler found the database away; the other duties notice on their own."""
        lines = self.log.splitlines()
        return sum('"event": "database_unavailable"' in line and '"duty": "reconcile"' in line for line in lines)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def database(database_server: Callable[..., DatabaseServer]) -> DatabaseServer:
    return database_server()


@pytest.fixture
def worker(tmp_path: Path, database: DatabaseServer) -> Iterator[Worker]:
    running = Worker(tmp_path, database.uri)
    yield running
    running.stop()


def _set_count(database: DatabaseServer, count: int) -> None:
    with database.client() as client:
        client["orgportal"]["clusters"].update_one({"_id": "master"}, {"$set": {"organizations": count}})


def _wait_until_counted(database: DatabaseServer) -> None:
    with database.client() as client:
        clusters = client["orgportal"]["clusters"]
        wait_until(lambda: clusters.find_one({"_id": "master", "organizations": 0}), "the organizations to be counted")


# A signal does the same whether the database is there or away: each is sent in one case, and in both by the long ones.
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_it_reconciles_at_its_start_survives_an_error_and_ends_when_asked(
    worker: Worker, database: DatabaseServer, number: int
) -> None:
    _wait_until_counted(database)
    assert "worker_started" in worker.log

    with database.client() as client:
        client["orgportal"]["organizations"].insert_one({"_id": "not an organization", "due_at": LONG_AGO})
    wait_until(lambda: "duty_failed" in worker.log, "the failure to be logged")
    assert worker.runs

    worker.process.send_signal(number)
    assert worker.process.wait(30) == 0
    assert "worker_stopped" in worker.log


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_it_outlives_the_database_reconciles_everything_and_ends_when_asked_while_it_is_away(
    worker: Worker, database: DatabaseServer, number: int
) -> None:
    _wait_until_counted(database)
    _set_count(database, 99)

    database.kill()
    wait_until(worker.outages, "the outage to be logged")
    assert worker.runs
    database.start()

    _wait_until_counted(database)
    assert "Traceback" not in worker.log

    before = worker.outages()
    database.kill()
    wait_until(lambda: worker.outages() > before, "the next outage to be logged")
    worker.process.send_signal(number)
    assert worker.process.wait(30) == 0
