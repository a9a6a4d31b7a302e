"""Checks the invariants over the whole database and names everything that breaks one. Mends nothing.

Which promise a finding belongs to is its `invariant`: 1 every active organization has its collection and
indexes; 2 every `org_` collection has its organization; 3 no operation is pending past its lease; 5 no two
organizations share a collection; 6 nothing of a deleted organization is left that could authenticate.
(4, acknowledged writes, cannot be seen from outside: the tests prove it.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bson import ObjectId
from django.conf import settings

from accounts import service as accounts
from orgportal import database
from orgportal.indexes import missing_indexes
from tenants import belongings, manager
from tenants.documents import ACTIVE, SUSPENDED, Organization, Placement, now, organization_from

BATCH = 500
NOBODY = ObjectId("0" * 24)
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)


@dataclass(frozen=True)
class Finding:
    """One broken promise: the invariant's number (0: the installation), and what is wrong with what."""

    invariant: int
    subject: str
    problem: str


def examine(*, at: datetime | None = None) -> Iterator[Finding]:
    """Everything that is wrong at `at` (default: now), as it is found; in batches, so memory stays small."""
    moment = at or now()
    for index in missing_indexes():
        yield Finding(0, index, "index of the master database is missing: run `manage.py ensure_indexes`")
    standing = {place for cluster in database.cluster_names() for place in manager.collections(cluster)}
    owners: dict[Placement, ObjectId] = {}
    for organization in _organizations():
        yield from _examine_organization(organization, moment)
        names = [organization.placement.collection, *(entry["collection"] for entry in organization.quarantine)]
        if organization.pending_slug:
            names.append(manager.collection_name(organization.pending_slug))
        for name in dict.fromkeys(names):
            place = replace(organization.placement, collection=name)
            if place in owners:
                yield Finding(5, name, f"belongs to {owners[place]} and to {organization.id}")
            owners[place] = organization.id
    for place in sorted(standing - owners.keys(), key=lambda stray: (stray.cluster, stray.collection)):
        # Asked again: it may have been signed up or dropped since, or the listing itself brought it back.
        if not _has_owner_now(place.collection) and not manager.drop_ghost(place, NOBODY):
            yield Finding(2, f"{place.cluster}/{place.collection}", "no organization has this collection")
    yield from _overdue(moment)
    for subject, problem in accounts.leftovers(organization_exists=_exist):
        yield Finding(6, subject, problem)
    for subject, problem in belongings.leftovers(_exist):
        yield Finding(6, subject, problem)


def _organizations() -> Iterator[Organization]:
    for row in database.collection("organizations").find({}, batch_size=BATCH):
        yield organization_from(row)


def _examine_organization(organization: Organization, at: datetime) -> Iterator[Finding]:
    subject = f"{organization.slug or '-'} ({organization.id})"
    where = organization.placement
    if where.cluster not in database.cluster_names():
        yield Finding(1, subject, f"its cluster {where.cluster!r} is not configured")
        return
    if organization.status in {ACTIVE, SUSPENDED}:
        if where.collection != manager.collection_name(organization.slug):
            yield Finding(1, subject, f"its collection is {where.collection}")
        yield from _examine_collection(organization, subject)
        yield from _examine_schema(organization, subject)
        if accounts.first_owner(org_id=organization.id) is None and _is_unchanged(organization):
            yield Finding(1, subject, "has no owner")
    elif organization.pending is None:
        yield Finding(3, subject, f"is {organization.status}, and nothing is under way")
    patience = timedelta(seconds=2 * settings.LEASE_SECONDS)
    due = database.collection("organizations").find_one({"_id": organization.id}, {"due_at": 1, "pending": 1})
    if due and due.get("pending") and (due.get("due_at") is None or due["due_at"] + patience < at):
        yield Finding(3, subject, f"{due['pending']['op']} is pending past its lease: is the worker running?")


def _examine_collection(organization: Organization, subject: str) -> Iterator[Finding]:
    name = organization.placement.collection
    whose = manager.ownership(organization.placement, organization.id)
    if whose is manager.Ownership.OWN or not _is_unchanged(organization):
        return
    if whose is manager.Ownership.ABSENT:
        yield Finding(1, subject, f"its collection {name} does not exist")
    elif whose is manager.Ownership.UNSTAMPED:
        yield Finding(1, subject, f"its collection {name} has lost its index, and with it the stamp")
    else:
        yield Finding(5, subject, f"its collection {name} is stamped as another organization's")


def _overdue(at: datetime) -> Iterator[Finding]:
    """Checks of schemas and builds of indexes that nobody goes on with."""
    # Both bounds, because the embedded database scans the collection for a range with only one.
    late = {"due_at": {"$gte": LONG_AGO, "$lt": at - timedelta(seconds=2 * settings.LEASE_SECONDS)}}
    for name, work in (("record_schemas", "the check of a schema"), ("record_indexes", "an index")):
        for row in database.collection(name).find(late, {"org_id": 1}, batch_size=BATCH):
            yield Finding(3, str(row["org_id"]), f"{work} is pending past its lease: is the worker running?")


def _examine_schema(organization: Organization, subject: str) -> Iterator[Finding]:
    for schema in organization.schema.held_to:
        there = database.collection("record_schemas").find_one({"_id": schema}, {"_id": 1})
        if there is None and _is_unchanged(organization):
            yield Finding(1, subject, f"the schema {schema} that its records are held to is missing")


def _is_unchanged(organization: Organization) -> bool:
    """Whether no rename or deletion came between reading the organization and finding something amiss with it."""
    unchanged = {"_id": organization.id, "epoch": organization.epoch}
    return database.collection("organizations").find_one(unchanged, {"_id": 1}) is not None


def _has_owner_now(collection: str) -> bool:
    slug = collection.removeprefix(manager.PREFIX)
    return database.collection("organizations").find_one({"names": slug}, {"_id": 1}) is not None


def _exist(ids: list[object]) -> set[object]:
    return {row["_id"] for row in database.collection("organizations").find({"_id": {"$in": ids}}, {"_id": 1})}
