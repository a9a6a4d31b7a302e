"""The use cases of organizations: one function each, called by page, endpoint and command alike."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from accounts import audit, notices, throttle, verification
from accounts import service as accounts
from accounts.audit import Actor
from accounts.principal import Principal
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError, not_found, organization_busy, unauthenticated
from tenants import manager, names, sizes
from tenants.access import Access
from tenants.documents import ACTIVE, DELETING, RENAMING, Organization, now, organization_from
from tenants.lifecycle import create, operation, reconcile, rename
from tenants.lifecycle import delete as deletion
from tenants.lifecycle import suspend as suspension
from tenants.metadata import clean_metadata

# How long the second of two equal requests waits for what the first one is creating.
TWIN_SECONDS = 2.0


@dataclass(frozen=True)
class SignedUp:
    """A new organization and its owner."""

    organization: Organization
    account_id: ObjectId
    email: str


@dataclass(frozen=True)
class Description:
    """An organization, the caller's role in it, and how much data it has (records, bytes of storage)."""

    organization: Organization
    role: Role
    records: int
    storage_bytes: int


@dataclass(frozen=True)
class DeletionPreview:
    """Exactly what a deletion removes: records, bytes, members, and those accounts that belong to nothing else."""

    records: int
    storage_bytes: int
    members: int
    accounts_removed: int


@dataclass(frozen=True)
class NameProposal:
    """What a display name (or a chosen slug) comes to: the slug and whether it is free, or why it is refused."""

    slug: str | None
    collection: str | None
    is_free: bool
    reason: str


def propose_name(*, organization_name: str, slug: str | None = None) -> NameProposal:
    """What signing up under this name would give; never raises for the name's sake, reserves nothing."""
    try:
        proposed = _slug_for(organization_name, slug)
    except PortalError as error:
        return NameProposal(None, None, False, " ".join(entry.message for entry in error.errors))
    taken = database.collection("organizations").find_one({"names": proposed}, {"_id": 1}) is not None
    reason = "This short name is taken." if taken else ""
    return NameProposal(proposed, manager.collection_name(proposed), not taken, reason)


def sign_up(
    *,
    organization_name: str,
    slug: str | None,
    email: str,
    password: str,
    name: str = "",
    metadata: Mapping[str, object] | None = None,
    origin: str | None = None,
    actor: Actor | None = None,
) -> SignedUp:
    """A new organization with a new account as its owner. `actor` is who does it, if not the owner.

    `origin` identifies the request (a digest of its idempotency key): repeated with the same one, the
    first result is given again, also after a crash. Raises PortalError 422 for the input, 409
    `organization_exists` or `email_taken`, 429 when too many sign up from one
    network, or too many passwords are being hashed.
    """
    display, chosen, cleaned = names.clean_name(organization_name), _slug_for(organization_name, slug), _clean(metadata)
    address = accounts.normalise_email(email)
    if earlier := _earlier(chosen, origin):
        return SignedUp(earlier, _founder_of(earlier), address)
    throttle.count_sign_up()
    account_id = ObjectId()
    try:
        new = accounts.prepare_account(email=address, password=password, name=name, words=(display, chosen))

        def grant(org_id: ObjectId) -> None:
            accounts.insert_account(new=new, account_id=account_id, org_id=org_id, role=Role.OWNER)

        # In the queue before the account is made: no account is without its mail, whatever dies in between.
        with verification.mailed(account_id=account_id, email=address):
            organization = create.create(
                name=display,
                slug=chosen,
                metadata=cleaned,
                founder=account_id,
                actor=actor or audit.account(account_id, address),
                grant=grant,
                origin=origin,
            )
    except PortalError as refused:
        twin = _twin(chosen, origin, refused)
        return SignedUp(twin, _founder_of(twin), address)
    return SignedUp(organization, account_id, address)


