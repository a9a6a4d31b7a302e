"""The organization as the master database keeps it, and as one request saw it.

`OrganizationDocument` declares and validates what is stored; it is never saved once it exists.
`Organization` is a frozen picture of it at one instant: what services hand around.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, ClassVar

import mongoengine
from bson import ObjectId
from mongoengine.errors import ValidationError
from pymongo import ASCENDING, IndexModel

from accounts.policies import NO_POLICY, Policy, policy_from
from orgportal.database import Document

PROVISIONING = "provisioning"
ACTIVE = "active"
RENAMING = "renaming"
SUSPENDED = "suspended"
DELETING = "deleting"
STATUSES = (PROVISIONING, ACTIVE, RENAMING, SUSPENDED, DELETING)

# `names` holds every slug that the organization occupies: its own, and during a rename both. Its unique
# index is the only lock on names.
INDEXES: dict[str, list[IndexModel]] = {
    "organizations": [
        IndexModel([("names", ASCENDING)], name="names_unique", unique=True),
        IndexModel([("due_at", ASCENDING)], name="due_at"),
        IndexModel([("placement.cluster", ASCENDING)], name="cluster"),
    ],
}


def now() -> datetime:
    """This instant in UTC, at the millisecond that MongoDB keeps."""
    instant = datetime.now(timezone.utc)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class PlacementDocument(mongoengine.EmbeddedDocument):
    """Where the organization's collection lives."""

    cluster = mongoengine.StringField(required=True)
    database = mongoengine.StringField(required=True)
    collection = mongoengine.StringField(required=True)


class OrganizationDocument(mongoengine.Document):
    """One organization in the master database.

    `epoch` grows with every change of status: whoever acted on an older one acted too late. `rev` grows
    with every change that users see. `due_at` is the time from which on any process may take unfinished
    work over; it is moved on while somebody is at it, and absent when there is nothing to do.
    """

    name = mongoengine.StringField(required=True)
    slug = mongoengine.StringField(required=True, regex=r"^[a-z][a-z0-9_]{1,39}$")
    names = mongoengine.ListField(mongoengine.StringField(), required=True)
    status = mongoengine.StringField(required=True, choices=STATUSES)
    epoch = mongoengine.IntField(required=True, min_value=1)
    rev = mongoengine.IntField(required=True, min_value=1)
    placement = mongoengine.EmbeddedDocumentField(PlacementDocument, required=True)
    metadata = mongoengine.DictField()
    origin = mongoengine.StringField()
    pending = mongoengine.DictField()
    quarantine = mongoengine.ListField(mongoengine.DictField())
    due_at = mongoengine.DateTimeField()
    schema = mongoengine.DictField()
    policy = mongoengine.DictField()
    has_sort_marks = mongoengine.BooleanField()
    created_at = mongoengine.DateTimeField(required=True)
    updated_at = mongoengine.DateTimeField(required=True)

    meta: ClassVar[Document] = {"collection": "organizations", "auto_create_index": False}


@dataclass(frozen=True)
class Placement:
    """Cluster, database and collection of one organization's data."""

    cluster: str
    database: str
    collection: str

    def as_document(self) -> Document:
        return {"cluster": self.cluster, "database": self.database, "collection": self.collection}


@dataclass(frozen=True)
class Pending:
    """An unfinished operation: which, at which step, who is at it, and what it is to bring about."""

    op: str
    step: str
    holder: str
    since: datetime
    target: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SchemaState:
    """Which schemas (`tenants.rules`) the data is held to, by id: the one that is on, and one that is to follow it.

    `rev` grows with every change of the two.
    """

    rev: int = 0
    on: ObjectId | None = None
    checking: ObjectId | None = None

    @property
    def held_to(self) -> tuple[ObjectId, ...]:
        """The schemas that every write has to satisfy."""
        return tuple(schema for schema in (self.on, self.checking) if schema is not None)


NO_SCHEMA = SchemaState()


@dataclass(frozen=True)
class Organization:
    """An organization as it was when it was read."""

    id: ObjectId
    name: str
    slug: str
    status: str
    epoch: int
    rev: int
    placement: Placement
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    pending: Pending | None
    quarantine: tuple[Mapping[str, Any], ...]
    origin: str | None = None
    schema: SchemaState = NO_SCHEMA
    policy: Policy = NO_POLICY
    # Set before the first mark is made (`tenants.records.sort_marks`), and for good.
    has_sort_marks: bool = False

    @property
    def is_open(self) -> bool:
        return self.status in {ACTIVE, RENAMING}

    @property
    def work(self) -> Pending:
        """The unfinished operation. Raises LookupError when there is none: then nobody may go on with it."""
        if self.pending is None:
            raise LookupError(f"nothing is under way at organization {self.id}")
        return self.pending

    @property
    def pending_slug(self) -> str | None:
        """The slug that a running rename leads to."""
        return str(self.pending.target["slug"]) if self.pending and self.pending.op == "rename" else None


def organization_from(row: Mapping[str, Any]) -> Organization:
    """The picture of a stored document."""
    pending, schema = row.get("pending"), row.get("schema")
    return Organization(
        id=row["_id"],
        name=row["name"],
        slug=row["slug"],
        status=row["status"],
        epoch=row["epoch"],
        rev=row["rev"],
        placement=Placement(**row["placement"]),
        metadata=row.get("metadata") or {},
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        pending=Pending(**pending) if pending else None,
        quarantine=tuple(row.get("quarantine") or ()),
        origin=row.get("origin"),
        schema=SchemaState(**schema) if schema else NO_SCHEMA,
        policy=policy_from(row.get("policy")),
        has_sort_marks=row.get("has_sort_marks", False),
    )


def validated(row: Document) -> Document:
    """`row` itself, once MongoEngine found it to be a well-formed organization.

    Raises ValueError: a malformed one is our mistake, for user input was checked before.
    """
    fields = {key: value for key, value in row.items() if key != "_id" and value is not None}
    fields["placement"] = PlacementDocument(**row["placement"])
    try:
        OrganizationDocument(id=row["_id"], **fields).validate()
    except ValidationError as error:
        raise ValueError(f"not an organization: {error}") from error
    return row
