"""Deleting many records at once, and never more than were counted before."""

import time
from dataclasses import dataclass
from typing import Any

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants import manager
from tenants.access import Access
from tenants.audit.records import acting
from tenants.records import sort_marks
from tenants.records.filters import merge, query_of
from tenants.records.listing import count_records
from tenants.records.paging import Position
from tenants.records.windows import DefaultOrder

BATCH = 500
# So long a call may take; the rest is for the next one.
SECONDS = 20.0


@dataclass(frozen=True)
class Deletion:
    """How many records were deleted, and how many of those expected are left for another call."""

    deleted: int
    remaining: int


def delete_matching(*, access: Access, filter: Any, expected_count: int) -> Deletion:
    """Delete the records that match, when they are as many as the caller expects.

    A record that stops matching while this runs stays, and no more than `expected_count` go. Raises PortalError 422
    for the filter, 409 `count_differs` (with `count`) when there are more or fewer.
    """
    query = query_of(filter)
    count = count_records(access=access, filter=filter)
    if count != expected_count:
        message = f"{count:,} records match, not {expected_count:,}. Look again, then repeat."
        raise PortalError("count_differs", 409, message, data={"count": count})
    with acting(access, "records.deleted", {"records": expected_count, "filtered": bool(filter)}):
        return _delete(access, query, expected_count)


def _delete(access: Access, query: Document, expected_count: int) -> Deletion:
    until, deleted = time.monotonic() + SECONDS, 0
    order, records = DefaultOrder(access, query, {"created_at": 1}), manager.bind(access)
    position: Position | None = None
    while deleted < expected_count:
        rows = order.rows(position, min(BATCH, expected_count - deleted))
        if not rows:
            return Deletion(deleted, 0)
        ids = [row["_id"] for row in rows]
        with sort_marks.outdated(records, ids):
            deleted += records.delete_many(merge({"_id": {"$in": ids}}, query)).deleted_count
        position = Position((rows[-1]["created_at"],), rows[-1]["_id"])
        if time.monotonic() > until:
            return Deletion(deleted, expected_count - deleted)
    return Deletion(deleted, 0)
