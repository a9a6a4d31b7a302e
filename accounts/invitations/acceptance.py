"""Accepting an invitation: by an account of the invited address, or by making one.

The invitation is taken first, for a minute; the membership is the point of no return, and the invitation goes last.
What a crash leaves in between, the same link finishes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from bson import ObjectId

from accounts import audit, links, members
from accounts.directory import OrganizationFacts, directory
from accounts.documents import ACCOUNTS
from accounts.invitations.documents import (
    INVITATIONS,
    Invitation,
    being_accepted,
    find,
    unless_being_accepted,
)
from accounts.links import Link
from accounts.password_rules import rules_for
from accounts.principal import Membership, Principal
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError, forbidden, unauthenticated

# Longer than any request's work in the database: after that an acceptance that did not finish has died.
ACCEPTING = timedelta(seconds=60)


@dataclass(frozen=True)
class Offer:
    """What the holder of a link is offered; `has_account`: the invited address has one already."""

    invitation: Invitation
    organization: OrganizationFacts
    has_account: bool


@dataclass(frozen=True)
class Accepted:
    """Who joined what, as what."""

    account_id: ObjectId
    email: str
    organization: OrganizationFacts
    role: Role


def offer(*, token: str) -> Offer:
    """What a link offers, using nothing up. Raises PortalError 422 `invalid_link`."""
    _, invitation, organization = _read(token)
    has_account = database.collection(ACCOUNTS).find_one({"email": invitation.email}, {"_id": 1}) is not None
    return Offer(invitation, organization, has_account)


def accept(*, principal: Principal, token: str) -> Accepted:
    """Join with the account that is logged in, which must be the invited address's.

    Raises PortalError 422 `invalid_link`, 403 `other_address` for another account, 409 `invitation_busy`.
    """
    link, invitation, organization = _read(token)
    if principal.method == "key":
        raise forbidden()
    if principal.email != invitation.email:
        raise other_address(invitation.email)
    with _taken(invitation, principal.account_id):
        if not members.add_membership(account_id=principal.account_id, org_id=invitation.org_id, role=invitation.role):
            raise unauthenticated()
        _confirm_address(principal.account_id, invitation.email)
    _settle(invitation, link)
    return Accepted(principal.account_id, principal.email, organization, invitation.role)


def accept_as_new(*, token: str, password: str, name: str = "") -> Accepted:
    """Join with a new account for the invited address, which counts as confirmed.

    Raises PortalError 422 `invalid_link` or for the input, 409 `email_taken` when the address has an account (that
    one logs in first) or `invitation_busy`, 429 when too many passwords are hashed at once.
    """
    link, invitation, organization = _read(token)
    joins = Membership(org_id=invitation.org_id, role=invitation.role)
    rules = rules_for(email=invitation.email, memberships=[joins])
    rules.check(password)
    new = members.prepare_account(email=invitation.email, password=password, name=name, words=rules.words)
    account_id = ObjectId()
    with _taken(invitation, account_id):
        members.insert_account(new=new, account_id=account_id, org_id=invitation.org_id, role=invitation.role)
        _confirm_address(account_id, invitation.email)
    _settle(invitation, link)
    return Accepted(account_id, invitation.email, organization, invitation.role)


def other_address(email: str) -> PortalError:
    """403: the account that is logged in is not the invited one."""
    return PortalError("other_address", 403, f"This invitation is for {email} only. Log in with that account.")


def _read(token: str) -> tuple[Link, Invitation, OrganizationFacts]:
    """A good link with its open invitation into an open organization, from somebody who may still invite so."""
    link = links.read(kind="invitation", token=token)
    invitation = find(link.details["invitation"])
    if invitation is None or invitation.edition != link.details["edition"] or invitation.is_expired:
        raise links.invalid_link()
    organizations = directory().open_ones([invitation.org_id])
    if not organizations or not _still_may_invite(invitation):
        raise links.invalid_link()
    return link, invitation, organizations[0]


def _still_may_invite(invitation: Invitation) -> bool:
    """Whoever was removed or demoted has not left a door open."""
    enough = [role.value for role in Role if role.covers(Role.ADMIN) and role.covers(invitation.role)]
    held = {"$elemMatch": {"org_id": invitation.org_id, "role": {"$in": enough}}}
    query = {"_id": invitation.invited_by, "memberships": held}
    return database.collection(ACCOUNTS).find_one(query, {"_id": 1}) is not None


@contextmanager
def _taken(invitation: Invitation, account_id: ObjectId) -> Iterator[None]:
    """Write the acceptance to the audit and take the invitation for it; a refusal in the body gives it back."""
    query = {"_id": invitation.id, "edition": invitation.edition}
    invitations = database.collection(INVITATIONS)
    with audit.act(
        action="invitation.accepted",
        org_ids=[invitation.org_id],
        actor=audit.account(account_id, invitation.email, "link"),
        target=f"account:{account_id}",
        details={"email": invitation.email, "role": invitation.role.value, "invitation": str(invitation.id)},
    ):
        moment = now()
        take = {"$set": {"accepting_until": moment + ACCEPTING}}
        if invitations.update_one({**query, **unless_being_accepted(moment)}, take).matched_count == 0:
            raise links.invalid_link() if find(invitation.id) is None else being_accepted()
        try:
            yield
        except PortalError:
            invitations.update_one(query, {"$set": {"accepting_until": None}})
            raise


def _confirm_address(account_id: ObjectId, email: str) -> None:
    """Whoever holds the link reads the address's mail."""
    query = {"_id": account_id, "email": email, "email_verified_at": None}
    database.collection(ACCOUNTS).update_one(query, {"$set": {"email_verified_at": now()}})


def _settle(invitation: Invitation, link: Link) -> None:
    links.use(link)
    database.collection(INVITATIONS).delete_one({"_id": invitation.id, "edition": invitation.edition})
