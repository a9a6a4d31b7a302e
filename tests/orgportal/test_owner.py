"""One owner per data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orgportal.owner import AlreadyOwned, owning
from tests.portals import ROOT

HOLD = """
import sys, time
from pathlib import Path
from orgportal.owner import owning
with owning(Path(sys.argv[1]), "holding it", lasts=True):
    print("owned", flush=True)
    sys.stdin.read()
"""


def _holder(folder: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"owned\n"
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def test_a_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = _holder(tmp_path)
    try:
        with pytest.raises(AlreadyOwned) as refused, owning(tmp_path, "me", lasts=False):
            pytest.fail("owned by two")
    finally:
        _end(first)
    assert (refused.value.pid, refused.value.doing, refused.value.lasts) == (first.pid, "holding it", True)
    assert str(refused.value) == f"{tmp_path} is in use by process {first.pid} (holding it)."


def test_the_lock_of_a_killed_owner_is_free_at_once(tmp_path: Path) -> None:
    _end(_holder(tmp_path))

    with owning(tmp_path, "me", lasts=False):
        assert str(os.getpid()) in (tmp_path / "owner.lock").read_text(encoding="utf-8")


def test_a_child_that_outlives_its_owner_does_not_hold_the_lock(tmp_path: Path) -> None:
    with owning(tmp_path, "me", lasts=False):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        with owning(tmp_path, "me again", lasts=False):
            assert child.poll() is None
    finally:
        _end(child)


def test_an_owner_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    first = _holder(tmp_path)
    assert first.stdin is not None
    assert first.stdout is not None

    with first.stdout:
        first.stdin.close()
        with owning(tmp_path, "me", lasts=False, patience=30):
            assert first.wait(30) == 0


def test_an_owner_that_has_not_said_who_it_is_is_still_an_owner(tmp_path: Path) -> None:
    first = _holder(tmp_path)
    (tmp_path / "owner.lock").write_text("{", encoding="utf-8")
    try:
        with pytest.raises(AlreadyOwned, match="a process that is just starting"), owning(tmp_path, "me", lasts=False):
            pytest.fail("owned by two")
    finally:
        _end(first)


def test_nothing_is_left_to_read_when_it_is_given_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), owning(tmp_path / "new", "me", lasts=True):
        raise ZeroDivisionError
    assert (tmp_path / "new" / "owner.lock").read_text(encoding="utf-8") == ""
