"""The use cases of many records: list, count."""

import time
from dataclasses import dataclass
from typing import Any

import bson

from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants import manager
from tenants.access import Access
from tenants.records.documents import Record, record_from
from tenants.records.field_order import FieldOrder
from tenants.records.filters import query_of
from tenants.records.paging import Listing, Position
from tenants.records.selection import parse_fields, projection_of
from tenants.records.sorting import SortKey, packed, parse_sort
from tenants.records.windows import DefaultOrder

DEFAULT_LIMIT = 50
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
        rows = FieldOrder(access, query, keys).rows(position, limit + 1, sort_seconds)
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


def _whole(access: Access, rows: list[Document], projection: dict[str, int] | None) -> dict[str, Document]:
    """The records of these rows, by id."""
    ids = [row["_id"] for row in rows]
    found = manager.bind(access).find({"_id": {"$in": ids}}, limit=len(ids), projection=projection)
    return {row["_id"]: row for row in found}


def _too_many(path: str, message: str) -> PortalError:
    return PortalError("too_many_records", 422, message, errors=[InputError(path, message)])
