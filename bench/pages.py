"""What a page of records costs, wherever it is: `python -m bench.pages`, some three minutes.

Starts a portal and an embedded database of its own, durable as in production, and asks the API for the first page,
the hundredth and the last one of 10,000 and of 100,000 records, in the default order and sorted by a field. The
baseline beside each is the same number of records read by their ids from the bare driver.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

import httpx
import pymongo
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
INDEX_SECONDS = 300


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

    def cursors(self, size: int) -> list[str | None]:
        """What leads to page 1, to page 100 and to the last page in the default order."""
        cursor = None
        for _ in range(99):
            cursor = self.page(cursor)["next_cursor"]
        hundredth, passed = cursor, 99 * LIMIT
        while passed < size - LIMIT:
            # A cursor is good for pages of any length.
            cursor = self.page(cursor, limit="500")["next_cursor"]
            passed += 500
        last = self.page(cursor)
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
        first, hundredth, last = records.cursors(size)
        bare = mongo["bench"]["org_ada"]
        ids = [item["id"] for item in records.page(None)["items"]]
        base = milliseconds(lambda: list(bare.find({"_id": {"$in": ids}})), ROUNDS)
        print(f"{size:,} records: {LIMIT} of them by their ids from the bare driver: {base:.1f} ms")
        for name, cursor in (("page 1", first), ("page 100", hundredth), ("the last page", last)):
            taken = milliseconds(lambda cursor=cursor: records.page(cursor), ROUNDS)
            print(
                f"{size:,} records: {name} in the default order: {taken:.1f} ms, {taken / base:.1f} times that",
                flush=True,
            )
        taken = milliseconds(lambda: records.page(None, sort="-price,name"), SORTED)
        print(f"{size:,} records: page 1 sorted by two fields: {taken:.1f} ms", flush=True)
        second = records.page(None, sort="-price,name")["next_cursor"]
        taken = milliseconds(lambda: records.page(second, sort="-price,name"), SORTED)
        print(f"{size:,} records: page 2 sorted by two fields: {taken:.1f} ms", flush=True)
        with pymongo.timeout(INDEX_SECONDS):
            bare.create_index([("data.price", 1)])
        taken = milliseconds(lambda: records.page(None, sort="price"), SORTED)
        print(f"{size:,} records: page 1 sorted by a field with an index: {taken:.1f} ms", flush=True)
        narrow = '{"price":{"$gte":10,"$lt":10.5}}'
        taken = milliseconds(lambda: records.page(None, sort="price", filter=narrow), SORTED)
        print(f"{size:,} records: the same, with a filter on that index: {taken:.1f} ms", flush=True)


def main() -> None:
    for size in [int(size) for size in sys.argv[1:]] or SIZES:
        measure(size)


if __name__ == "__main__":
    main()
