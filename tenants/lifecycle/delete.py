"""Delete an organization: fence -> drop -> credentials and accounts -> strip -> later sweep -> free the name.

After the fence nothing of it authenticates. What remains until the sweep is the bare reservation of its
name: a write that was in flight could still bring the collection back, and must not find a new owner there.
"""

from datetime import timedelta

from accounts import service as accounts
from orgportal import database
from orgportal.errors import not_found
from tenants import belongings, manager, placement, sizes
from tenants.documents import ACTIVE, DELETING, SUSPENDED, Organization, now
from tenants.lifecycle import operation
from tenants.lifecycle.rename import refusal

# Dropping on the embedded database does some eight thousand documents a second; more is for the worker.
DROPPED_AT_ONCE = 20_000


def delete(organization: Organization) -> bool:
    """Delete an active or suspended organization with everything that belongs to it.

    True: data, metadata and credentials are gone, and its name is free after `quarantine_seconds`. False:
    the worker goes on. Raises PortalError 404 when it is being deleted already, 412 `stale` when it
    changed since it was read, 503 `organization_busy` during another operation.
    """
    at_once = (
        not database.copies_on_rename(organization.placement.cluster)
        or sizes.size_of(organization).records <= DROPPED_AT_ONCE
    )
    holder = operation.new_holder()
    update = {
        "$set": {
            "status": DELETING,
            "pending": operation.pending("delete", "fenced", holder),
            "due_at": operation.lease_end() if at_once else now(),
        },
        "$inc": {"epoch": 1},
    }
    done = operation.change(organization, update, status={"$in": [ACTIVE, SUSPENDED]}, rev=organization.rev)
    current = operation.load(organization.id)
    if current is None or (not done and current.status == DELETING):
        raise not_found()
    if not done:
        raise refusal(current)
    return at_once and operation.finish_at_once(current, holder, resume)


def resume(organization: Organization, holder: str) -> None:
    """Go on with a fenced deletion; safe to repeat from the start."""
    if organization.work.step == "stripped":
        _finish(organization, holder)
        return
    # An undone creation may stand before a collection that was there before it: that one stays.
    if organization.work.step == "undo":
        manager.drop_unfinished(organization.placement, organization.id)
    else:
        manager.drop(organization.placement, organization.id)
    belongings.forget(organization.id)
    accounts.forget_organization(org_id=organization.id)
    _strip(organization, holder)


def _strip(organization: Organization, holder: str) -> None:
    until = organization.work.since + timedelta(seconds=operation.quarantine_seconds())
    undone = organization.work.step == "undo"
    update = {
        "$set": {
            "name": "",
            "metadata": {},
            # A repeated sign-up is told to wait, rather than that somebody else has the name.
            "origin": organization.origin if undone else None,
            "pending.step": "stripped",
            "pending.target": {"undone": undone},
            "due_at": max([until, *(entry["until"] for entry in organization.quarantine)]),
        }
    }
    operation.step(organization, holder, update)


def _finish(organization: Organization, holder: str) -> None:
    """Sweep what a late write or a late login brought back, then let the name go."""
    undone = organization.work.target["undone"]
    (manager.drop_unfinished if undone else manager.drop)(organization.placement, organization.id)
    for entry in organization.quarantine:
        manager.drop(
            type(organization.placement)(
                cluster=organization.placement.cluster,
                database=organization.placement.database,
                collection=entry["collection"],
            ),
            organization.id,
        )
    belongings.forget(organization.id)
    accounts.forget_organization(org_id=organization.id)
    query = {"_id": organization.id, "pending.holder": holder, "status": DELETING}
    if database.collection("organizations").delete_one(query).deleted_count and not undone:
        placement.moved(organization.placement.cluster, -1)
