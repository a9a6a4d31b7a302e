"""Marks along the orders by fields: places that part such an order into stretches of some hundred records.

How many records lie between two values cannot be asked for less than reading them, so a page of a sorted list would
cost as much as the stretch that it is cut from (`tenants.records.field_order`). Marks are hints like those of the
order by age (`tenants.records.marks`): without them a list costs more, and is the same. They come from whoever reads
an order through, from a reader that finds a stretch too long, and from one in so many of the records that are stored.
"""

import hashlib
import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from bson import ObjectId
from pymongo import ASCENDING, IndexModel
from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.database import Document
from tenants import manager
from tenants.access import Access
from tenants.bound import TenantCollection
from tenants.record_indexes import documents as record_indexes
from tenants.records.covers import can_part
from tenants.records.paging import Position
from tenants.records.sorting import SortKey, packed, projection_for

log = structlog.get_logger(__name__)

COLLECTION = "sort_marks"
INDEXES: dict[str, list[IndexModel]] = {COLLECTION: [IndexModel([("org_id", ASCENDING)], name="org_id")]}

# Records between two marks: few enough to read at once, many enough that the marks themselves are read quickly.
STEP = 200
# Of an order that is read through, so many times as many places are kept as become marks: it evens out the steps.
FINENESS = 10
# Marks of one order; beyond that, steps get longer, or older marks go.
MOST = 5000
# Places of records that are kept while marks are looked for.
MOST_KEPT = 20_000
READ_AT_ONCE = 500

Read = Callable[[list[str]], Iterable[Document]]


def paths_of(keys: Sequence[SortKey]) -> list[str]:
    return [key.path for key in keys]


def load(org_id: ObjectId, keys: Sequence[SortKey]) -> list[Position]:
    """The marks of an order, in no order; they are the same whichever way the fields are sorted."""
    row = database.collection(COLLECTION).find_one({"_id": _id(org_id, paths_of(keys))}, {"at": 1})
    return [Position(tuple(mark["values"]), mark["id"]) for mark in row["at"]] if row else []


def replace(org_id: ObjectId, keys: Sequence[SortKey], marks: Sequence[Position], read: Read) -> None:
    """Put these marks in the place of all that were there. `read` finds records by ids, with what they sort by."""
    at = [_stored(mark) for mark in marks]
    _keep(org_id, keys, {"$set": {"org_id": org_id, "paths": paths_of(keys), "at": at}}, marks, read)


def add(org_id: ObjectId, keys: Sequence[SortKey], marks: Sequence[Position], read: Read) -> None:
    """Add some to those that are there."""
    at = {"$each": [_stored(mark) for mark in marks], "$slice": -MOST}
    update = {"$push": {"at": at}, "$setOnInsert": {"org_id": org_id, "paths": paths_of(keys)}}
    _keep(org_id, keys, update, marks, read)


def _stored(mark: Position) -> Document:
    return {"values": list(mark.values), "id": mark.id}


def _keep(org_id: ObjectId, keys: Sequence[SortKey], update: Document, marks: Sequence[Position], read: Read) -> None:
    """Store marks, then remove those whose records have been changed or deleted since they were read.

    A mark holds values of a record, and must not outlive them. Whoever changes or deletes a record removes its marks
    after that (`outdated`); so a mark that is stored later is stored before this looks, and found by it.
    """
    try:
        database.collection(COLLECTION).update_one({"_id": _id(org_id, paths_of(keys))}, update, upsert=True)
    except PyMongoError as error:
        # Nobody has been promised any.
        log.warning("sort_marks_not_kept", org_id=str(org_id), error=type(error).__name__)
        return
    outlived = {mark.id for mark in marks}
    for first in range(0, len(marks), READ_AT_ONCE):
        made = {mark.id: mark for mark in marks[first : first + READ_AT_ONCE]}
        outlived -= {row["_id"] for row in read(list(made)) if mark_at(keys, row) == made.get(row["_id"])}
    if outlived:
        forget_records(org_id, outlived)


