"""kill -9 of worker and database while records are checked and an index is built: it goes on, and is right."""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.portals import Portal
from tests.servers import DatabaseServer
from tests.waiting import wait_until
from tests.wire.people import PASSWORD

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
# Most of the time is spent waiting for leases; tests/tenants/ kills at every step within one process.
pytestmark = pytest.mark.long

KILLS = [(2, 3000), (20, 40_000)]
EMAIL = "owner@acme.example"


def signed_up(portal: Portal) -> httpx.Client:
    """The owner of a new organization, logged in."""
    http = httpx.Client(base_url=f"{portal.base_url}/api/v1", timeout=30)
    body = {"organization_name": "Acme", "email": EMAIL, "password": PASSWORD}
    assert http.post("/orgs", json=body).status_code == 201
    token = http.post("/auth/login", json={"email": EMAIL, "password": PASSWORD}).json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return http


def fill(portal: Portal, count: int) -> None:
    """That many records, put into the collection itself."""
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with portal.mongo() as client:
        for start in range(0, count, 1000):
            rows = []
            for number in range(start, start + 1000):
                stamp = begin + timedelta(milliseconds=number)
                facts = {"rev": 1, "created_at": stamp, "updated_at": stamp, "created_by": "tests"}
                rows.append({"_id": f"r{number}", "data": {"n": number, "text": "x" * 40}, **facts})
            client[portal.database]["org_acme"].insert_many(rows)


def asked(http: httpx.Client, path: str) -> dict[str, Any]:
    """The answer, asked for again while the database is away."""

    def answer() -> httpx.Response | None:
        found = http.get(path)
        return found if found.status_code == 200 else None

    response = wait_until(answer, f"an answer of {path}")
    assert response is not None
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize(("kills", "count"), KILLS)
def test_killed_anywhere_the_check_and_the_build_come_to_their_right_end(
    kills: int, count: int, database_server: Callable[..., DatabaseServer], tmp_path: Path
) -> None:
    database = database_server(durable=True)
    settings = {"LEASE_SECONDS": "3", "DATABASE_DEADLINE": "2"}
    portal = Portal(uri=database.uri, database="killed", folder=tmp_path / "portal", settings=settings).start()
    http = signed_up(portal)
    try:
        fill(portal, count)
        assert http.put("/orgs/acme/schema", json=SCHEMA).status_code == 202
        assert http.post("/orgs/acme/indexes", json={"fields": ["n"], "unique": True}).status_code == 202
        chance = random.Random(7)
        for number in range(kills):
            # Moments are what this test is about: any will do.
            time.sleep(chance.uniform(0.05, 1.5))
            if number % 2:
                database.kill()
                database.start()
            else:
                portal.kill("worker")
                portal.start_worker()
        ends = {"on", "off"}
        wait_until(lambda: asked(http, "/orgs/acme/schema")["state"] in ends, "the check's end", seconds=120)
        standing = asked(http, "/orgs/acme/schema")
        assert (standing["state"], standing["last"]["checked"], standing["last"]["wrong"]) == ("on", count, 0)
        wait_until(lambda: asked(http, "/orgs/acme/indexes")["items"][0]["state"] == "ready", "the index", seconds=120)
        refused = http.post("/orgs/acme/records", json={"data": {"n": 5}})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_unique")
        assert http.post("/orgs/acme/records", json={"data": {"m": 5}}).json()["code"] == "schema_violation"
        with portal.mongo() as client:
            assert client[portal.database]["org_acme"].options()["validator"]
        doctor = portal.manage("doctor")
        assert doctor.returncode == 0, doctor.stdout
    finally:
        http.close()
        portal.stop()
