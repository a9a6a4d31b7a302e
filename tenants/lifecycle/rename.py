"""Rename an organization's slug: fence -> move the collection -> flip -> later sweep and free the old name.

The fence (status `renaming`, epoch raised, both names reserved) comes before anything is touched, so every
write that was acknowledged is in the collection when it moves.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from orgportal.errors import PortalError, not_found, organization_busy
from tenants import manager, sizes
from tenants.documents import ACTIVE, RENAMING, Organization, Placement, now
from tenants.lifecycle import operation
from tenants.lifecycle.create import organization_exists
from tenants.rules import switching

# Copying on the embedded database does a few thousand documents a second; more than this is for the worker.
COPIED_AT_ONCE = 3000
BYTES_COPIED_AT_ONCE = 4_000_000


def rename(organization: Organization, *, slug: str, changes: Mapping[str, Any]) -> Organization:
    """Give an active organization another slug, and set `changes` (name, metadata) in the same moment.

    The result has status `active` and the new slug, or `renaming` when the worker goes on. Raises
    PortalError 409 `organization_exists`, 503 `organization_busy` during another operation or while the
    name is in quarantine, 412 `stale` when the organization changed since it was read.
    """
    if any(entry["collection"] == manager.collection_name(slug) for entry in organization.quarantine):
        raise organization_busy(int(operation.quarantine_seconds()) + 1)
    target = target_placement(organization, slug)
    if not manager.drop_ghost(target, organization.id):
        raise organization_exists(slug)
    manager.stamp(organization.placement, organization.id)
    at_once = not manager.copies(organization.placement, target) or _is_copied_quickly(organization)
    holder = operation.new_holder()
    fenced = _fence(organization, slug, changes, holder, at_once)
    if not at_once:
        return fenced
    if not operation.finish_at_once(fenced, holder, resume):
        return fenced
    renamed = operation.load(organization.id)
    if renamed is None:
        raise not_found()
    return renamed


def _is_copied_quickly(organization: Organization) -> bool:
    size = sizes.size_of(organization)
    return size.records <= COPIED_AT_ONCE and size.bytes <= BYTES_COPIED_AT_ONCE


def target_placement(organization: Organization, slug: str) -> Placement:
    """Where the organization's collection lives under another slug."""
    return replace(organization.placement, collection=manager.collection_name(slug))


def _fence(
    organization: Organization, slug: str, changes: Mapping[str, Any], holder: str, at_once: bool
) -> Organization:
    target = {"slug": slug, "changes": dict(changes)}
    update = {
        "$set": {
            "status": RENAMING,
            "pending": operation.pending("rename", "fenced", holder, target),
            "due_at": operation.lease_end() if at_once else now(),
        },
        "$addToSet": {"names": slug},
        "$inc": {"epoch": 1},
    }
    try:
        done = operation.change(organization, update, status=ACTIVE, rev=organization.rev)
    except DuplicateKeyError:
        raise organization_exists(slug) from None
    fenced = operation.load(organization.id)
    if fenced is None:
        raise not_found()
    if not done:
        raise refusal(fenced)
    return fenced


def refusal(current: Organization) -> PortalError:
    """Why a compare-and-set on an organization that was read as active did not take place."""
    if current.status != ACTIVE:
        return organization_busy()
    return PortalError("stale", 412, "Somebody changed the organization meanwhile. Look at it again, then repeat.")


def resume(organization: Organization, holder: str) -> None:
    """Bring a fenced rename to its end; safe to repeat from the start."""
    slug = organization.work.target["slug"]
    target = target_placement(organization, slug)
    try:
        manager.move(organization.placement, target, organization.id)
        if organization.schema.on is not None:
            switching.carry(organization, target)
    except manager.ForeignCollection:
        _undo(organization, holder, slug)
        raise organization_exists(slug) from None
    _flip(organization, holder, slug, target)


def _flip(organization: Organization, holder: str, slug: str, target: Placement) -> None:
    until = now() + timedelta(seconds=operation.quarantine_seconds())
    left = {"slug": organization.slug, "collection": organization.placement.collection, "until": until}
    update = {
        "$set": {
            **organization.work.target["changes"],
            "slug": slug,
            "placement": target.as_document(),
            "status": ACTIVE,
            "pending": None,
            "due_at": min([until, *(entry["until"] for entry in organization.quarantine)]),
            "updated_at": now(),
        },
        "$push": {"quarantine": left},
        "$inc": {"epoch": 1, "rev": 1},
    }
    operation.step(organization, holder, update)


def _undo(organization: Organization, holder: str, slug: str) -> None:
    update = {
        "$set": {"status": ACTIVE, "pending": None, "due_at": _next_sweep(organization)},
        "$pull": {"names": slug},
        "$inc": {"epoch": 1},
    }
    operation.step(organization, holder, update)


def _next_sweep(organization: Organization) -> datetime | None:
    return min((entry["until"] for entry in organization.quarantine), default=None)


def begin_sweep(organization: Organization, at: datetime) -> str:
    """Take the sweep of an organization's left names; the holder. Raises TakenOver when there is other work.

    No fence: the organization is used meanwhile, and a rename or deletion may take over at any time.
    """
    holder = operation.new_holder()
    pending = operation.pending("sweep", "begun", holder, {"at": at})
    if not operation.change(
        organization, {"$set": {"pending": pending, "due_at": operation.lease_end()}}, pending=None
    ):
        raise operation.TakenOver(str(organization.id))
    return holder


def sweep(organization: Organization, holder: str, at: datetime) -> None:
    """Remove what stands at names left long enough ago at `at`, and free those names; safe to repeat."""
    over = [entry for entry in organization.quarantine if entry["until"] <= at]
    for entry in over:
        manager.drop(replace(organization.placement, collection=entry["collection"]), organization.id)
    remaining = [entry["until"] for entry in organization.quarantine if entry["until"] > at]
    update = {
        "$pull": {
            "quarantine": {"collection": {"$in": [entry["collection"] for entry in over]}},
            "names": {"$in": [entry["slug"] for entry in over]},
        },
        "$set": {"pending": None, "due_at": min(remaining, default=None)},
    }
    operation.step(organization, holder, update)
