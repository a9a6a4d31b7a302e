"""Several people at the same records, and an organization that gets another name meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orgportal import database
from orgportal.errors import PortalError
from tenants import service
from tenants.access import Access
from tenants.records.listing import list_records
from tenants.records.store import create_record, get_record, patch_record, replace_record
from tests.scripts import body_of, log_in, problem_of, sign_up
from tests.wire.people import access_of
from tests.wire.people import sign_up as sign_up_below

pytestmark = pytest.mark.usefixtures("clean_database")

ACME = "owner@acme.example"
EDITORS = 6


@pytest.fixture
def acme() -> Access:
    sign_up_below("Acme", email=ACME)
    return access_of(ACME)


def test_patches_at_once_all_land(acme: Access) -> None:
    record = create_record(access=acme, data={})

    def patch(number: int) -> None:
        for turn in range(4):
            patch_record(access=acme, id=record.id, patch={f"editor{number}": turn})

    with ThreadPoolExecutor(EDITORS) as pool:
        list(pool.map(patch, range(EDITORS)))
    after = get_record(access=acme, id=record.id)
    assert after.data == {f"editor{number}": 3 for number in range(EDITORS)}
    assert after.rev == 1 + 4 * EDITORS


def test_of_many_editors_of_one_state_one_wins(acme: Access) -> None:
    record = create_record(access=acme, data={"n": -1})

    def replace(number: int) -> int:
        try:
            replace_record(access=acme, id=record.id, data={"n": number}, expected=[record.version])
        except PortalError as refused:
            return refused.status
        return 200

    with ThreadPoolExecutor(EDITORS) as pool:
        outcomes = list(pool.map(replace, range(EDITORS)))
    assert sorted(outcomes) == [200] + [412] * (EDITORS - 1)
    assert get_record(access=acme, id=record.id).data == {"n": outcomes.index(200)}


def test_creations_at_once_under_one_key_make_one_record(acme: Access) -> None:
    with ThreadPoolExecutor(EDITORS) as pool:
        made = list(pool.map(lambda _: create_record(access=acme, data={"n": 1}, origin="the same"), range(EDITORS)))
    assert len({record.id for record in made}) == 1
    assert len(list_records(access=acme).records) == 1


def test_what_is_acknowledged_during_a_rename_is_there_after_it(acme: Access) -> None:
    stop, kept, refusals = threading.Event(), [], []

    def write(number: int) -> None:
        for turn in range(10_000):
            if stop.is_set():
                return
            try:
                record = create_record(access=access_of(ACME), data={"n": turn}, origin=f"{number} {turn}")
                kept.append(patch_record(access=access_of(ACME), id=record.id, patch={"done": True}).id)
            except PortalError as refused:
                refusals.append((refused.code, refused.retry_after is not None))

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(write, number) for number in range(3)]
        try:
            while len(kept) < 10:
                time.sleep(0.01)
            service.update(access=access_of(ACME), slug="bcme")
            reached = len(kept)
            while len(kept) < reached + 5:
                time.sleep(0.01)
        finally:
            stop.set()
        for one in running:
            one.result()
    found: dict[str, Any] = {}
    cursor = None
    while True:
        page = list_records(access=access_of(ACME), limit=500, cursor=cursor)
        found |= {record.id: record.data for record in page.records}
        cursor = page.next_cursor
        if cursor is None:
            break
    assert all(found[id_]["done"] for id_ in kept)
    # A token that was made before the rename is none after it.
    assert set(refusals) <= {("organization_busy", True), ("unauthenticated", False)}


def test_a_write_while_the_name_changes_is_503_with_retry_after() -> None:
    sign_up("Acme")
    script = log_in(ACME)
    made = body_of(script.post("/api/v1/orgs/acme/records", {"data": {"n": 1}}))
    database.collection("organizations").update_one({"slug": "acme"}, {"$set": {"status": "renaming"}})
    path = f"/api/v1/orgs/acme/records/{made['id']}"
    for method, at, body in (
        ("POST", "/api/v1/orgs/acme/records", {"data": {}}),
        ("PUT", path, {"data": {}}),
        ("PATCH", path, {"data": {"n": 2}}),
        ("DELETE", path, None),
    ):
        answer = script.call(method, at, body)
        assert problem_of(answer) == (503, "organization_busy"), method
        assert answer["Retry-After"]
    assert body_of(script.get(path)) == made
