"""Indexes that organizations have added, as the master database keeps them.

The document is there before the index and until after it, so that whatever a crash leaves is found from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from orgportal import database

COLLECTION = "record_indexes"
# `slot` counts an organization's indexes, and `keys` says what one is over: two requests at once cannot take the same.
INDEXES: dict[str, list[IndexModel]] = {
    COLLECTION: [
        IndexModel([("org_id", ASCENDING), ("slot", ASCENDING)], name="org_id_slot", unique=True),
        IndexModel([("org_id", ASCENDING), ("keys", ASCENDING)], name="org_id_keys", unique=True),
        IndexModel([("due_at", ASCENDING)], name="due_at"),
    ]
}
# Of the names in the collection: tells these from the stamp, and from any that an operator made.
PREFIX = "added_"

State = Literal["building", "ready", "failed", "removing"]


@dataclass(frozen=True)
class IndexField:
    """A field of an index: its path in the data, and whether large values come first."""

    path: str
    descending: bool = False


@dataclass(frozen=True)
class RecordIndex:
    """An index that an organization added. `reason` says why it failed."""

    id: ObjectId
    org_id: ObjectId
    fields: tuple[IndexField, ...]
    unique: bool
    state: State
    reason: str
    created_at: datetime
    due_at: datetime | None

    @property
    def name(self) -> str:
        """Its name in the collection."""
        return f"{PREFIX}{self.id}"

    def model(self, *, ascending: bool = False) -> IndexModel:
        """What the driver builds; with `ascending` whatever the fields' directions, which a filter does not need.

        The embedded database places a text before the texts that it begins, also in a descending index, and then
        finds none of them there.
        """
        keys = [
            (f"data.{field.path}", DESCENDING if field.descending and not ascending else ASCENDING)
            for field in self.fields
        ]
        return IndexModel(keys, name=self.name, unique=self.unique) if self.unique else IndexModel(keys, name=self.name)


def keys_of(fields: tuple[IndexField, ...]) -> str:
    """The same text for the same fields in the same order."""
    return ",".join(f"{'-' if field.descending else ''}{field.path}" for field in fields)


def index_from(row: Mapping[str, Any]) -> RecordIndex:
    """The picture of a stored index."""
    return RecordIndex(
        id=row["_id"],
        org_id=row["org_id"],
        fields=tuple(IndexField(field["path"], field["descending"]) for field in row["fields"]),
        unique=row["unique"],
        state=row["state"],
        reason=row["reason"],
        created_at=row["created_at"],
        due_at=row.get("due_at"),
    )


def all_of(org_id: ObjectId) -> list[RecordIndex]:
    """An organization's indexes, the oldest first."""
    rows = database.collection(COLLECTION).find({"org_id": org_id})
    return sorted((index_from(row) for row in rows), key=lambda index: index.created_at)