def add_organization(
    *,
    principal: Principal,
    organization_name: str,
    slug: str | None,
    metadata: Mapping[str, object] | None = None,
    origin: str | None = None,
) -> SignedUp:
    """A new organization that the calling account owns; otherwise as `sign_up`."""
    display, chosen, cleaned = names.clean_name(organization_name), _slug_for(organization_name, slug), _clean(metadata)
    if earlier := _earlier(chosen, origin):
        return SignedUp(earlier, principal.account_id, principal.email)

    def grant(org_id: ObjectId) -> None:
        if not accounts.add_membership(account_id=principal.account_id, org_id=org_id, role=Role.OWNER):
            raise unauthenticated()

    try:
        organization = create.create(
            name=display,
            slug=chosen,
            metadata=cleaned,
            founder=principal.account_id,
            actor=principal,
            grant=grant,
            origin=origin,
        )
    except PortalError as refused:
        organization = _twin(chosen, origin, refused)
    return SignedUp(organization, principal.account_id, principal.email)


def _slug_for(organization_name: str, slug: str | None) -> str:
    names.clean_name(organization_name)
    return names.clean_slug(slug) if slug else names.slug_from(organization_name)


def _clean(metadata: Mapping[str, object] | None) -> dict[str, Any]:
    return dict(clean_metadata(metadata)) if metadata is not None else {}


def _earlier(slug: str, origin: str | None) -> Organization | None:
    """What the same request has created before, or is creating at this moment (waited for, not long).

    Raises PortalError 409 when the name is another's, 503 `organization_busy` when it takes too long.
    """
    until = time.monotonic() + TWIN_SECONDS
    while row := database.collection("organizations").find_one({"names": slug}):
        found = organization_from(row)
        if origin is None or found.origin != origin:
            raise create.organization_exists(slug)
        if found.is_open:
            return found
        if time.monotonic() > until:
            raise organization_busy()
        time.sleep(0.05)
    return None


def _twin(slug: str, origin: str | None, refused: PortalError) -> Organization:
    """What the same request, sent twice at once, has created meanwhile. Raises `refused` when that is not why."""
    twin = _earlier(slug, origin) if origin and refused.code in {"organization_exists", "email_taken"} else None
    if twin is None:
        raise refused
    return twin


def _founder_of(organization: Organization) -> ObjectId:
    owner = accounts.first_owner(org_id=organization.id)
    if owner is None:
        raise organization_busy()
    return owner


def list_organizations(
    *, principal: Principal, limit: int, after: ObjectId | None = None
) -> list[tuple[Organization, Role]]:
    """The open organizations that the account belongs to and its role in each, by id, from the one after `after`.

    At most `limit` + 1, so that the caller sees whether there are more.
    """
    roles = {membership.org_id: membership.role for membership in principal.memberships}
    wanted = sorted(org_id for org_id in roles if after is None or org_id > after)
    query = {"_id": {"$in": wanted}, "status": {"$in": [ACTIVE, RENAMING]}}
    rows = database.collection("organizations").find(query).sort("_id", 1).limit(limit + 1) if wanted else []
    return [(organization_from(row), roles[row["_id"]]) for row in rows]


def all_organizations() -> Iterator[Organization]:
    """Every organization in whatever state, for the operator; read in batches."""
    for row in database.collection("organizations").find({}, batch_size=500):
        yield organization_from(row)


def describe(*, access: Access) -> Description:
    """The organization as the access saw it, with the size of its collection (see `tenants.sizes`)."""
    size = sizes.size_of(access.organization)
    return Description(access.organization, access.role, size.records, size.bytes)


def update(
    *,
    access: Access,
    organization_name: str | None = None,
    slug: str | None = None,
    metadata: Mapping[str, object] | None = None,
    expected_rev: int | None = None,
) -> Organization:
    """Change the display name, the slug and the metadata, each where given; all or none.

    A new slug renames the collection; the result's status is `renaming` when the worker goes on with
    that. Raises PortalError 422 for the input, 409 `organization_exists`, 412 `stale` when `expected_rev`
    is no longer the organization's, 503 `organization_busy` during another operation.
    """
    organization = access.organization
    changes: dict[str, Any] = {}
    if organization_name is not None:
        changes["name"] = names.clean_name(organization_name)
    if metadata is not None:
        changes["metadata"] = dict(clean_metadata(metadata))
    if slug is not None and slug != organization.slug:
        names.clean_slug(slug)
    _expect(organization, expected_rev)
    if slug is not None and slug == organization.pending_slug:
        return organization
    if organization.status != ACTIVE:
        raise organization_busy()
    if slug is not None and slug != organization.slug:
        with _audited("renamed", organization, access.principal, {"from": organization.slug, "to": slug}):
            return rename.rename(organization, slug=slug, changes=changes)
    if not changes:
        return organization
    with _audited("changed", organization, access.principal, {"fields": sorted(changes)}):
        return _change(organization, changes)


