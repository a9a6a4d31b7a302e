"""Checks the invariants over the whole database and names everything that breaks one. Reads only.

Which promise a finding belongs to is its `invariant`: 1 every active organization has its collection and
indexes; 2 every `org_` collection has its organization; 3 no operation is pending past its lease; 5 no two
organizations share a collection; 6 nothing of a deleted organization is left that could authenticate.
(4, acknowledged writes, cannot be seen from outside: the tests prove it.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts import service as accounts
from orgportal import database
from orgportal.indexes import missing_indexes
from tenants import manager
from tenants.documents import ACTIVE, Organization, now, organization_from

BATCH = 500


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
    standing = {cluster: dict(manager.collections(cluster)) for cluster in database.cluster_names()}
    owners: dict[tuple[str, str], str] = {}
    for organization in _organizations():
        yield from _examine_organization(organization, standing, moment)
        names = [organization.placement.collection, *(entry["collection"] for entry in organization.quarantine)]
        if organization.pending_slug:
            names.append(manager.collection_name(organization.pending_slug))
        for name in dict.fromkeys(names):
            place = (organization.placement.cluster, name)
            if place in owners:
                yield Finding(5, name, f"belongs to {owners[place]} and to {organization.id}")
            owners[place] = str(organization.id)
    # Those that signed up since the first look are not strays: ask again about what seems to be one.
    for cluster, found in standing.items():
        for name in found:
            if (cluster, name) not in owners and not _has_owner_now(name):
                yield Finding(2, f"{cluster}/{name}", "no organization has this collection")
    for subject, problem in accounts.leftovers(organization_exists=_exist):
        yield Finding(6, subject, problem)


def _organizations() -> Iterator[Organization]:
    for row in database.collection("organizations").find({}, batch_size=BATCH):
        yield organization_from(row)


def _examine_organization(
    organization: Organization, standing: dict[str, dict[str, str]], at: datetime
) -> Iterator[Finding]:
    subject = f"{organization.slug or '-'} ({organization.id})"
    where = organization.placement
    if where.cluster not in standing:
        yield Finding(1, subject, f"its cluster {where.cluster!r} is not configured")
        return
    if organization.status == ACTIVE:
        if where.collection != manager.collection_name(organization.slug):
            yield Finding(1, subject, f"its collection is {where.collection}")
        yield from _examine_collection(organization, standing[where.cluster], subject)
        if accounts.first_owner(org_id=organization.id) is None and _is_unchanged(organization):
            yield Finding(1, subject, "has no owner")
    elif organization.pending is None:
        yield Finding(3, subject, f"is {organization.status}, and nothing is under way")
    patience = timedelta(seconds=2 * settings.LEASE_SECONDS)
    due = database.collection("organizations").find_one({"_id": organization.id}, {"due_at": 1, "pending": 1})
    if due and due.get("pending") and (due.get("due_at") is None or due["due_at"] + patience < at):
        yield Finding(3, subject, f"{due['pending']['op']} is pending past its lease: is the worker running?")


def _examine_collection(organization: Organization, standing: dict[str, str], subject: str) -> Iterator[Finding]:
    where = organization.placement
    if where.collection not in standing and manager.ownership(where, organization.id) is manager.Ownership.ABSENT:
        if _is_unchanged(organization):
            yield Finding(1, subject, f"its collection {where.collection} does not exist")
        return
    stamp = standing.get(where.collection, str(organization.id))
    if stamp and stamp != str(organization.id):
        yield Finding(5, subject, f"its collection {where.collection} is stamped as organization {stamp}'s")
    for index in manager.missing_indexes(where):
        yield Finding(1, subject, f"its collection has no index {index}")


def _is_unchanged(organization: Organization) -> bool:
    """Whether no rename or deletion came between reading the organization and finding something amiss with it."""
    unchanged = {"_id": organization.id, "epoch": organization.epoch}
    return database.collection("organizations").find_one(unchanged, {"_id": 1}) is not None


def _has_owner_now(collection: str) -> bool:
    slug = collection.removeprefix(manager.PREFIX)
    return database.collection("organizations").find_one({"names": slug}, {"_id": 1}) is not None


def _exist(ids: list[object]) -> set[object]:
    return {row["_id"] for row in database.collection("organizations").find({"_id": {"$in": ids}}, {"_id": 1})}
