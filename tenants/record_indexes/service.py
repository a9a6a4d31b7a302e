"""The use cases of the indexes that an organization adds: list, add, look at, remove."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bson import ObjectId
from bson.errors import InvalidId
from django.conf import settings
from pymongo.errors import DuplicateKeyError

from accounts import audit
from orgportal import database
from orgportal.errors import InputError, PortalError, invalid, not_found, organization_busy
from tenants import upkeep
from tenants.access import Access
from tenants.documents import ACTIVE, now
from tenants.record_indexes import building, documents
from tenants.record_indexes.documents import COLLECTION, IndexField, RecordIndex, index_from
from tenants.records.filters import field_of
from tenants.upkeep import IndexFacts

MAX_FIELDS = 4
MAX_PATH = 256
TRIES = 5


@dataclass(frozen=True)
class Described:
    """An index, and what the server tells about it; `facts` is None for one that is not there yet, or not any more."""

    index: RecordIndex
    facts: IndexFacts | None


def limit() -> int:
    """How many indexes an organization may add."""
    return int(settings.INDEXES_PER_ORGANIZATION)


def list_indexes(*, access: Access) -> list[Described]:
    """The organization's indexes, the oldest first. Those of the portal itself are none of them."""
    indexes = documents.all_of(access.organization.id)
    facts = upkeep.index_facts(access.organization.placement) if indexes and _is_there(access) else {}
    return [Described(index, facts.get(index.name)) for index in indexes]


def _is_there(access: Access) -> bool:
    """Whether the picture still names the right collection."""
    return access.organization.status == ACTIVE


def get_index(*, access: Access, id: str) -> Described:
    """One index. Raises PortalError 404."""
    for described in list_indexes(access=access):
        if str(described.index.id) == id:
            return described
    raise not_found()


def fields_from(texts: Sequence[str], *, path: str = "fields") -> tuple[IndexField, ...]:
    """The fields that texts such as `country` and `-population` (large values first) name.

    Raises PortalError 422 for none, for more than four, for what is no path, and for a field that is named twice.
    """
    if not 1 <= len(texts) <= MAX_FIELDS:
        raise invalid(path, f"Name 1 to {MAX_FIELDS} fields.")
    fields: list[IndexField] = []
    for number, text in enumerate(texts):
        where = f"{path}.{number}"
        name = text.removeprefix("-")
        if len(name) > MAX_PATH:
            raise invalid(where, f"A path has at most {MAX_PATH} characters.")
        field_of(name, where)
        if any(field.path == name for field in fields):
            raise invalid(where, f"The field “{name}” is named twice.")
        fields.append(IndexField(name, descending=text.startswith("-")))
    return tuple(fields)


def add_index(*, access: Access, fields: Sequence[str], unique: bool) -> RecordIndex:
    """Have the worker build an index over the fields; it is `building` until then. One that failed is built again.

    Raises PortalError 422 for the fields, 409 `index_exists` or `too_many_indexes`, 503 `organization_busy`.
    """
    wanted = fields_from(fields)
    if access.organization.status != ACTIVE:
        raise organization_busy()
    for _ in range(TRIES):
        there = documents.all_of(access.organization.id)
        same = next((index for index in there if index.fields == wanted), None)
        if same is not None:
            return _built_again(access, same, unique)
        added = _insert(access, wanted, unique, taken=_slots(access.organization.id))
        if added is not None:
            return added
    raise organization_busy()


def _built_again(access: Access, index: RecordIndex, unique: bool) -> RecordIndex:
    if index.state != "failed":
        raise PortalError("index_exists", 409, "There is an index over these fields already. Remove it first.")
    begun = {"state": "building", "reason": "", "unique": unique, "due_at": now()}
    with _audited("index_added", access, index.fields):
        database.collection(COLLECTION).update_one({"_id": index.id, "state": "failed"}, {"$set": begun})
    row = database.collection(COLLECTION).find_one({"_id": index.id})
    if row is None:
        raise organization_busy()
    return index_from(row)


def _audited(what: str, access: Access, fields: tuple[IndexField, ...]) -> AbstractContextManager[None]:
    organization = access.organization
    return audit.act(
        action=f"organization.{what}",
        org_ids=[organization.id],
        actor=access.principal,
        target=f"organization:{organization.id}",
        details={"fields": documents.keys_of(fields)[:MAX_PATH]},
    )


def _slots(org_id: ObjectId) -> set[int]:
    return {row["slot"] for row in database.collection(COLLECTION).find({"org_id": org_id}, {"slot": 1})}


def _insert(access: Access, fields: tuple[IndexField, ...], unique: bool, taken: set[int]) -> RecordIndex | None:
    """The new index, or None when somebody took its place meanwhile."""
    slot = next((number for number in range(limit()) if number not in taken), None)
    if slot is None:
        message = f"An organization can add {limit()} indexes. Remove one that is not needed."
        raise PortalError("too_many_indexes", 409, message, errors=[InputError("fields", message)])
    moment = now()
    row = {
        "_id": ObjectId(),
        "org_id": access.organization.id,
        "slot": slot,
        "keys": documents.keys_of(fields),
        "fields": [{"path": field.path, "descending": field.descending} for field in fields],
        "unique": unique,
        "state": "building",
        "reason": "",
        "created_at": moment,
        "due_at": moment,
    }
    try:
        with _audited("index_added", access, fields):
            database.collection(COLLECTION).insert_one(row)
    except DuplicateKeyError:
        return None
    return index_from(row)


def remove_index(*, access: Access, id: str) -> bool:
    """Remove an index; whether it is gone already, or the worker goes on. Raises PortalError 404, 503."""
    if access.organization.status != ACTIVE:
        raise organization_busy()
    try:
        wanted = {"_id": ObjectId(id), "org_id": access.organization.id}
    except InvalidId:
        raise not_found() from None
    collection = database.collection(COLLECTION)
    row = collection.find_one(wanted)
    if row is None:
        raise not_found()
    with _audited("index_removed", access, index_from(row).fields):
        collection.update_one(wanted, {"$set": {"state": "removing", "due_at": now()}})
    row = collection.find_one(wanted)
    if row is not None:
        building.advance(index_from(row))
    return collection.find_one(wanted, {"_id": 1}) is None