def forget_records(org_id: ObjectId, ids: Collection[str]) -> None:
    """Remove the marks that these records have left, because they were just changed or deleted."""
    pull = {"$pull": {"at": {"id": {"$in": list(ids)}}}}
    database.collection(COLLECTION).update_many({"org_id": org_id}, pull)


@contextmanager
def outdated(records: TenantCollection, ids: Collection[str]) -> Iterator[None]:
    """Around what changes or deletes these records: their marks go afterwards, whatever came of it.

    It costs nothing while the organization had no marks after the write: those that come later are made of what the
    write has left.
    """
    try:
        yield
    except BaseException:
        forget_records(records.organization.id, ids)
        raise
    if records.organization.has_sort_marks:
        forget_records(records.organization.id, ids)


def forget_orders(org_id: ObjectId) -> None:
    """Remove those of an organization's orders that no index serves any more."""
    served = _orders_of(org_id)
    rows = database.collection(COLLECTION).find({"org_id": org_id}, {"paths": 1})
    gone = [row["_id"] for row in rows if tuple(row["paths"]) not in served]
    database.collection(COLLECTION).delete_many({"_id": {"$in": gone}})


def note(access: Access, rows: Sequence[Document]) -> None:
    """Leave marks for one in so many of the records that were just stored."""
    chosen = [row for row in rows if random.random() * STEP < 1]  # noqa: S311 - spreads, and guards nothing
    if not chosen:
        return
    for paths in _orders_of(access.organization.id):
        keys = [SortKey(path, descending=False) for path in paths]
        marks = [mark for row in chosen if (mark := mark_at(keys, row)) is not None]
        if marks:
            add(access.organization.id, keys, marks, reader(access, keys))


def reader(access: Access, keys: Sequence[SortKey]) -> Read:
    """Reads records by their ids, with what they sort by."""
    projection = projection_for(keys)
    records = manager.bind(access)
    return lambda ids: records.find({"_id": {"$in": ids}}, limit=len(ids), projection=projection)


def _orders_of(org_id: ObjectId) -> set[tuple[str, ...]]:
    return {tuple(index.order) for index in record_indexes.all_of(org_id) if index.order}


def mark_at(keys: Sequence[SortKey], row: Document) -> Position | None:
    """A mark at a record's place; None where none can be."""
    values = [key.value(row) for key in keys]
    if not all(can_part(value) for value in values):
        return None
    return Position(tuple(packed(value) for value in values), row["_id"])


class Sample:
    """The marks of an order, gathered while its records pass once, in any order.

    It keeps few places, of however many.
    """

    def __init__(self, keys: Sequence[SortKey]) -> None:
        self._keys = keys
        self._kept: list[tuple[Any, Position]] = []
        self._per_mark = min(STEP, FINENESS)
        self._every = max(1, STEP // FINENESS)
        self._left = self._chosen = 0

    def watch(self, rows: Iterable[Document]) -> Iterator[Document]:
        """The rows, looked at as they pass."""
        for row in rows:
            self.look_at(row)
            yield row

    def look_at(self, row: Document) -> None:
        """Keep the record's place, if it is one of those to be kept."""
        if self._left == 0:
            # One of every so many, at random among them: what the records hold may repeat with the same period.
            self._left, self._chosen = self._every, random.randrange(self._every)  # noqa: S311 - guards nothing
        self._left -= 1
        if self._left != self._chosen:
            return
        mark = mark_at(self._keys, row)
        if mark is None:
            return
        self._kept.append(((*(key.key(key.value(row)) for key in self._keys), row["_id"]), mark))
        if len(self._kept) > MOST_KEPT:
            self._kept = self._kept[::2]
            self._every *= 2
            self._per_mark = max(1, self._per_mark // 2)

    def marks(self) -> list[Position]:
        """Marks at even steps of what has passed."""
        ordered = sorted(self._kept, key=lambda kept: kept[0])
        step = max(self._per_mark, math.ceil(len(ordered) / MOST))
        return [mark for _, mark in ordered[step - 1 :: step]]


def _id(org_id: ObjectId, paths: Sequence[str]) -> str:
    return f"{org_id}:{hashlib.sha256(chr(0).join(paths).encode()).hexdigest()[:32]}"
