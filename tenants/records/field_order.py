"""Lists in an order by fields.

Without an index over the fields every page goes through all records that match, and keeps the best of them. With one,
a page is put together from stretches of the order between marks (`tenants.records.sort_marks`), each read by a few
ranges of the index (`tenants.records.covers`): it costs what it shows, wherever it is, on a real MongoDB as well as on
the embedded database. Either way it is Python that puts the records into their places, so both give the same.
"""

import heapq
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants import manager
from tenants.access import Access
from tenants.record_indexes import documents as record_indexes
from tenants.records import marks, sort_marks
from tenants.records.covers import cover
from tenants.records.paging import Position
from tenants.records.sorting import SortKey, projection_for, unpacked

TOO_MANY_TO_SORT = (
    "There are too many records to sort them in time. Sort by a field with an index, or narrow them with a filter "
    "first, best on a field with an index."
)
SCAN_BATCH = 1000
# A stretch with more records than that is not read as one.
LONGEST_STRETCH = 4000
# So many marks apart a stretch may be at the most, when the ones before held little.
WIDEST = 8
# So many marks may be passed for a page with a filter that finds little, before all that it finds are sorted instead.
PATIENCE = 24

Place = tuple[Any, ...]


class _TooLong(Exception):
    """A stretch holds too much to be read as one."""


class FieldOrder:
    """The records of an organization that match a query, in the order of some keys, and of ids at equal values."""

    def __init__(self, access: Access, query: Document, keys: Sequence[SortKey]) -> None:
        self._access = access
        self._query = query
        self._keys = keys
        self._records = manager.bind(access)
        self._projection = projection_for(keys)
        self._reader = sort_marks.reader(access, keys)

    def rows(self, position: Position | None, limit: int, seconds: float) -> list[Document]:
        """The first records behind the position, at most `limit`, with what they sort by and no more.

        Raises PortalError 422 `too_many_records` when that takes longer than `seconds`.
        """
        until = time.monotonic() + seconds
        after = self._place_at(position) if position else None
        indexed = self._has_index()
        if indexed:
            try:
                return self._from_stretches(after, limit)
            except _TooLong:
                pass
        sample = sort_marks.Sample(self._keys) if indexed and not self._query else None
        try:
            # The server ends its work by then, too.
            with database.deadline(seconds):
                return self._from_everything(after, limit, until, sample)
        except PyMongoError as error:
            if error.timeout and time.monotonic() >= until:
                raise _too_many() from None
            raise
        finally:
            # What was seen of an order that is too long to be read through makes the next try shorter.
            if sample is not None:
                sort_marks.replace(self._access.organization.id, self._keys, sample.marks(), self._reader)

    def _place(self, row: Document) -> Place:
        return (*(key.key(key.value(row)) for key in self._keys), row["_id"])

    def _place_at(self, position: Position) -> Place:
        values = zip(self._keys, position.values, strict=True)
        return (*(key.key(unpacked(value)) for key, value in values), position.id)

    def _has_index(self) -> bool:
        """Whether an index serves this order, and none the query: then only what that one finds is sorted."""
        indexes = [index for index in record_indexes.all_of(self._access.organization.id) if index.state == "ready"]
        if any(f"data.{index.paths[0]}" in self._query for index in indexes):
            return False
        wanted = sort_marks.paths_of(self._keys)
        return any(index.order == wanted for index in indexes)

    def _from_everything(
        self, after: Place | None, limit: int, until: float, sample: sort_marks.Sample | None
    ) -> list[Document]:
        """All that match are gone through, and no more than `limit` kept; the sample sees them all pass."""
        rows = self._scan(until)
        if sample is not None:
            rows = sample.watch(rows)
        if after is not None:
            rows = (row for row in rows if after < self._place(row))
        return heapq.nsmallest(limit, rows, key=self._place)

    def _scan(self, until: float) -> Iterator[Document]:
        """All that match, in one pass and in no order."""
        for batch in self._records.stream(self._query, projection=self._projection, batch_size=SCAN_BATCH):
            if time.monotonic() > until:
                raise _too_many()
            yield from batch

    def _from_stretches(self, after: Place | None, limit: int) -> list[Document]:
        """The records of one stretch after the other. Raises _TooLong."""
        marked = {self._place_at(mark): mark for mark in sort_marks.load(self._access.organization.id, self._keys)}
        places = sorted(marked)
        index = bisect_right(places, after) if after is not None else 0
        width, passed = max(1, limit // sort_marks.STEP), 0
        found: dict[str, Document] = {}
        while index <= len(places) and len(found) < limit:
            if self._query and passed >= PATIENCE:
                raise _TooLong
            end = index + width - 1
            start, stop = places[index - 1] if index else None, places[end] if end < len(places) else None
            stretch = self._stretch(start, stop, marked)
            if not self._query:
                self._part(stretch, width)
            for place, row in stretch:
                if after is None or after < place:
                    # One that was changed between two stretches is shown where it was seen first.
                    found.setdefault(row["_id"], row)
            passed, index = passed + width, end + 1
            if len(stretch) < width * sort_marks.STEP // 2:
                width = min(width * 2, WIDEST)
        return list(found.values())[:limit]

    def _stretch(
        self, start: Place | None, stop: Place | None, marked: Mapping[Place, Position]
    ) -> list[tuple[Place, Document]]:
        """What lies from one mark on and before the other, in order. Raises _TooLong."""
        ends = [_values(marked[place]) if place is not None else None for place in (start, stop)]
        found: dict[str, Document] = {}
        embedded = marks.are_needed(self._access)
        for range_ in cover(self._keys, *ends, embedded=embedded):
            rows = self._read(range_)
            if len(rows) > LONGEST_STRETCH:
                raise _TooLong
            found.update((row["_id"], row) for row in rows)
        placed = ((self._place(row), row) for row in found.values())
        inside = (
            (place, row)
            for place, row in placed
            if not (start is not None and place < start) and (stop is None or place < stop)
        )
        return sorted(inside, key=lambda held: held[0])

    def _read(self, range_: Document) -> list[Document]:
        if not self._query:
            return self._records.find(range_, limit=LONGEST_STRETCH + 1, projection=self._projection)
        # The range comes first: it is what the embedded database then takes from an index.
        stages: list[Document] = [{"$match": range_}, {"$match": self._query}]
        return self._records.aggregate([*stages, {"$limit": LONGEST_STRETCH + 1}, {"$project": dict(self._projection)}])

    def _part(self, stretch: Sequence[tuple[Place, Document]], width: int) -> None:
        """Leave marks in a stretch of so many steps that has become long."""
        if len(stretch) <= 2 * width * sort_marks.STEP:
            return
        chosen = (sort_marks.mark_at(self._keys, row) for _, row in stretch[sort_marks.STEP :: sort_marks.STEP])
        found = [mark for mark in chosen if mark is not None]
        if found:
            sort_marks.add(self._access.organization.id, self._keys, found, self._reader)


def _values(mark: Position) -> Place:
    return (*(unpacked(value) for value in mark.values), mark.id)


def _too_many() -> PortalError:
    return PortalError("too_many_records", 422, TOO_MANY_TO_SORT, errors=[InputError("sort", TOO_MANY_TO_SORT)])
