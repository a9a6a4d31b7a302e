"""What an import and an export cost beside the least they could: `python -m bench.transfers`, about two minutes.

The least is a loop of PyMongo over rows that are parsed already, into a collection like an organization's, and a loop
of `find` with orjson over the same records. Database and portal are real processes, durable as in production. Beside
the time there is the CPU that database and client (the portal, or the loop) took for both ways.
"""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench.measure import Comparison, children_of, compare, cpu_seconds
from tests.portals import Portal
from tests.servers import DatabaseServer

ROWS = 20_000
BATCH = 1000
PASSWORD = "violet kettle under the stairs"
EMAIL = "ada@example.org"
SECONDS = 15.0
PAIRS = 9

Row = dict[str, Any]


def rows() -> list[Row]:
    """Flights, as a program has them after parsing."""
    return [
        {
            "year": 2013, "month": number % 12 + 1, "day": number % 28 + 1, "dep_time": number % 2400,
            "sched_dep_time": 515, "dep_delay": number % 60, "arr_time": 830, "sched_arr_time": 819, "arr_delay": 11,
            "carrier": "UA", "flight": number, "tailnum": f"N{number % 4000}", "origin": "EWR", "dest": "IAH",
            "air_time": 227, "distance": 1400.5, "hour": 5, "minute": 15, "note": f"flight {number} of the day",
        }
        for number in range(ROWS)
    ]  # fmt: skip


@contextmanager
def running_portal() -> Iterator[tuple[Portal, DatabaseServer]]:
    """A portal with one organization, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="orgportal-bench-") as folder:
        server = DatabaseServer(Path(folder) / "database", durable=True).start()
        portal = Portal(
            uri=server.uri, database="bench", folder=Path(folder) / "portal", settings={"LOG_LEVEL": "WARNING"}
        )
        try:
            portal.start()
            yield portal, server
        finally:
            portal.stop()
            server.stop()


class Meter:
    """What the processes of both ways have used, added up."""

    def __init__(self, portal: Portal, server: DatabaseServer) -> None:
        self._database = server.pid
        self._clients = {"portal": children_of(portal.pid("web")), "loop": [os.getpid()]}
        self._used = {way: [0.0, 0.0] for way in self._clients}
        self._times = dict.fromkeys(self._clients, 0)

    def metered(self, way: str, work: Callable[[], None]) -> Callable[[], None]:
        """The same work, whose CPU counts for "portal" or "loop"."""

        def run() -> None:
            before = self._now(way)
            work()
            self._used[way] = [
                used + now - then for used, now, then in zip(self._used[way], self._now(way), before, strict=True)
            ]
            self._times[way] += 1

        return run

    def _now(self, way: str) -> tuple[float, float]:
        return cpu_seconds(self._database), sum(map(cpu_seconds, self._clients[way]))

    def __str__(self) -> str:
        each = {way: [seconds / self._times[way] for seconds in used] for way, used in self._used.items()}
        parts = [f"{way} {own:.2f} s and the database {other:.2f} s for it" for way, (other, own) in each.items()]
        return f"CPU: {'; '.join(parts)}; all of it {sum(each['loop']) / sum(each['portal']):.2f}"


class Transfers:
    """The portal's way and the bare one, each into a new collection or organization every time."""

    def __init__(self, portal: Portal, http: httpx.Client, mongo: Any) -> None:
        self._portal = portal
        self._http = http
        self._mongo = mongo
        self._rows = rows()
        self._file = b"\n".join(orjson.dumps(row) for row in self._rows)
        self._slugs: list[str] = []
        self._tokens: dict[str, str] = {}

    def new_organization(self) -> str:
        """An organization without records; its slug."""
        slug = f"bench_{uuid.uuid4().hex[:12]}"
        account = {"email": f"{slug}@example.org", "password": PASSWORD}
        self._http.post("/api/v1/orgs", json={"organization_name": slug, "slug": slug, **account}).raise_for_status()
        answer = self._http.post("/api/v1/auth/login", json=account).raise_for_status()
        self._tokens[slug] = answer.json()["access_token"]
        return slug

    def import_file(self, slug: str) -> None:
        """Through the API, as NDJSON."""
        answer = self._http.post(
            f"/api/v1/orgs/{slug}/imports?format=ndjson",
            content=self._file,
            headers={"Authorization": f"Bearer {self._tokens[slug]}", "Content-Type": "application/x-ndjson"},
        )
        assert answer.raise_for_status().json()["inserted"] == ROWS, answer.text

    def insert_bare(self, collection: Any) -> None:
        """`insert_many` over the rows, and nothing else."""
        for start in range(0, ROWS, BATCH):
            collection.insert_many([dict(row) for row in self._rows[start : start + BATCH]], ordered=False)

    def new_collection(self) -> Any:
        """One with the index that every organization's has."""
        collection = self._mongo["bare"][uuid.uuid4().hex]
        collection.create_index([("created_at", 1), ("_id", 1)])
        return collection

    def export_file(self, slug: str) -> None:
        """Through the API, as NDJSON."""
        headers = {"Authorization": f"Bearer {self._tokens[slug]}"}
        answer = self._http.get(f"/api/v1/orgs/{slug}/exports?format=ndjson", headers=headers).raise_for_status()
        assert answer.content.count(b"\n") == ROWS

    def find_bare(self, slug: str) -> None:
        """`find` and orjson, and nothing else."""
        found = self._mongo["bench"][f"org_{slug}"].find({}, batch_size=BATCH)
        lines = [orjson.dumps({"_id": row["_id"], **row["data"]}) for row in found]
        assert len(lines) == ROWS


def imports(transfers: Transfers, meter: Meter) -> Comparison:
    """The time of an import against that of the bare loop: below 1.25 is 0.8 of its speed and more."""
    slugs = iter([transfers.new_organization() for _ in range(40)])
    collections = iter([transfers.new_collection() for _ in range(40)])
    return compare(
        f"importing {ROWS:,} lines",
        meter.metered("portal", lambda: transfers.import_file(next(slugs))),
        "insert_many of the parsed rows",
        meter.metered("loop", lambda: transfers.insert_bare(next(collections))),
        seconds=SECONDS,
        least=PAIRS,
    )


def exports(transfers: Transfers, meter: Meter) -> Comparison:
    """The time of an export against that of the bare loop."""
    slug = transfers.new_organization()
    transfers.import_file(slug)
    return compare(
        f"exporting {ROWS:,} records",
        meter.metered("portal", lambda: transfers.export_file(slug)),
        "find and orjson",
        meter.metered("loop", lambda: transfers.find_bare(slug)),
        seconds=SECONDS,
        least=PAIRS,
    )


def main() -> None:
    began = datetime.now(timezone.utc)
    with (
        running_portal() as (portal, server),
        server.client() as mongo,
        httpx.Client(base_url=portal.base_url, timeout=300) as http,
    ):
        transfers = Transfers(portal, http, mongo)
        for transfer in (exports, imports):
            meter = Meter(portal, server)
            comparison = transfer(transfers, meter)
            print(comparison, flush=True)
            print(f"    that is {1 / comparison.ratio:.2f} of its speed", flush=True)
            print(f"    {meter}", flush=True)
    print(f"took {(datetime.now(timezone.utc) - began).seconds} s")


if __name__ == "__main__":
    main()
