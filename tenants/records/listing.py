"""The use cases of many records: list, count."""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bson
from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants import manager
from tenants.access import Access
from tenants.records.documents import Record, record_from
from tenants.records.filters import query_of
from tenants.records.paging import Listing, Position
from tenants.records.selection import outermost, parse_fields, projection_of
from tenants.records.sorting import SortKey, packed, parse_sort, unpacked
from tenants.records.windows import DefaultOrder

DEFAULT_LIMIT = 50
TOO_MANY_TO_SORT = (
    "There are too many records to sort them in time. Narrow them with a filter first, best on a field with an index."
)
SCAN_BATCH = 1000
SCAN_SECONDS = 20.0
# A page ends behind the record with which it has this many bytes (of BSON).
PAGE_BYTES = 16 * 1024 * 1024
# Records of a page are fetched so many at a time: that, and a page, is what a process holds of them.
SLICE = 100


@dataclass(frozen=True)
class Page:
    """One page of records; `next_cursor` is None on the last one."""

    records: tuple[Record, ...]
    next_cursor: str | None


def list_records(
    *,
    access: Access,
    filter: Any = None,
    sort: str | None = None,
    fields: str | None = None,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    sort_seconds: float = SCAN_SECONDS,
) -> Page:
    """A page of the records that match, by age or as `sort` says (`field,-field`): `limit`, or fewer big ones.

    `filter` is the parsed JSON of the filter language, `fields` the paths to show of `data` (`a,b.c`), `cursor` an
    earlier page's `next_cursor` for the same filter and sort. Raises PortalError 422 naming `filter…`, `sort`,
    `fields` or `cursor`, and 422 `too_many_records` when sorting takes longer than `sort_seconds`.
    """
    query, keys, paths = query_of(filter or {}), parse_sort(sort), parse_fields(fields)
    listing = Listing(access.organization.id, filter or {}, ",".join(f"{key.descending:d}{key.path}" for key in keys))
    position = listing.position_of(cursor)
    if keys:
        rows = _sorted_rows(access, query, keys, position, limit + 1, sort_seconds)
        shown, last = _sorted_page(access, rows, projection_of(paths), limit)
    else:
        shown, last = _page_by_age(DefaultOrder(access, query, projection_of(paths)), position, limit)
    return Page(
        records=tuple(record_from(row) for row in shown),
        next_cursor=listing.cursor_after(_position(last, keys)) if last else None,
    )


def count_records(*, access: Access, filter: Any = None) -> int:
    """How many records match, counted now. Raises PortalError 422 for the filter, or when that takes too long."""
    counted = DefaultOrder(access, query_of(filter or {}), None).count(time.monotonic() + SCAN_SECONDS)
    if counted is None:
        raise _too_many("filter", "There are too many records to count these in time.")
    return counted


class _Page:
    """The stored records of a page while it is put together."""

    def __init__(self, limit: int) -> None:
        self.rows: list[Document] = []
        self._limit = limit
        self._bytes = 0

    def has_room(self) -> bool:
        """Whether another record fits: the first one always does."""
        return len(self.rows) < self._limit and self._bytes < PAGE_BYTES

    def add(self, row: Document) -> None:
        self._bytes += len(bson.encode(row))
        self.rows.append(row)


def _page_by_age(order: DefaultOrder, position: Position | None, limit: int) -> tuple[list[Document], Document | None]:
    """The records of a page behind the position, and the last of them when there are more behind it."""
    page = _Page(limit)
    while True:
        wanted = min(SLICE, limit + 1 - len(page.rows))
        rows = order.rows(position, wanted)
        for row in rows:
            if not page.has_room():
                return page.rows, page.rows[-1]
            page.add(row)
        if len(rows) < wanted:
            return page.rows, None
        position = _position(rows[-1], ())


def _sorted_page(
    access: Access, rows: list[Document], projection: dict[str, int] | None, limit: int
) -> tuple[list[Document], Document | None]:
    """The whole records of these rows, and the row at which the page ends when there are more behind it.

    Those that were deleted meanwhile are left out.
    """
    page, passed = _Page(limit), None
    for first in range(0, min(limit, len(rows)), SLICE):
        part = rows[first : min(first + SLICE, limit)]
        found = _whole(access, part, projection)
        for row in part:
            if not page.has_room():
                return page.rows, passed
            if row["_id"] in found:
                page.add(found[row["_id"]])
            passed = row
    return page.rows, passed if len(rows) > limit else None


def _position(row: Document, keys: tuple[SortKey, ...]) -> Position:
    values = tuple(packed(key.value(row)) for key in keys) if keys else (row["created_at"],)
    return Position(values, row["_id"])


def _sorted_rows(
    access: Access,
    query: Document,
    keys: tuple[SortKey, ...],
    position: Position | None,
    limit: int,
    seconds: float,
) -> list[Document]:
    """The first rows behind the position in the order of the keys, with what they sort by and no more.

    All that match are gone through, and no more than `limit` kept.
    """

    def place(row: Document) -> tuple[Any, ...]:
        return (*(key.key(key.value(row)) for key in keys), row["_id"])

    until = time.monotonic() + seconds
    rows = _scan(access, query, keys, until)
    if position is not None:
        values = zip(keys, position.values, strict=True)
        after = (*(key.key(unpacked(value)) for key, value in values), position.id)
        rows = (row for row in rows if after < place(row))
    try:
        # The server ends its work by then, too.
        with database.deadline(seconds):
            return heapq.nsmallest(limit, rows, key=place)
    except PyMongoError as error:
        if error.timeout and time.monotonic() >= until:
            raise _too_many("sort", TOO_MANY_TO_SORT) from None
        raise


def _scan(access: Access, query: Document, keys: tuple[SortKey, ...], until: float) -> Iterator[Document]:
    """All that match, in one pass and in no order, with what they sort by."""
    names = outermost(tuple(_without_positions(key.path) for key in keys))
    projection = dict.fromkeys((f"data.{name}" for name in names), 1)
    for batch in manager.bind(access).stream(query, projection=projection, batch_size=SCAN_BATCH):
        if time.monotonic() > until:
            raise _too_many("sort", TOO_MANY_TO_SORT)
        yield from batch


def _without_positions(path: str) -> str:
    """The path up to where it could mean a place in an array, which no projection can say."""
    names = path.split(".")
    for index, name in enumerate(names[1:], start=1):
        if name.isdigit():
            return ".".join(names[:index])
    return path


def _whole(access: Access, rows: list[Document], projection: dict[str, int] | None) -> dict[str, Document]:
    """The records of these rows, by id."""
    ids = [row["_id"] for row in rows]
    found = manager.bind(access).find({"_id": {"$in": ids}}, limit=len(ids), projection=projection)
    return {row["_id"]: row for row in found}


def _too_many(path: str, message: str) -> PortalError:
    return PortalError("too_many_records", 422, message, errors=[InputError(path, message)])