def _audited(
    what: str, organization: Organization, actor: Principal | Actor, details: Mapping[str, Any] | None = None
) -> AbstractContextManager[None]:
    """Written to the organization's chain; a deletion to the portal's as well, for the other one goes with it."""
    return audit.act(
        action=f"organization.{what}",
        org_ids=[organization.id, audit.PORTAL] if what == "deleted" else [organization.id],
        actor=actor,
        target=f"organization:{organization.id}",
        details=details or {"slug": organization.slug},
    )


def _expect(organization: Organization, rev: int | None) -> None:
    if rev is not None and rev != organization.rev:
        raise PortalError("stale", 412, "Somebody changed the organization meanwhile. Look at it again, then repeat.")


def _change(organization: Organization, changes: Mapping[str, Any]) -> Organization:
    update_document = {"$set": {**changes, "updated_at": now()}, "$inc": {"rev": 1}}
    done = operation.change(organization, update_document, status=ACTIVE, rev=organization.rev)
    current = operation.load(organization.id)
    if current is None or current.status == DELETING:
        raise unauthenticated()
    if not done:
        raise rename.refusal(current)
    return current


def deletion_preview(*, access: Access) -> DeletionPreview:
    """What deleting the organization would remove (see `tenants.sizes`)."""
    size = sizes.size_of(access.organization)
    members = accounts.count_members(org_id=access.organization.id)
    return DeletionPreview(
        records=size.records,
        storage_bytes=size.bytes,
        members=members.members,
        accounts_removed=members.only_here,
    )


def delete(*, access: Access, expected_rev: int | None = None) -> bool:
    """Delete the organization with its data, its credentials and the accounts that belong to nothing else.

    True when all of that is gone (its name is free a few seconds later), False when the worker goes on;
    from this moment nothing of it authenticates. Raises PortalError as `update` does.
    """
    _expect(access.organization, expected_rev)
    if access.organization.status != ACTIVE:
        raise organization_busy()
    with (
        _audited("deleted", access.organization, access.principal),
        _told_to_owners(access.organization, access.principal.email),
    ):
        return deletion.delete(access.organization)


def _told_to_owners(organization: Organization, actor: str) -> AbstractContextManager[None]:
    details = {"organization": organization.name, "actor": actor}
    return notices.announced(kind="organization_deleted", org_owners=organization.id, details=details)


def delete_as_operator(*, slug: str) -> None:
    """Delete an organization and wait until its name is free again (some seconds).

    Raises PortalError 404 when there is none, 503 `organization_busy` during another operation.
    """
    organization = _by_slug(slug)
    with (
        _audited("deleted", organization, audit.OPERATOR),
        _told_to_owners(organization, "whoever runs this portal"),
    ):
        deletion.delete(organization)
    while operation.load(organization.id) is not None:
        reconcile.run_due()
        time.sleep(0.2)


def suspend_as_operator(*, slug: str) -> None:
    """Close an organization: nothing of it authenticates until it is resumed, and nothing is removed.

    Raises PortalError 404 when there is none, 503 `organization_busy` during another operation.
    """
    organization = _by_slug(slug)
    with _audited("suspended", organization, audit.OPERATOR):
        suspension.suspend(organization)


def resume_as_operator(*, slug: str) -> None:
    """Open a suspended organization again; raises as `suspend_as_operator` does."""
    organization = _by_slug(slug)
    with _audited("resumed", organization, audit.OPERATOR):
        suspension.resume(organization)


def _by_slug(slug: str) -> Organization:
    row = database.collection("organizations").find_one({"names": slug})
    if row is None or row["slug"] != slug:
        raise not_found()
    return organization_from(row)
