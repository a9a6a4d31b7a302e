"""scripts/countries.py: it finds a portal that keeps its promises in order, and one that does not out."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.portals import ROOT, Portal
from tests.servers import free_port
from tests.waiting import wait_until
from tests.wire.relays import Changed, Relay, unchanged

STEPS = [
    "signed up",
    "logged in",
    "renamed, every second",
    "deleted, every third",
    "the others log in again",
    "the deleted are locked out",
]


def run(url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the script as a person would."""
    return subprocess.run(
        [sys.executable, str(Path("scripts") / "countries.py"), "--url", url, *options],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def counts(output: str) -> dict[str, tuple[int, int]]:
    """How many of how many took each step."""
    lines = re.findall(r"^(\S.*?) +(\d+) of (\d+) +[\d.]+ s$", output, flags=re.MULTILINE)
    return {title: (int(right), int(total)) for title, right, total in lines}


def left_in(portal: Portal) -> dict[str, str]:
    """The slug and display name of every open organization of the portal's database."""
    with portal.mongo() as client:
        rows = client[portal.database]["organizations"].find({"status": "active"})
        return {row["slug"]: row["name"] for row in rows}


def none_is_being_deleted(portal: Portal) -> bool:
    """Whether every name is free that the deletions of earlier tests still hold back."""
    with portal.mongo() as client:
        return client[portal.database]["organizations"].count_documents({"status": "deleting"}) == 0


def test_nine_countries_live_their_lives(live_portal: Portal) -> None:
    before = set(left_in(live_portal))
    done = run(live_portal.base_url, "--limit", "9")
    assert done.returncode == 0, done.stdout + done.stderr
    taken = [(9, 9), (9, 9), (4, 4), (3, 3), (6, 6), (3, 3)]
    assert counts(done.stdout) == dict(zip(STEPS, taken, strict=True))
    assert "0 deviations." in done.stdout
    assert len(set(left_in(live_portal)) - before) == 6
    assert live_portal.manage("doctor").returncode == 0


def test_a_second_run_finds_the_names_taken_and_says_which_slugs_it_chose(live_portal: Portal) -> None:
    # A name that comes free between the two runs would be no other's any more.
    wait_until(lambda: none_is_being_deleted(live_portal), "the deleted to be gone")
    first = run(live_portal.base_url, "--limit", "2", "--quiet")
    second = run(live_portal.base_url, "--limit", "2", "--quiet")
    assert (first.returncode, second.returncode) == (0, 0), second.stdout + second.stderr
    note = r"^note: ABW: chose the slug aruba_abw\w*, .*\(taken\)$"
    assert re.search(note, second.stdout, re.MULTILINE)


def test_tidy_leaves_nothing_behind(live_portal: Portal) -> None:
    before = left_in(live_portal)
    done = run(live_portal.base_url, "--limit", "3", "--tidy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout)["deleted the rest (--tidy)"] == (2, 2)
    assert left_in(live_portal) == before


def test_a_login_that_a_deleted_organization_still_has_is_a_deviation(live_portal: Portal) -> None:
    def let_everybody_in(method: str, path: str, answer: httpx.Response) -> Changed:
        if path.endswith("/auth/login") and answer.status_code == 401:
            return 200, {"content-type": "application/json"}, b"{}"
        return unchanged(answer)

    with Relay(live_portal.base_url, let_everybody_in) as relay:
        done = run(relay.url, "--limit", "3")
    assert done.returncode == 1
    assert counts(done.stdout)["the deleted are locked out"] == (0, 1)
    assert re.search(r"^DEVIATION: \w+: the deleted are locked out: login to a deleted", done.stdout, re.MULTILINE)


def test_a_rename_that_loses_the_metadata_is_a_deviation(live_portal: Portal) -> None:
    def forget_metadata(method: str, path: str, answer: httpx.Response) -> Changed:
        status, headers, content = unchanged(answer)
        if method == "GET" and "/orgs/" in path and status == 200:
            content = json.dumps({**answer.json(), "metadata": {}}).encode()
        return status, headers, content

    with Relay(live_portal.base_url, forget_metadata) as relay:
        done = run(relay.url, "--limit", "2")
    assert done.returncode == 1
    assert "renamed, every second: the organization is shown as" in done.stdout


def test_it_waits_where_the_portal_asks_for_it(live_portal: Portal) -> None:
    refused: set[str] = set()
    lock = threading.Lock()

    def refuse_once(method: str, path: str, answer: httpx.Response) -> Changed:
        with lock:
            first = path.endswith("/auth/me") and answer.status_code == 200 and path not in refused
            refused.add(path)
        return (429, {"retry-after": "0"}, b"") if first else unchanged(answer)

    with Relay(live_portal.base_url, refuse_once) as relay:
        done = run(relay.url, "--limit", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of which 1 were put off by the portal" in done.stdout


def test_no_portal_is_a_deviation_and_not_a_traceback() -> None:
    done = run(f"http://127.0.0.1:{free_port()}", "--limit", "2")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("DEVIATION") == 2


@pytest.mark.long
def test_every_country_of_the_world_lives_its_life(live_portal: Portal) -> None:
    done = run(live_portal.base_url, "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout)["signed up"] == (249, 249)
    assert counts(done.stdout)["the others log in again"] == (166, 166)
    assert live_portal.manage("doctor").returncode == 0
