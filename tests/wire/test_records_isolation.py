"""Two organizations, eight threads each, importing, reading, changing and deleting at once: no record crosses."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import pytest
from django.test import override_settings

from orgportal import database
from tests.effort import effort
from tests.portals import Portal
from tests.wire.marked import Marked, marked_organizations, markers_in

THREADS_EACH = 8
ROUNDS = effort(short=8, full=120)
LINES = 20
# Said when two of one organization's threads meet: one import at a time, a count that has changed, a record gone.
MEETINGS = {404, 409, 412}

Watch = Counter[str]
Action = Callable[[httpx.Client, Marked, random.Random], httpx.Response]


def _import(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    lines = [{"secret": f"line {number} of {owner.marker}", "number": number} for number in range(LINES)]
    body = "\n".join(json.dumps(line) for line in lines)
    return http.post(f"/api/v1/orgs/{owner.slug}/imports?format=ndjson", content=body, headers=_file(owner))


def _upsert(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    # Both organizations use the very same record ids.
    lines = [{"_id": f"shared-{number}", "secret": owner.marker, "number": number} for number in range(LINES)]
    body = "\n".join(json.dumps(line) for line in lines)
    path = f"/api/v1/orgs/{owner.slug}/imports?format=ndjson&mode=upsert"
    return http.post(path, content=body, headers=_file(owner))


def _file(owner: Marked) -> dict[str, str]:
    return {**owner.bearer, "Content-Type": "application/x-ndjson"}


def _create(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    body = {"data": {"secret": owner.marker, "number": chance.randrange(LINES)}}
    return http.post(f"/api/v1/orgs/{owner.slug}/records", json=body, headers=owner.bearer)


def _read(path: str, http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    shared = f"shared-{chance.randrange(LINES)}"
    return http.get(f"/api/v1/orgs/{owner.slug}/{path}".format(shared=shared), headers=owner.bearer)


def _change(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    path = f"/api/v1/orgs/{owner.slug}/records/shared-{chance.randrange(LINES)}"
    return http.patch(path, json={"data": {"changed by": owner.marker}}, headers=owner.bearer)


def _delete(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    path = f"/api/v1/orgs/{owner.slug}/records/shared-{chance.randrange(LINES)}"
    return http.delete(path, headers=owner.bearer)


def _delete_matching(http: httpx.Client, owner: Marked, chance: random.Random) -> httpx.Response:
    chosen = {"number": {"$gte": 3, "$lt": 3 + chance.randrange(5)}}
    path = f"/api/v1/orgs/{owner.slug}/records"
    counted = http.get(f"{path}/count", params={"filter": json.dumps(chosen)}, headers=owner.bearer)
    body = {"filter": chosen, "expected_count": counted.json().get("count", 0)}
    return http.post(f"{path}/delete-matching", json=body, headers=owner.bearer)


ACTIONS: dict[str, Action] = {
    "import": _import,
    "upsert": _upsert,
    "create": _create,
    "list": partial(_read, "records?limit=100"),
    "sorted": partial(_read, "records?limit=50&sort=-number,secret"),
    "get": partial(_read, "records/{shared}"),
    "export": partial(_read, "exports?format=ndjson"),
    "change": _change,
    "delete": _delete,
    "delete matching": _delete_matching,
}


def _work(http: httpx.Client, task: tuple[Marked, int]) -> tuple[Watch, list[str]]:
    owner, seed = task
    chance, watch, wrong = random.Random(seed), Watch(), []
    for _ in range(ROUNDS):
        name = chance.choice(list(ACTIONS))
        answer = ACTIONS[name](http, owner, chance)
        if markers_in(answer.text) - {owner.marker}:
            wrong.append(f"{name}: another's marker in {answer.text[:200]}")
        if answer.status_code >= 300 and answer.status_code not in MEETINGS:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")
        if owner.marker in answer.text:
            watch[name] += 1
    return watch, wrong


@pytest.fixture
def http(live_portal: Portal) -> Iterator[httpx.Client]:
    # No cookie is kept: every request says whose it is, on connections that all share.
    forgetful = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    with (
        override_settings(MONGODB_DATABASE=live_portal.database),
        httpx.Client(base_url=live_portal.base_url, timeout=60, cookies=forgetful) as client,
    ):
        yield client


def test_no_record_crosses_between_two_organizations_that_use_the_same_ids(http: httpx.Client) -> None:
    owners = marked_organizations(2)
    for owner in owners:
        owner.sign_up(http)
    tasks = [(owner, seed) for seed in range(THREADS_EACH) for owner in owners]
    with ThreadPoolExecutor(len(tasks)) as threads:
        outcomes = list(threads.map(partial(_work, http), tasks))

    assert [line for _, wrong in outcomes for line in wrong] == []
    seen = sum((watch for watch, _ in outcomes), Watch())
    for name in ("create", "list", "sorted", "export"):
        assert seen[name], f"no answer to {name} held any record"
    for owner in owners:
        stored = list(database.collection(f"org_{owner.slug}").find({}))
        assert stored
        assert all(markers_in(str(document)) <= {owner.marker} for document in stored)
