"""How much data an organization has, kept where counting takes long.

A real MongoDB keeps count, and is asked. The embedded database goes through all records to count them: some seconds
for a hundred thousand, in which it serves nobody else. So there, what took long is kept; it is looked up for a time in
proportion to what counting took, and then counted again by the worker, while the number from before is still shown.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo import ASCENDING, IndexModel
from pymongo.errors import PyMongoError

from orgportal import database
from tenants import manager
from tenants.documents import ACTIVE, DELETING, Organization, now
from tenants.lifecycle import operation
from tenants.records import marks

log = structlog.get_logger(__name__)

COLLECTION = "sizes"
INDEXES: dict[str, list[IndexModel]] = {
    COLLECTION: [
        IndexModel([("org_id", ASCENDING)], name="org_id", unique=True),
        IndexModel([("due_at", ASCENDING)], name="due_at"),
    ]
}
# Seconds: what takes longer is kept, and within a request nothing is counted for longer.
SLOW = 0.5
PATIENCE = 1.5
# A kept size counts for so many times what counting took.
LASTING = 20
TYPICAL_BYTES = 250
REMEMBERED = 10_000
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)


_slow: "dict[ObjectId, bool]" = {}


@dataclass(frozen=True)
class Size:
    """Records and bytes of storage."""

    records: int
    bytes: int


def size_of(organization: Organization) -> Size:
    """How much data the organization has: counted now, or a little while ago where that takes long.

    One round trip where counting is quick.
    """
    if not database.copies_on_rename(organization.placement.cluster):
        return Size(*manager.measure(organization.placement))
    if organization.id not in _slow:
        begun = time.monotonic()
        try:
            with database.deadline(PATIENCE):
                size = Size(*manager.measure(organization.placement))
        except PyMongoError as error:
            if not database.is_unavailable(error):
                raise
            return _kept(organization)
        seconds = time.monotonic() - begun
        if seconds < SLOW:
            return size
        _keep(organization, size, seconds=seconds, due_at=None)
        _remember(organization)
        return size
    return _kept(organization)


def _kept(organization: Organization) -> Size:
    _remember(organization)
    row = database.collection(COLLECTION).find_one({"org_id": organization.id})
    if row is None:
        # Whoever stores records leaves a mark with every so many of them: near enough until the worker has counted.
        size = _marked(organization)
        _keep(organization, size, seconds=PATIENCE, due_at=now())
        return size
    if row["due_at"] is None and now() > row["at"] + timedelta(seconds=LASTING * row["seconds"]):
        database.collection(COLLECTION).update_one({"_id": row["_id"], "due_at": None}, {"$set": {"due_at": now()}})
    if row["seconds"] < SLOW:
        _slow.pop(organization.id, None)
    return Size(row["records"], row["bytes"])


def _remember(organization: Organization) -> None:
    """Not to be counted in this process's requests any more."""
    _slow[organization.id] = True
    while len(_slow) > REMEMBERED:
        _slow.pop(next(iter(_slow)), None)


def _marked(organization: Organization) -> Size:
    rows = database.collection(marks.COLLECTION).find({"org_id": organization.id}, {"at": 1})
    records = marks.STEP * sum(len(row["at"]) for row in rows)
    return Size(records, records * TYPICAL_BYTES)


def _keep(organization: Organization, size: Size, *, seconds: float, due_at: datetime | None) -> None:
    fields = {"records": size.records, "bytes": size.bytes, "at": now(), "seconds": seconds, "due_at": due_at}
    database.collection(COLLECTION).update_one({"org_id": organization.id}, {"$set": fields}, upsert=True)


def run_due(stopping: threading.Event | None = None, *, at: datetime | None = None) -> int:
    """The worker's part: count again what is due at `at` (default: now); how many. One indexed query when none is."""
    # Both bounds, because the embedded database scans the collection for a range with only one.
    query = {"due_at": {"$gte": LONG_AGO, "$lte": at or now()}}
    rows = list(database.collection(COLLECTION).find(query).sort("due_at", 1).limit(10))
    return sum(_count_again(row) for row in rows if stopping is None or not stopping.is_set())


def _count_again(row: dict[str, Any]) -> bool:
    sizes = database.collection(COLLECTION)
    organization = operation.load(row["org_id"])
    if organization is None or organization.status == DELETING:
        sizes.delete_one({"_id": row["_id"]})
        return False
    # Should this be cut short, somebody counts when the lease is over.
    lease = now() + timedelta(seconds=settings.LEASE_SECONDS + LASTING * row["seconds"])
    claimed = sizes.update_one({"_id": row["_id"], "due_at": row["due_at"]}, {"$set": {"due_at": lease}})
    if not claimed.matched_count or organization.status != ACTIVE:
        return False
    begun = time.monotonic()
    try:
        with database.deadline(settings.DDL_DEADLINE):
            records, size = manager.measure(organization.placement)
    except PyMongoError as error:
        log.warning("not_counted", org_id=str(organization.id), error=type(error).__name__)
        return False
    seconds = time.monotonic() - begun
    found = {"records": records, "bytes": size, "at": now(), "seconds": seconds, "due_at": None}
    sizes.update_one({"_id": row["_id"], "due_at": lease}, {"$set": found})
    return True
