"""`make run` from the outside: what it says, what it leaves behind, and what brings it back."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes import is_alive
from tests.serving import Serving
from tests.waiting import wait_until

pytestmark = pytest.mark.chaos

PARTS = ["secantus", "gunicorn", "manage.py worker"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A portal that the tests of this module may hurt, as long as it recovers."""
    running = Serving(tmp_path_factory.mktemp("serve")).start()
    yield running
    running.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Serving]:
    """A portal that is not started yet, for one test alone."""
    running = Serving(tmp_path)
    yield running
    running.stop()


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


def test_a_second_one_on_the_same_data_says_who_has_it(serving: Serving, tmp_path: Path) -> None:
    second = Serving(tmp_path, settings={"DATA_DIR": str(serving.data_dir)}).launch()

    assert second.exit_code() == 1
    assert (
        f"orgportal cannot run. {serving.data_dir} is in use by process {serving.pid} ({serving.base_url})."
        in second.output
    )
    assert "another DATA_DIR and PORT" in second.output
    assert "Traceback" not in second.output
    assert serving.ready()


def test_a_port_that_is_taken_is_named(own: Serving) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own.port))
        other.listen()
        own.launch()

        assert own.exit_code() == 1
    assert f"orgportal cannot run. Port {own.port} on 127.0.0.1 cannot be used" in own.output
    assert "Traceback" not in own.output


def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path) -> None:
    wrong = Serving(tmp_path, settings={"WEB_THREADS": "many"}).launch()

    assert wrong.exit_code() == 1
    assert (
        wrong.output.strip() == "orgportal cannot start. Wrong settings in the environment: WEB_THREADS: not a number"
    )
    assert not wrong.data_dir.exists()


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back_and_nothing_is_lost(serving: Serving, part: str) -> None:
    _write_something(serving)
    before = serving.pid_of(part)

    os.kill(before, signal.SIGKILL)

    wait_until(lambda: not is_alive(before), f"{part} to be dead")
    wait_until(lambda: any(part in line for line in serving.processes().values()), f"{part} to be started again")
    wait_until(serving.ready, "the portal to be ready again")
    assert serving.pid_of(part) != before
    assert "is started again" in serving.output
    assert _is_still_there(serving)


def test_a_killed_gunicorn_worker_comes_back(serving: Serving) -> None:
    master = serving.pid_of("gunicorn")
    [worker] = [pid for pid, line in serving.processes().items() if "gunicorn" in line and pid != master]

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: not is_alive(worker), "the worker process to be dead")
    wait_until(serving.ready, "the portal to be ready again")


def test_other_commands_use_the_running_database(serving: Serving) -> None:
    database = serving.pid_of("secantus")

    answer = serving.manage("ensure_indexes")

    assert answer.returncode == 0, answer.stderr
    assert "indexes are in place" in answer.stdout
    assert serving.pid_of("secantus") == database


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.long)])
def test_asked_to_stop_it_leaves_no_process(own: Serving, number: int) -> None:
    own.start()
    processes = own.processes()
    assert len(processes) == 4

    own.send(number)

    assert own.exit_code() == 0
    assert own.output.endswith("orgportal has stopped.\n")
    assert [pid for pid in processes if is_alive(pid)] == []
    assert (own.data_dir / "owner.lock").read_text(encoding="utf-8") == ""
    assert not (own.data_dir / "database.json").exists()


def test_asked_to_stop_while_it_starts_it_leaves_no_process(own: Serving) -> None:
    own.launch()
    wait_until(lambda: any("gunicorn" in line for line in own.processes().values()), "gunicorn to be started")
    processes = own.processes()

    own.send(signal.SIGTERM)

    assert own.exit_code() == 0
    assert [pid for pid in processes if is_alive(pid)] == []


def test_killed_itself_it_leaves_no_process_and_the_next_start_finds_everything(own: Serving, tmp_path: Path) -> None:
    own.start()
    _write_something(own)
    processes = own.processes()

    own.send(signal.SIGKILL)

    own.exit_code()
    wait_until(lambda: not [pid for pid in processes if is_alive(pid)], "all its processes to end")
    again = Serving(tmp_path, port=own.port).start()
    try:
        assert _is_still_there(again)
        assert again.ready()
    finally:
        again.stop()
