"""The embedded database: its own password, its own folder, one owner, and a watchdog."""

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pytest_django import Settings

from orgportal import embedded
from orgportal.embedded import CannotStart, EmbeddedDatabase, NotRunning
from orgportal.owner import owning
from orgportal.watchdog import Watchdog
from tests.portals import ROOT, clean_environment
from tests.processes import is_alive
from tests.waiting import wait_until

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after its first start, for copies."""
    folder = tmp_path_factory.mktemp("provisioned") / "data"
    folder.mkdir()
    # The rest of a first start is that of every other.
    EmbeddedDatabase(folder)._provision()
    return folder


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, provisioned: Path) -> Iterator[EmbeddedDatabase]:
    """One server for the tests of this module."""
    folder = tmp_path_factory.mktemp("started") / "data"
    shutil.copytree(provisioned, folder)
    running = EmbeddedDatabase(folder)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def server(started: EmbeddedDatabase, settings: Settings) -> EmbeddedDatabase:
    """A running one, of the portal that the settings tell of. Tests may hurt or end it."""
    settings.MONGODB_URI = ""
    settings.DATA_DIR = started.data_dir
    if started.pid is None:
        started.start()
    return started


@pytest.fixture
def new_data_dir(tmp_path: Path, settings: Settings) -> Path:
    """The data folder of a portal that uses the embedded database and was never started."""
    settings.MONGODB_URI = ""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def data_dir(new_data_dir: Path, provisioned: Path) -> Path:
    """The data folder of a portal that was started before."""
    shutil.copytree(provisioned, new_data_dir, dirs_exist_ok=True)
    return new_data_dir


def _connect(uri: str) -> "MongoClient[dict[str, Any]]":
    return MongoClient(uri, timeoutMS=10_000)


def test_without_the_password_nothing_is_told(server: EmbeddedDatabase) -> None:
    with _connect(f"mongodb://127.0.0.1:{server.port}/?retryWrites=false") as stranger:
        attempts: list[Callable[[], object]] = [
            stranger.list_database_names,
            stranger["orgportal"]["accounts"].find_one,
            lambda: stranger["orgportal"]["accounts"].insert_one({}),
            lambda: stranger.admin.command("createUser", "me", pwd="me", roles=["root"]),
        ]
        for attempt in attempts:
            with pytest.raises(OperationFailure, match="requires authentication"):
                attempt()


def test_how_to_reach_it_is_known_to_its_owner_alone(server: EmbeddedDatabase) -> None:
    assert embedded.running_uri() == server.uri
    for name in ["database.json", "database_password"]:
        assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o600
    note = json.loads((server.data_dir / "database.json").read_text(encoding="utf-8"))
    assert note["pid"] == server.pid


def test_the_password_is_on_no_command_line(server: EmbeddedDatabase) -> None:
    password = (server.data_dir / "database_password").read_text(encoding="utf-8")
    assert server.pid is not None

    assert password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_stopped_it_is_not_running_and_data_survive_a_stop_and_a_kill(server: EmbeddedDatabase) -> None:
    pid = server.pid
    assert pid is not None
    with _connect(server.uri) as client:
        client["orgportal"]["ends"].insert_one({"_id": "before a stop"})

    server.stop()

    assert server.pid is None
    assert not is_alive(pid)
    with pytest.raises(NotRunning, match=str(server.data_dir)):
        embedded.running_uri()
    server.start()
    with _connect(server.uri) as client:
        client["orgportal"]["ends"].insert_one({"_id": "before a kill"})

    server.kill()

    server.start()
    with _connect(server.uri) as client:
        assert set(client["orgportal"]["ends"].distinct("_id")) == {"before a stop", "before a kill"}


def test_what_a_killed_owner_left_is_not_taken_for_a_running_one(new_data_dir: Path) -> None:
    note = {"uri": "mongodb://127.0.0.1:1/", "port": 1, "pid": 1}
    (new_data_dir / "database.json").write_text(json.dumps(note), encoding="utf-8")

    with pytest.raises(NotRunning):
        embedded.running_uri()


def test_a_first_start_that_broke_off_is_made_anew(new_data_dir: Path) -> None:
    (new_data_dir / "database.new").mkdir()
    (new_data_dir / "database.new" / "WiredTiger").write_text("half written", encoding="ascii")
    server = EmbeddedDatabase(new_data_dir)

    server.start()

    assert server.answers()
    server.stop()
    assert not (new_data_dir / "database.new").exists()


def test_a_password_that_does_not_fit_is_named(data_dir: Path) -> None:
    (data_dir / "database_password").write_text("another", encoding="ascii")
    server = EmbeddedDatabase(data_dir)

    with pytest.raises(CannotStart, match="database_password is not the password of"):
        server.start()
    server.stop()


def test_a_damaged_folder_is_named_with_its_log(data_dir: Path) -> None:
    for file in (data_dir / "database").iterdir():
        file.write_bytes(b"damaged")

    with pytest.raises(CannotStart, match=r"ended at its start; its log is .*database\.log"):
        EmbeddedDatabase(data_dir).start()


def test_a_large_log_is_put_aside_at_the_next_start(server: EmbeddedDatabase) -> None:
    server.stop()
    server.log.write_bytes(b"x" * (embedded.LOG_BYTES + 1))

    server.start()

    assert server.log.stat().st_size < embedded.LOG_BYTES
    assert (server.data_dir / "database.log.1").stat().st_size == embedded.LOG_BYTES + 1


def test_commands_use_that_of_a_running_portal(server: EmbeddedDatabase) -> None:
    with owning(server.data_dir, "http://127.0.0.1:8000", lasts=True), embedded.available():
        assert embedded.running_uri() == server.uri
    assert server.answers()


def test_commands_leave_a_given_mongodb_alone(new_data_dir: Path, settings: Settings) -> None:
    settings.MONGODB_URI = "mongodb://db.example"

    with embedded.available():
        assert list(new_data_dir.iterdir()) == []


def _ensuring_indexes(data_dir: Path) -> "subprocess.Popen[bytes]":
    environment = clean_environment() | {"DATA_DIR": str(data_dir), "ORGPORTAL_ENV": "local"}
    command = [sys.executable, "manage.py", "ensure_indexes"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _has_open(process: "subprocess.Popen[bytes]", file: Path) -> bool:
    # What it has open changes while one looks.
    with suppress(FileNotFoundError):
        return any(each.readlink() == file for each in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


def _assert_that_it_succeeds(process: "subprocess.Popen[bytes]") -> None:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output.decode()
    assert b"indexes are in place" in output


def test_commands_take_turns_and_end_their_own_also_when_they_fail(data_dir: Path) -> None:
    with pytest.raises(CommandError, match="on purpose"), embedded.available():  # noqa: PT012 - the last line raises
        pid = json.loads((data_dir / "database.json").read_text(encoding="utf-8"))["pid"]
        other = _ensuring_indexes(data_dir)
        with _connect(embedded.running_uri()) as client:
            client["orgportal"]["kept"].insert_one({"_id": 1})
            wait_until(lambda: _has_open(other, data_dir / "owner.lock"), "the other command to ask for the folder")
            assert client["orgportal"].list_collection_names() == ["kept"]
        raise CommandError("on purpose")

    assert not is_alive(pid)
    _assert_that_it_succeeds(other)
    with pytest.raises(NotRunning):
        embedded.running_uri()


@pytest.mark.long
def test_two_commands_at_once_take_turns_on_a_new_folder(tmp_path: Path) -> None:
    both = [_ensuring_indexes(tmp_path / "data") for _ in range(2)]

    for process in both:
        _assert_that_it_succeeds(process)


def _watched(server: EmbeddedDatabase, said: list[str]) -> Watchdog:
    return Watchdog(server, said.append, every=0.05, patience=0.5)


@pytest.mark.parametrize(
    ("fault", "told"),
    [("killed", "ended"), ("silent", "failed 3 probes"), ("only errors", "failed 3 probes")],
)
def test_a_server_that_no_longer_serves_is_started_again(server: EmbeddedDatabase, fault: str, told: str) -> None:
    with _connect(server.uri) as client:
        client["orgportal"]["kept"].insert_one({"_id": fault})
    before, port = server.pid, server.port
    assert before is not None
    said: list[str] = []
    watchdog = _watched(server, said)
    watchdog.start()
    if fault == "killed":
        os.kill(before, signal.SIGKILL)
    elif fault == "silent":
        os.kill(before, signal.SIGSTOP)
    else:
        # No file may grow any more, as on a full disk.
        resource.prlimit(before, resource.RLIMIT_FSIZE, (0, 0))

    def tended() -> bool:
        watchdog.tend()
        return server.pid not in (None, before)

    wait_until(tended, "the server to be started again")
    watchdog.stop()
    assert not is_alive(before)
    assert server.port == port
    assert said[0] == f"The embedded database {told} and is started again."
    with _connect(server.uri) as client:
        assert client["orgportal"]["kept"].find_one({"_id": fault})


def test_a_server_that_serves_is_left_alone(server: EmbeddedDatabase) -> None:
    before = server.pid
    said: list[str] = []
    watchdog = Watchdog(server, said.append, every=0.0, patience=5.0)
    watchdog.start()

    for _ in range(20):
        watchdog.tend()

    watchdog.stop()
    assert server.pid == before
    assert said == []


def test_a_server_that_cannot_be_started_again_is_tried_with_pauses(server: EmbeddedDatabase) -> None:
    said: list[str] = []
    watchdog = _watched(server, said)
    elsewhere = server.data_dir / "elsewhere"
    server.kill()
    server.folder.rename(elsewhere)
    server.folder.write_text("not a folder", encoding="ascii")

    def tended() -> bool:
        watchdog.tend()
        return any("ended at its start" in line for line in said)

    wait_until(tended, "the failure to be told")
    server.folder.unlink()
    elsewhere.rename(server.folder)
    wait_until(lambda: tended() and server.pid is not None, "the server to be started again")
    assert server.answers()
