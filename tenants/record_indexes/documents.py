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
from tenants.records.covers import companions_of

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
    """An index that an organization added. `reason` says why it failed; `sorts`: lists can be sorted by it."""

    id: ObjectId
    org_id: ObjectId
    fields: tuple[IndexField, ...]
    unique: bool
    state: State
    reason: str
    created_at: datetime
    due_at: datetime | None
    sorts: bool = False

    @property
    def name(self) -> str:
        """Its name in the collection."""
        return f"{PREFIX}{self.id}"

    @property
    def paths(self) -> list[str]:
        """Of its fields, in their order."""
        return [field.path for field in self.fields]

    @property
    def order(self) -> list[str] | None:
        """The fields by which lists can be sorted with it, None where they cannot.

        Not with a number on a path: a filter looks for the place in an array or the name, an order for both.
        """
        has_place = any(name.isdigit() for path in self.paths for name in path.split("."))
        return self.paths if self.sorts and not has_place else None

    def models(self, *, embedded: bool) -> list[IndexModel]:
        """What the driver builds: the index, then what stands beside it.

        For the embedded database all fields ascend, which a filter and a sort do not mind: in a descending index it
        places a text before the texts that it begins, and then finds none of them there.
        """
        keys = [
            (f"data.{field.path}", DESCENDING if field.descending and not embedded else ASCENDING)
            for field in self.fields
        ]
        if self.unique:
            return [IndexModel(keys, name=self.name, unique=True), *self._beside(keys, embedded)]
        # The id parts records with the same values, for an order.
        by_id = [*keys, ("_id", ASCENDING)]
        if not embedded or len(keys) == 1:
            return [IndexModel(by_id, name=self.name), *self._beside(keys, embedded)]
        beside = [IndexModel(by_id, name=f"{self.name}_id"), *self._beside(keys, embedded)]
        return [IndexModel(keys, name=self.name), *beside]

    def _beside(self, keys: list[tuple[str, int]], embedded: bool) -> list[IndexModel]:
        """What the embedded database needs as well.

        Where an equality is followed by a range that is not an index's last field, it misses the range's upper end, but
        it takes the shortest index that will do: so every beginning is an index, too. And it finds objects by no
        range of an index, so that there are indexes of what `covers.companions_of` asks for.
        """
        if not embedded:
            return []
        beginnings = [IndexModel(keys[:count], name=f"{self.name}_{count}") for count in range(2, len(keys))]
        needed = dict.fromkeys(companion for path in self.paths for companion in companions_of(path))
        # No record has a field of the index's name: it tells these from those that stand beside another index.
        revision = [("rev", ASCENDING), (self.name, ASCENDING)]
        return beginnings + [
            IndexModel(revision, name=f"{self.name}_with_{number}", partialFilterExpression=companion.partial())
            for number, companion in enumerate(needed)
        ]


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
        sorts=row.get("sorts", False),
    )


def all_of(org_id: ObjectId) -> list[RecordIndex]:
    """An organization's indexes, the oldest first."""
    rows = database.collection(COLLECTION).find({"org_id": org_id})
    return sorted((index_from(row) for row in rows), key=lambda index: index.created_at)
