"""Lists in the default order, by age: a page costs what it shows, wherever it is.

On a real MongoDB the index on (created_at, _id) gives a page from any position on. The embedded database reads
a range as a whole before it cuts it, and reads everything when a range has but one end: there a page is put
together from ranges with two ends, between marks (`tenants.records.marks`).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from orgportal.database import Document
from tenants import manager
from tenants.access import Access
from tenants.bound import TenantCollection
from tenants.records import marks
from tenants.records.filters import merge
from tenants.records.paging import Position, stamp_of

Order = Sequence[tuple[str, int]]
Query = Mapping[str, Any]

OLDEST_FIRST: Order = (("created_at", 1), ("_id", 1))
NEWEST_FIRST: Order = (("created_at", -1), ("_id", -1))
BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)
END = datetime(9999, 12, 31, tzinfo=timezone.utc)
# Behind every id, which are of ASCII characters from "-" to "~".
LAST_ID = "\x7f"
# So many marks apart a range may be at the most, when the ones before held little.
WIDEST = 32


class DefaultOrder:
    """The records of an organization that match a query, by age."""

    def __init__(self, access: Access, query: Document, projection: Mapping[str, int] | None) -> None:
        self._access = access
        self._query = query
        self._projection = projection
        self._records: TenantCollection = manager.bind(access)

    def rows(self, position: Position | None, limit: int) -> list[Document]:
        """At most `limit` stored records behind the position."""
        if not marks.are_needed(self._access):
            return self._find(_behind(position), limit)
        found: list[Document] = []
        for window in _windows(position, marks.after(self._access, stamp_of(position) if position else None), limit):
            found += self._find(window, limit - len(found))
            if len(found) >= limit:
                break
        return found

    def newest(self, limit: int) -> list[Document]:
        """At most `limit` of the last stored records, the very last one first."""
        if not marks.are_needed(self._access):
            return self._find({}, limit, NEWEST_FIRST)
        marked = marks.after(self._access, None)
        found: list[Document] = []
        end, width = END, max(1, limit // marks.STEP)
        while len(found) < limit:
            del marked[max(0, len(marked) - width + 1) :]
            start = {"$gt": marked.pop()} if marked else {"$gte": BEGINNING}
            found += self._find({"created_at": {**start, "$lte": end}}, limit - len(found), NEWEST_FIRST)
            if "$gte" in start:
                break
            end, width = start["$gt"], min(width * 2, WIDEST)
        return found

    def count(self, until: float) -> int | None:
        """How many match, counted range by range; None when that takes longer than `until` (monotonic seconds)."""
        if not self._query or not marks.are_needed(self._access):
            return self._records.count(self._query)
        counted = 0
        for window in _windows(None, marks.after(self._access, None), WIDEST * marks.STEP):
            stages: list[Document] = [{"$match": dict(window)}, {"$match": self._query}, {"$count": "n"}]
            counted += sum(row["n"] for row in self._records.aggregate(stages))
            if time.monotonic() > until:
                return None
        return counted

    def _find(self, window: Query, limit: int, order: Order = OLDEST_FIRST) -> list[Document]:
        # The window comes last: where an index serves a condition of the query, the embedded database, which
        # goes by the first one that it finds, takes that.
        query = merge(self._query, dict(window))
        if not any(name.startswith("$") for name in query):
            return self._records.find(query, limit=limit, projection=self._projection, sort=order)
        stages: list[Document] = [{"$match": dict(window)}, {"$match": self._query}]
        stages += [{"$sort": dict(order)}, {"$limit": limit}]
        return self._records.aggregate(stages + ([{"$project": dict(self._projection)}] if self._projection else []))


def _behind(position: Position | None) -> Document:
    """For a database that goes along the index: one range, open at its end."""
    if position is None:
        return {}
    stamp = stamp_of(position)
    behind = [{"created_at": {"$gt": stamp}}, {"_id": {"$gt": position.id}}]
    return {"created_at": {"$gte": stamp}, "$or": behind}


def _windows(position: Position | None, marked: Sequence[datetime], limit: int) -> Iterator[Query]:
    """Ranges with two ends that together cover all behind the position, in order."""
    if position is None:
        start = {"$gte": BEGINNING}
    else:
        stamp = stamp_of(position)
        yield {"created_at": stamp, "_id": {"$gt": position.id, "$lt": LAST_ID}}
        start = {"$gt": stamp}
    width, index = max(1, limit // marks.STEP), 0
    while index < len(marked):
        index = min(index + width, len(marked))
        end = marked[index - 1]
        yield {"created_at": {**start, "$lte": end}}
        start, width = {"$gt": end}, min(width * 2, WIDEST)
    yield {"created_at": {**start, "$lte": END}}
