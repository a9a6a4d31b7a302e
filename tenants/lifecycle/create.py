"""Create an organization: reserve the name -> collection and indexes -> account and membership -> active.

The membership is the point of no return: with it a crashed creation is finished, without it undone. The
unique index on `names` is the only lock.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from accounts import audit
from accounts import service as accounts
from accounts.audit import Actor
from accounts.principal import Principal
from orgportal import database
from orgportal.errors import PortalError, organization_busy
from tenants import manager, placement
from tenants.documents import ACTIVE, DELETING, PROVISIONING, Organization, now, organization_from, validated
from tenants.lifecycle import operation


def organization_exists(slug: str) -> PortalError:
    """409: the name is taken, or not free again yet after a deletion or rename."""
    return PortalError("organization_exists", 409, f"The short name “{slug}” is taken. Choose another.")


def create(
    *,
    name: str,
    slug: str,
    metadata: Mapping[str, Any],
    founder: ObjectId,
    actor: Actor | Principal,
    grant: Callable[[ObjectId], None],
    origin: str | None = None,
) -> Organization:
    """A new, active organization; the inputs have been checked.

    `actor` is who is written down as its maker. `grant(org_id)` gives the account `founder` its membership
    (making the account where it is new) and may refuse with a PortalError. Raises PortalError 409
    `organization_exists`; after any refusal nothing is left. After a failure of the database the reconciler
    finishes or undoes.
    """
    organization = _reserve(name, slug, metadata, founder, origin)
    holder = organization.work.holder
    with operation.kept_alive(organization, holder):
        try:
            with audit.act(
                action="organization.created",
                org_ids=[organization.id],
                actor=actor,
                target=f"organization:{organization.id}",
                details={"slug": slug, "collection": organization.placement.collection},
            ):
                manager.create(organization.placement, organization.id)
                grant(organization.id)
        except manager.ForeignCollection:
            # Data that nobody here knows of: the name is not to be had, and the data not to be touched.
            _release(organization, holder)
            raise organization_exists(slug) from None
        except PortalError:
            # A refusal, so every earlier answer has arrived, and nothing of ours is still on its way.
            manager.drop_unfinished(organization.placement, organization.id)
            _release(organization, holder)
            raise
        try:
            return _activate(organization, holder)
        except operation.TakenOver:
            return _as_settled(organization)


def _reserve(name: str, slug: str, metadata: Mapping[str, Any], founder: ObjectId, origin: str | None) -> Organization:
    instant = now()
    where = placement.choose(manager.collection_name(slug))
    row = {
        "_id": ObjectId(),
        "name": name,
        "slug": slug,
        "names": [slug],
        "status": PROVISIONING,
        "epoch": 1,
        "rev": 1,
        "placement": where.as_document(),
        "metadata": dict(metadata),
        "origin": origin,
        "pending": operation.pending("create", "reserved", operation.new_holder(), {"founder": founder}),
        "quarantine": [],
        "due_at": operation.lease_end(),
        "created_at": instant,
        "updated_at": instant,
    }
    try:
        database.collection("organizations").insert_one(validated(row))
    except DuplicateKeyError:
        raise organization_exists(slug) from None
    return organization_from(row)


def _activate(organization: Organization, holder: str) -> Organization:
    update = {"$set": {"status": ACTIVE, "pending": None, "due_at": None}, "$inc": {"epoch": 1}}
    operation.step(organization, holder, update)
    placement.moved(organization.placement.cluster, 1)
    created = operation.load(organization.id)
    if created is None:
        raise operation.TakenOver(str(organization.id))
    return created


def _as_settled(organization: Organization) -> Organization:
    """What the reconciler made of a creation that took longer than its lease."""
    settled = operation.load(organization.id)
    if settled is not None and settled.is_open:
        return settled
    accounts.forget_organization(org_id=organization.id)
    raise organization_busy()


def _release(organization: Organization, holder: str) -> None:
    audit.forget(organization.id)
    database.collection("organizations").delete_one({"_id": organization.id, "pending.holder": holder})


def resume(organization: Organization, holder: str) -> None:
    """Finish a crashed creation, or turn it into a deletion that waits for what may still arrive."""
    founder = organization.work.target["founder"]
    if accounts.membership_exists(account_id=founder, org_id=organization.id):
        manager.create(organization.placement, organization.id)
        _activate(organization, holder)
        return
    update = {
        "$set": {
            "status": DELETING,
            "pending": operation.pending("delete", "undo", holder),
            "due_at": now(),
        },
        "$inc": {"epoch": 1},
    }
    operation.step(organization, holder, update)
