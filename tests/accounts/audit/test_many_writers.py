"""Processes that act at once: the chains are whole, without a gap, and nothing happened that is not in them."""

import subprocess
import sys
import time

import pytest
from bson import ObjectId

from accounts.audit import entries, tallies
from orgportal import database
from tests.accounts.audit.chains import broken, stored
from tests.portals import ROOT


def _act_at_once(processes: int, acts: int, *, killed: int = 0) -> list[ObjectId]:
    organizations = [ObjectId() for _ in range(3)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.audit.writers", str(processes), str(acts), str(killed)],
        input="\n".join(map(str, organizations)),
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"{processes} processes, {acts} acts in each: {time.monotonic() - began:.1f} s")
    return organizations


def _environment() -> dict[str, str]:
    import os

    return os.environ | {"DJANGO_SETTINGS_MODULE": "orgportal.settings", "LOG_LEVEL": "ERROR"}


def _check(organizations: list[ObjectId], *, processes: int, acts: int, killed: int = 0) -> None:
    tallies.settle(until=entries.instant() + 3 * tallies.WINDOW)
    assert broken() == {}
    rows = [row for chain in (None, *organizations) for row in stored(chain)]
    named = {(row["details"].get("deed"), row["org_id"]): row for row in rows if row["result"] == "done"}
    failures = {row["details"]["entry"] for row in rows if row["result"] == "failed"}
    refusals = sum(row["details"].get("times", 1) for row in rows if row["result"] == "refused")
    deeds = list(database.collection("deeds").find({}))
    if not killed:
        assert len(deeds) == processes * acts
    for deed in deeds:
        if deed["kind"] == "refused":
            continue
        for chain in deed["chains"]:
            entry = named[(deed["name"], chain)]
            assert (entry["id"] in failures) == (deed["kind"] == "failed"), deed
    counted = sum(len(deed["chains"]) for deed in deeds if deed["kind"] == "refused")
    assert counted <= refusals <= counted + 2 * killed
    print(f"{len(deeds)} deeds, {len(rows)} entries in {1 + len(organizations)} chains: whole")


def test_four_processes_at_once_leave_whole_chains() -> None:
    organizations = _act_at_once(4, 25)
    _check(organizations, processes=4, acts=25)


@pytest.mark.long
def test_eight_processes_at_once_leave_whole_chains() -> None:
    organizations = _act_at_once(8, 125)
    _check(organizations, processes=8, acts=125)


@pytest.mark.long
@pytest.mark.chaos
@pytest.mark.parametrize("attempt", range(5))
def test_processes_that_are_killed_on_the_way_leave_whole_chains(attempt: int) -> None:
    organizations = _act_at_once(8, 60, killed=6)
    _check(organizations, processes=8, acts=60, killed=6)
