"""What a page of records costs, wherever it is: `python -m bench.pages`, some five minutes.

Starts a portal and an embedded database of its own, durable as in production, and asks the API for the first page,
the hundredth and the last one of 10,000 and of 100,000 records, in the default order, sorted by fields with an index,
and without one. The baseline beside each is the same number of records read by their ids from the bare driver.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

import httpx
from bson import ObjectId
from pymongo import MongoClient

from bench.measure import seconds_of
from bench.reads import EMAIL, client_of, log_in, running_portal, sign_up
from tenants.records import marks

LIMIT = 50
SIZES = (10_000, 100_000)
BATCH = 1000
ROUNDS = 9
SORTED = 2
COUNTRIES = ("SE", "FI", "NO", "DK", "IS")
# Many values and few, one type and another, one field and two, either way.
ORDERS = (("price",), ("-seen",), ("country",), ("-country", "price"))


def rows_of(number: int, first: int, moment: datetime, author: str) -> list[dict[str, Any]]:
    """Records as an import leaves them: many with the same moment."""
    return [
        {
            "_id": str(ObjectId()),
            "data": {
                "n": index,
                "name": f"Name {index * 7919 % 1000:03}",
                "tags": ["a", "b"],
                "price": index % 997 / 7,
                "country": COUNTRIES[index % 13 % len(COUNTRIES)],
                "seen": moment - timedelta(seconds=index * 7919 % 100_003),
            },
            "rev": 1,
            "created_at": moment + timedelta(milliseconds=(index - first) // marks.STEP),
            "updated_at": moment,
            "created_by": author,
        }
        for index in range(first, first + number)
    ]


def fill(mongo: "MongoClient[Any]", size: int) -> None:
    """So many records in the one organization, after a quiet month, with the marks that imports leave."""
    database = mongo["bench"]
    organization = database["organizations"].find_one({"slug": "ada"})
    assert organization is not None
    records = database[organization["placement"]["collection"]]
    start = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
    at: list[datetime] = []
    for first in range(0, size, BATCH):
        rows = rows_of(BATCH, first, start + timedelta(milliseconds=first // BATCH * 250), "x")
        records.insert_many(rows, ordered=False)
        at += [row["created_at"] for row in rows[marks.STEP - 1 :: marks.STEP]]
    chunks = [at[first : first + marks.CHUNK] for first in range(0, len(at), marks.CHUNK)]
    database[marks.COLLECTION].insert_many(
        [{"_id": str(ObjectId()), "org_id": organization["_id"], "at": one} for one in chunks]
    )


class Records:
    """The list of records over the API."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {log_in(http)}"}

    def page(self, cursor: str | None, **asked: str) -> dict[str, Any]:
        """One page."""
        parameters = {"limit": str(LIMIT), **asked, **({"cursor": cursor} if cursor else {})}
        answer = self._http.get("/api/v1/orgs/ada/records", headers=self._headers, params=parameters)
        page: dict[str, Any] = answer.raise_for_status().json()
        return page

    def add_index(self, fields: tuple[str, ...]) -> float:
        """Have an index built; how many seconds it took."""
        begun = time.monotonic()
        path = "/api/v1/orgs/ada/indexes"
        added = self._http.post(path, headers=self._headers, json={"fields": list(fields)}).raise_for_status().json()
        while added["state"] == "building":
            time.sleep(0.1)
            answer = self._http.get(f"{path}/{added['id']}", headers=self._headers)
            # The embedded database does nothing else while it builds one.
            if answer.status_code != 503:
                added = answer.raise_for_status().json()
        assert added["state"] == "ready", added
        return time.monotonic() - begun

    def cursors(self, size: int, **asked: str) -> list[str | None]:
        """What leads to page 1, to page 100 and to the last page of an order."""
        cursor = None
        for _ in range(99):
            cursor = self.page(cursor, **asked)["next_cursor"]
        hundredth, passed = cursor, 99 * LIMIT
        while passed < size - LIMIT:
            # A cursor is good for pages of any length.
            step = min(500, size - LIMIT - passed)
            cursor = self.page(cursor, **asked, limit=str(step))["next_cursor"]
            passed += step
        last = self.page(cursor, **asked)
        assert (len(last["items"]), last["next_cursor"]) == (LIMIT, None)
        return [None, hundredth, cursor]


def milliseconds(work: Any, rounds: int) -> float:
    return median(seconds_of(work) for _ in range(rounds)) * 1000


@contextmanager
def organization() -> Iterator[tuple[httpx.Client, "MongoClient[Any]"]]:
    with running_portal() as portal, client_of(portal) as http, portal.mongo() as mongo:
        sign_up(http, "Ada", EMAIL)
        yield http, mongo


def measure(size: int) -> None:
    with organization() as (http, mongo):
        fill(mongo, size)
        records = Records(http)
        bare = mongo["bench"]["org_ada"]
        ids = [item["id"] for item in records.page(None)["items"]]
        base = milliseconds(lambda: list(bare.find({"_id": {"$in": ids}})), ROUNDS)
        print(f"{size:,} records: {LIMIT} of them by their ids from the bare driver: {base:.1f} ms")
        measure_pages(records, size, base, "in the default order")
        for fields in ORDERS:
            sort = ",".join(fields)
            taken = milliseconds(lambda sort=sort: records.page(None, sort=sort), SORTED)
            print(f"{size:,} records: page 1 sorted by {sort}, without an index: {taken:.1f} ms", flush=True)
            print(f"{size:,} records: an index over {sort} took {records.add_index(fields):.1f} s", flush=True)
            measure_pages(records, size, base, f"sorted by {sort}, with an index", sort=sort)
        narrow = '{"price":{"$gte":10,"$lt":10.5}}'
        taken = milliseconds(lambda: records.page(None, sort="name", filter=narrow), SORTED)
        print(f"{size:,} records: page 1 sorted by name, with a filter on an index: {taken:.1f} ms", flush=True)


def measure_pages(records: Records, size: int, base: float, order: str, **asked: str) -> None:
    """Time the first page of an order, the hundredth and the last."""
    for name, cursor in zip(("page 1", "page 100", "the last page"), records.cursors(size, **asked), strict=True):
        taken = milliseconds(lambda cursor=cursor: records.page(cursor, **asked), ROUNDS)
        print(f"{size:,} records: {name} {order}: {taken:.1f} ms, {taken / base:.1f} times that", flush=True)


def main() -> None:
    for size in [int(size) for size in sys.argv[1:]] or SIZES:
        measure(size)


if __name__ == "__main__":
    main()
