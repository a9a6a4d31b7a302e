"""Marks along the default order of an organization's records, for databases that read a whole range before they
limit it.

The embedded database does: a page would cost as much as the range that it is cut from, and how much lies in a
range of time cannot be asked for less. So whoever stores records leaves a mark with every some hundred of them,
and a page reads from one mark to the next. Marks are hints: without them a list costs more, and is the same.
A real MongoDB stops at the limit, and has none.
"""

import secrets
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from orgportal import database
from tenants.access import Access
from tenants.documents import now

COLLECTION = "record_marks"
INDEXES: dict[str, list[IndexModel]] = {COLLECTION: [IndexModel([("org_id", ASCENDING)], name="org_id")]}

# Records between two marks of one process: few enough to read at once, many enough that marking costs nothing.
STEP = 200
# Marks kept in one document.
CHUNK = 100
REMEMBERED = 10_000


@dataclass
class _Trail:
    """How far this process has come since its last mark for one organization, and where its marks go."""

    since: int = 0
    chunk: str = field(default_factory=lambda: secrets.token_hex(8))
    kept: int = 0


_trails: "OrderedDict[ObjectId, _Trail]" = OrderedDict()
_lock = threading.Lock()


def are_needed(access: Access) -> bool:
    """Whether the organization's database is one that needs marks."""
    return database.copies_on_rename(access.organization.placement.cluster)


def stamps(number: int) -> list[datetime]:
    """When so many records that are stored together count as created: now, spread so that marks can part them."""
    moment = now()
    return [moment + timedelta(milliseconds=index // STEP) for index in range(number)]


def note(access: Access, created: Sequence[datetime]) -> None:
    """Leave marks for records that are about to be stored, given when they count as created, in ascending order."""
    if not are_needed(access):
        return
    org_id = access.organization.id
    with _lock:
        trail = _trails.setdefault(org_id, _Trail())
        _trails.move_to_end(org_id)
        if len(_trails) > REMEMBERED:
            _trails.popitem(last=False)
        marks = []
        for moment in created:
            trail.since += 1
            if trail.since >= STEP:
                marks.append(moment)
                trail.since = 0
        if not marks:
            return
        if trail.kept + len(marks) > CHUNK:
            trail.chunk, trail.kept = secrets.token_hex(8), 0
        trail.kept += len(marks)
        chunk = f"{org_id}:{trail.chunk}"
    database.collection(COLLECTION).update_one(
        {"_id": chunk}, {"$push": {"at": {"$each": marks}}, "$setOnInsert": {"org_id": org_id}}, upsert=True
    )


def after(access: Access, moment: datetime | None) -> list[datetime]:
    """The marks after that moment, in ascending order; all of them for None."""
    found: set[datetime] = set()
    for row in database.collection(COLLECTION).find({"org_id": access.organization.id}, {"at": 1}):
        found.update(row["at"])
    ordered = sorted(found)
    return ordered[bisect_right(ordered, moment) :] if moment is not None else ordered
