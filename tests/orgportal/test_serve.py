"""`make run` from the outside: what it says, what it leaves behind, and what brings it back."""

import io
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from pytest_django import Settings

from orgportal import database, supervisor
from tests.processes import descendants, is_alive
from tests.serving import Serving
from tests.waiting import wait_until

pytestmark = pytest.mark.chaos

# What its command line has, and what is told when it ended.
PARTS = [
    ("secantus", "embedded database ended"),
    ("gunicorn", "web server ended (killed by SIGKILL)"),
    ("manage.py worker", "worker ended (killed by SIGKILL)"),
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One data folder for the tests of this module, since a start costs as much as all of them."""
    running = Serving(tmp_path_factory.mktemp("serve")).start()
    yield running
    running.stop()


@pytest.fixture
def serving(started: Serving) -> Serving:
    """A portal that runs. Tests may hurt it, as long as it recovers, or end it."""
    return started if started.runs else started.start()


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """What the portal does to this process's signals is undone."""
    before = {number: signal.getsignal(number) for number in supervisor.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _write_something(serving: Serving) -> None:
    with serving.mongo() as client:
        client["orgportal"]["kept"].replace_one({"_id": 1}, {"value": "acknowledged"}, upsert=True)


def _is_still_there(serving: Serving) -> bool:
    with serving.mongo() as client:
        return client["orgportal"]["kept"].find_one({"_id": 1}) == {"_id": 1, "value": "acknowledged"}


def test_it_prints_its_address_and_answers_there(serving: Serving) -> None:
    assert f"orgportal is ready: {serving.base_url}\n" in serving.output
    assert "Press Ctrl-C to stop it." in serving.output
    assert httpx.get(f"{serving.base_url}/healthz").status_code == 200
    assert httpx.get(f"{serving.base_url}/readyz").status_code == 200


def test_what_it_generates_is_readable_by_its_owner_alone(serving: Serving) -> None:
    assert stat.S_IMODE(serving.data_dir.stat().st_mode) == 0o700
    for name in ["secret_key", "signing_key.pem", "database_password", "database.json", "owner.lock"]:
        assert stat.S_IMODE((serving.data_dir / name).stat().st_mode) == 0o600, name


def test_its_database_listens_on_the_loopback_interface_alone(serving: Serving) -> None:
    line = serving.processes()[serving.pid_of("secantus")]

    assert "--host 127.0.0.1" in line
    assert "--auth" in line
    assert "--sync-on-commit" in line


@pytest.mark.usefixtures("signal_handlers")
def test_a_second_one_on_the_same_data_says_who_has_it(serving: Serving, settings: Settings) -> None:
    settings.MONGODB_URI = ""
    settings.DATA_DIR = serving.data_dir

    with pytest.raises(SystemExit) as refused:
        call_command("serve", stdout=io.StringIO())

    # Python prints these words and exits with 1.
    assert refused.value.code == (
        f"orgportal cannot run. {serving.data_dir} is in use by process {serving.pid} ({serving.base_url}). "
        "Stop that first, or start with another DATA_DIR and PORT."
    )
    assert serving.ready()


@pytest.mark.usefixtures("signal_handlers")
def test_a_port_that_is_taken_is_named(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MONGODB_URI = ""
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(supervisor, "PORT_PATIENCE", 0.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings.PORT = other.getsockname()[1]

        with pytest.raises(SystemExit) as refused:
            call_command("serve", stdout=io.StringIO())

    assert refused.value.code == (
        f"orgportal cannot run. Port {settings.PORT} on 127.0.0.1 cannot be used (Address already in use). "
        f"Choose another, for example: PORT={settings.PORT + 1} make run"
    )
    assert (settings.DATA_DIR / "owner.lock").read_text(encoding="utf-8") == ""


def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path) -> None:
    wrong = Serving(tmp_path, settings={"WEB_THREADS": "many"}).launch()

    assert wrong.exit_code() == 1
    assert (
        wrong.output.strip() == "orgportal cannot start. Wrong settings in the environment: WEB_THREADS: not a number"
    )
    assert not wrong.data_dir.exists()


@pytest.mark.parametrize(("part", "told"), PARTS)
def test_a_killed_part_comes_back_and_nothing_is_lost(serving: Serving, part: str, told: str) -> None:
    _write_something(serving)
    before = serving.pid_of(part)
    killed = [before, *descendants(before)]

    os.kill(before, signal.SIGKILL)

    wait_until(lambda: not [pid for pid in killed if is_alive(pid)], f"{part} and what it started to be dead")
    wait_until(lambda: any(part in line for line in serving.processes().values()), f"{part} to be started again")
    wait_until(serving.ready, "the portal to be ready again")
    assert serving.pid_of(part) != before
    assert f"The {told} and is started again.\n" in serving.output
    assert _is_still_there(serving)


def test_a_killed_gunicorn_worker_comes_back(serving: Serving) -> None:
    master = serving.pid_of("gunicorn")
    [worker] = [pid for pid, line in serving.processes().items() if "gunicorn" in line and pid != master]

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: not is_alive(worker), "the worker process to be dead")
    wait_until(serving.ready, "the portal to be ready again")


def test_other_commands_use_the_running_database(serving: Serving, settings: Settings) -> None:
    settings.MONGODB_URI = ""
    settings.MONGODB_DATABASE = "orgportal"
    settings.DATA_DIR = serving.data_dir
    written = io.StringIO()
    database.forget_clients()
    try:
        with serving.mongo() as client:
            keys = client["orgportal"]["idempotency_keys"]
            keys.drop_index("expires_at")

            call_command("ensure_indexes", stdout=written)

            assert "expires_at" in keys.index_information()
    finally:
        database.forget_clients()
    assert "indexes are in place" in written.getvalue()
    assert serving.ready()


def test_killed_itself_it_leaves_no_process_and_the_next_start_finds_everything(serving: Serving) -> None:
    _write_something(serving)
    processes = serving.processes()

    serving.send(signal.SIGKILL)

    assert serving.exit_code() == -signal.SIGKILL
    wait_until(lambda: not [pid for pid in processes if is_alive(pid)], "all its processes to end")
    serving.start()
    assert _is_still_there(serving)
    assert serving.ready()


def _assert_that_it_stops(serving: Serving, number: int) -> None:
    processes = serving.processes()
    serving.send(number)
    assert serving.exit_code() == 0
    assert serving.output.endswith("orgportal has stopped.\n")
    assert [pid for pid in processes if is_alive(pid)] == []
    assert (serving.data_dir / "owner.lock").read_text(encoding="utf-8") == ""
    assert not (serving.data_dir / "database.json").exists()


# One handler serves the three signals in both moments; the long ones are what is left of each signal in each.
@pytest.mark.parametrize(
    ("when_it_runs", "while_it_starts"),
    [
        (signal.SIGTERM, signal.SIGINT),
        pytest.param(signal.SIGINT, signal.SIGHUP, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_asked_to_stop_it_leaves_no_process(serving: Serving, when_it_runs: int, while_it_starts: int) -> None:
    assert len(serving.processes()) == 4
    _assert_that_it_stops(serving, when_it_runs)

    serving.launch()
    wait_until(lambda: any("gunicorn" in line for line in serving.processes().values()), "gunicorn to be started")
    _assert_that_it_stops(serving, while_it_starts)
