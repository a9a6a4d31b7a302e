"""Which schemas count, and the database's own copy of the one that is on.

A schema comes into force like this: it is stored; then the organization's document names it as `checking` and its epoch
is raised, in one step; from then on every write is held to it, beside the one that is on, and no write that was checked
without it is acknowledged. Once the last such write can have arrived, all records are checked (`tenants.rules.checks`).
If they fit, it is on; if not, it is dropped, and what was on before stays.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import OperationFailure

from orgportal import database
from orgportal.errors import PortalError, not_found, organization_busy
from tenants import upkeep
from tenants.documents import ACTIVE, DELETING, Organization, Placement, now
from tenants.lifecycle import operation
from tenants.rules import documents
from tenants.rules.documents import COLLECTION, KeptSchema, Report
from tenants.rules.translation import translated

log = structlog.get_logger(__name__)


class NotSettled(Exception):
    """The organization changed meanwhile: look again."""


def insert(org_id: ObjectId, text: str, purpose: documents.Purpose) -> KeptSchema:
    """Store a schema. For a check it is due at once; to be switched on, only should its switching be cut short."""
    moment = now()
    # Longer than any message of the request that stores it may be under way.
    cut_short = moment + timedelta(seconds=settings.LEASE_SECONDS + operation.quarantine_seconds())
    row = {
        "_id": ObjectId(),
        "org_id": org_id,
        "text": text,
        "purpose": purpose,
        "step": "waiting",
        "report": documents.as_document(Report()),
        "created_at": moment,
        "due_at": moment if purpose == "check" else cut_short,
    }
    if purpose == "check":
        # One at a time: the newest is what somebody waits for.
        earlier = {"org_id": org_id, "purpose": "check", "step": {"$in": ["waiting", "checking"]}}
        over = {"step": "superseded", "due_at": None, "finished_at": moment}
        database.collection(COLLECTION).update_many(earlier, {"$set": over})
    database.collection(COLLECTION).insert_one(row)
    return documents.kept_from(row)


def name_for_checking(organization: Organization, schema_id: ObjectId) -> None:
    """From now on every write is held to the schema too.

    Raises PortalError 503 `organization_busy`, 404, or 412 `stale` when the schema changed since it was read.
    """
    _change(organization, {"checking": schema_id})
    fenced = now()
    update = {"fenced_at": fenced, "due_at": fenced + timedelta(seconds=operation.quarantine_seconds())}
    _update(schema_id, update)


def withdraw(schema_id: ObjectId) -> None:
    """Forget a schema that was stored, and is named nowhere."""
    database.collection(COLLECTION).delete_one({"_id": schema_id})


def switch_off(organization: Organization) -> None:
    """From now on no write is held to any schema. Raises as `name_for_checking`."""
    held_to = organization.schema.held_to
    for schema_id in held_to:
        # Should this be cut short, the worker sees to the validator.
        _update(schema_id, {"due_at": now() + timedelta(seconds=settings.LEASE_SECONDS)})
    _change(organization, {"on": None, "checking": None})


def _change(organization: Organization, changes: Mapping[str, ObjectId | None]) -> None:
    before = organization.schema
    after = {"on": before.on, "checking": before.checking, **changes, "rev": before.rev + 1}
    # The epoch tells whoever is writing at this moment that the rules have changed.
    update = {"$set": {"schema": after}, "$inc": {"epoch": 1}}
    if operation.change(organization, update, status=ACTIVE, **{"schema.rev": before.rev or None}):
        return
    current = operation.load(organization.id)
    if current is None or not current.is_open:
        raise not_found()
    if current.schema.rev == before.rev:
        raise organization_busy()
    raise stale()


def stale() -> PortalError:
    """412: somebody changed the schema since it was read."""
    return PortalError("stale", 412, "Somebody changed the schema meanwhile. Look at it again, then repeat.")


def conclude(kept: KeptSchema, *, fits: bool) -> None:
    """Make a schema that was `checking` the one that is on, or drop it; safe to repeat."""
    named = {"_id": kept.org_id, "schema.checking": kept.id}
    on = {"schema.on": kept.id} if fits else {}
    update = {"$set": {**on, "schema.checking": None}, "$inc": {"schema.rev": 1}}
    # Without a new epoch: nothing is held to more than before.
    database.collection("organizations").update_one(named, update)


def settle(org_id: ObjectId) -> None:
    """Bring the collection's validator in line with what is on, and forget schemas that count no more.

    Safe to repeat. Raises NotSettled while the organization is renamed, or when it changed meanwhile.
    """
    organization = operation.load(org_id)
    if organization is None or organization.status == DELETING:
        database.collection(COLLECTION).delete_many({"org_id": org_id})
        return
    if organization.status != ACTIVE:
        raise NotSettled
    carry(organization, organization.placement)
    after = operation.load(org_id)
    if after is None or after.epoch != organization.epoch or after.schema.on != organization.schema.on:
        raise NotSettled
    _forget(after)


def carry(organization: Organization, placement: Placement) -> None:
    """Give the collection at that placement the validator of the organization's schema; safe to repeat."""
    kept = documents.load(organization.schema.on) if organization.schema.on else None
    validator = translated(orjson.loads(kept.text))[0] if kept else None
    try:
        with database.deadline(settings.DATABASE_DEADLINE):
            upkeep.set_validator(placement, validator)
    except OperationFailure as error:
        if database.is_unavailable(error):
            raise
        # The portal checks every write itself; a server that knows other keywords does without.
        log.warning("validator_refused", org_id=str(organization.id), code=error.code)
        upkeep.set_validator(placement, None)


def _forget(organization: Organization) -> None:
    """Of the schemas that do not count keep only the newest, for its report."""
    kept = documents.all_of(organization.id)
    others = [schema for schema in kept if schema.id not in organization.schema.held_to]
    finished = [schema.id for schema in others if schema.is_finished]
    database.collection(COLLECTION).delete_many({"_id": {"$in": finished[1:]}})


def _update(schema_id: ObjectId, fields: Mapping[str, Any]) -> None:
    database.collection(COLLECTION).update_one({"_id": schema_id}, {"$set": dict(fields)})
