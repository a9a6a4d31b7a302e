"""`manage.py worker`: works from the start, outlives the database, ends when asked."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.portals import ROOT, clean_environment
from tests.processes import is_alive
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
        client["orgportal"]["clusters"].update_one({"_id": "master"}, {"$set": {"organizations": count}}, upsert=True)


def _count(database: DatabaseServer) -> int | None:
    with database.client() as client:
        row = client["orgportal"]["clusters"].find_one({"_id": "master"})
    return row["organizations"] if row else None


def test_it_reconciles_at_its_start(worker: Worker, database: DatabaseServer) -> None:
    wait_until(lambda: _count(database) == 0, "the organizations to be counted")
    assert "worker_started" in worker.log


def test_it_outlives_the_database_and_then_reconciles_everything(worker: Worker, database: DatabaseServer) -> None:
    wait_until(lambda: _count(database) == 0, "the organizations to be counted")
    _set_count(database, 99)

    database.kill()
    wait_until(lambda: "database_unavailable" in worker.log, "the outage to be logged")
    assert worker.process.poll() is None
    database.start()

    wait_until(lambda: _count(database) == 0, "the organizations to be counted again")
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked(worker: Worker, number: int) -> None:
    wait_until(lambda: "worker_started" in worker.log, "the worker to start")

    worker.process.send_signal(number)

    assert worker.process.wait(30) == 0
    assert "worker_stopped" in worker.log


def test_it_ends_when_asked_while_the_database_is_away(worker: Worker, database: DatabaseServer) -> None:
    database.kill()
    wait_until(lambda: "database_unavailable" in worker.log, "the outage to be logged")

    worker.process.send_signal(signal.SIGTERM)

    assert worker.process.wait(30) == 0


def test_an_error_of_its_work_does_not_end_it(worker: Worker, database: DatabaseServer) -> None:
    with database.client() as client:
        client["orgportal"]["organizations"].insert_one({"_id": "not an organization", "due_at": LONG_AGO})

    wait_until(lambda: "Traceback" in worker.log or "failed" in worker.log, "the failure to be logged")
    assert is_alive(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(30) == 0
