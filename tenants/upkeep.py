"""What is done to a whole collection besides making and moving it: its validator, its indexes, reading it through.

Everything takes the placement of an organization that was read a moment ago: nothing here may be called on an old
picture, for its collection's name could be another organization's by now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import OperationFailure

from orgportal import database
from orgportal.database import Document
from tenants import manager
from tenants.documents import Placement

INDEX_NOT_FOUND = 27
SCAN_BATCH = 500


@dataclass(frozen=True)
class IndexFacts:
    """What the server tells about an index: bytes, uses, and since when those are counted; None is not told."""

    name: str
    bytes: int | None
    uses: int | None
    since: datetime | None


def _collection(placement: Placement) -> "Collection[Document]":
    return database.client(placement.cluster)[placement.database].get_collection(
        placement.collection, codec_options=manager.RECORDS
    )


def set_validator(placement: Placement, validator: Mapping[str, Any] | None) -> None:
    """Have the database itself refuse what the validator refuses, or with None nothing; safe to repeat.

    Fine when the collection is not there. Raises OperationFailure when the server does not take the validator.
    """
    try:
        database.client(placement.cluster)[placement.database].command(
            "collMod",
            placement.collection,
            validator=dict(validator or {}),
            validationLevel="strict" if validator else "off",
        )
    except OperationFailure as error:
        if error.code != manager.NAMESPACE_NOT_FOUND:
            raise


def scan(placement: Placement, *, projection: Mapping[str, Any]) -> "Cursor[Document]":
    """All records, in no order. The deadline in force when it is iterated bounds the whole reading."""
    return _collection(placement).find({}, projection, batch_size=SCAN_BATCH)


def find(placement: Placement, ids: Sequence[str], projection: Mapping[str, Any]) -> "Cursor[Document]":
    """The records of these ids, as far as they are there."""
    return _collection(placement).find({"_id": {"$in": list(ids)}}, projection)


def build_index(placement: Placement, org_id: ObjectId, models: Sequence[IndexModel]) -> None:
    """Build an index on an organization's own collection, and those that stand beside it; safe to repeat.

    Raises LookupError when the collection is not there as this organization's: building would make it, and
    OperationFailure as the server does, DuplicateKeyError among them.
    """
    if manager.ownership(placement, org_id) is not manager.Ownership.OWN:
        raise LookupError(placement.collection)
    # One after the other: the embedded database does nothing else while it builds, but for what came meanwhile.
    for model in models:
        _collection(placement).create_indexes([model])


def drop_index(placement: Placement, name: str) -> None:
    """Remove an index and those that stand beside it; fine when it, or the collection, is not there."""
    there = [index["name"] for index in _collection(placement).list_indexes()]
    for beside in there:
        if beside == name or beside.startswith(f"{name}_"):
            _drop_index(placement, beside)


def _drop_index(placement: Placement, name: str) -> None:
    try:
        _collection(placement).drop_index(name)
    except OperationFailure as error:
        if error.code not in {INDEX_NOT_FOUND, manager.NAMESPACE_NOT_FOUND}:
            raise


def index_facts(placement: Placement) -> dict[str, IndexFacts]:
    """What the server tells of each index, by name; empty when it tells nothing or the collection is not there."""
    try:
        uses = {row["name"]: row.get("accesses", {}) for row in _collection(placement).aggregate([{"$indexStats": {}}])}
        sizes = _index_sizes(placement)
    except OperationFailure as error:
        if database.is_unavailable(error):
            raise
        return {}
    return {name: _facts(name, sizes.get(name), accesses) for name, accesses in uses.items()}


def _index_sizes(placement: Placement) -> Mapping[str, int]:
    for stats in _collection(placement).aggregate([{"$collStats": {"storageStats": {}}}]):
        return dict(stats["storageStats"].get("indexSizes", {}))
    return {}


def _facts(name: str, size: int | None, accesses: Mapping[str, Any]) -> IndexFacts:
    # The embedded database says 0 for every size, and counts no uses (it names no time since when).
    since = accesses.get("since")
    return IndexFacts(name, int(size) if size else None, int(accesses["ops"]) if since else None, since)
