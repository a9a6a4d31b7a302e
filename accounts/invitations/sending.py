"""What admins do with invitations: invite, look at them, send them again, take them back."""

import secrets
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from accounts import audit, links, throttle
from accounts.addresses import normalise_email
from accounts.directory import directory
from accounts.documents import ACCOUNTS
from accounts.invitations.documents import (
    INVITATIONS,
    Invitation,
    being_accepted,
    find,
    id_of,
    invitation_from,
    times_from,
    unless_being_accepted,
)
from accounts.mail import queue
from accounts.mail.letters import Letter
from accounts.mail.writing import Message, Pointless, harmless
from accounts.principal import Principal
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, forbidden, not_found, unauthenticated

LETTER_KIND = "invitation"
MOST = 500


def invite(*, principal: Principal, email: str, role: Role) -> Invitation:
    """Invite an address into the caller's organization and send it a link; an open invitation of it is replaced.

    The caller has been found to be an admin. Raises PortalError 422 for the address, 403 for a role above the caller's
    own (that of the replaced invitation, too) or a caller whose own address is not confirmed (`email_not_verified`),
    409 `already_member`, `too_many_invitations` or `invitation_busy`, 429 after many mails within an hour.
    """
    address = normalise_email(email)
    org_id, inviter = _may_invite(principal, role)
    if database.collection(ACCOUNTS).find_one({"email": address, "memberships.org_id": org_id}, {"_id": 1}):
        raise PortalError("already_member", 409, "This address belongs to a member already.")
    if database.collection(INVITATIONS).count_documents({"org_id": org_id}, limit=MOST) >= MOST:
        raise PortalError("too_many_invitations", 409, f"There are {MOST} invitations already. Revoke some first.")
    invitation_id, moment = id_of(org_id, address), now()
    replaced = find(invitation_id, org_id=org_id)
    if replaced is not None and not _covers(principal, replaced.role):
        raise forbidden()
    throttle.count_invitation(org_id=org_id, email=address)
    changes = {
        "org_id": org_id,
        "email": address,
        "role": role.value,
        "created_at": moment,
        "accepting_until": None,
        **_sent_by(principal, inviter),
    }
    with _audited("invitation.sent", principal, org_id, invitation_id, address, role):
        query = {"_id": invitation_id, **unless_being_accepted(moment)}
        try:
            database.collection(INVITATIONS).update_one(query, {"$set": changes}, upsert=True)
        except DuplicateKeyError:
            # It is there, and yet the condition does not hold.
            raise being_accepted() from None
        return _queued(invitation_id, org_id)


def resend(*, principal: Principal, invitation_id: ObjectId) -> Invitation:
    """Send an invitation again, with a new link and all its time; earlier links no longer count.

    Raises PortalError 404, and otherwise as `invite`.
    """
    invitation = _of_caller(principal, invitation_id)
    org_id, inviter = _may_invite(principal, invitation.role)
    throttle.count_invitation(org_id=org_id, email=invitation.email)
    with _audited("invitation.resent", principal, org_id, invitation.id, invitation.email, invitation.role):
        query = {"_id": invitation.id, "org_id": org_id, **unless_being_accepted(now())}
        changes = {"$set": _sent_by(principal, inviter)}
        if database.collection(INVITATIONS).update_one(query, changes).matched_count == 0:
            raise _gone_or_busy(invitation)
        return _queued(invitation.id, org_id)


def revoke(*, principal: Principal, invitation_id: ObjectId) -> None:
    """Take an invitation back: its links count no more.

    Raises PortalError 404, 403 for one to a role above the caller's own, 409 `invitation_busy`.
    """
    invitation = _of_caller(principal, invitation_id)
    if not _covers(principal, invitation.role):
        raise forbidden()
    with _audited("invitation.revoked", principal, invitation.org_id, invitation.id, invitation.email, invitation.role):
        query = {"_id": invitation.id, "org_id": invitation.org_id, **unless_being_accepted(now())}
        if database.collection(INVITATIONS).delete_one(query).deleted_count == 0:
            raise _gone_or_busy(invitation)


def listed(*, org_id: ObjectId, limit: int = MOST, after: ObjectId | None = None) -> list[Invitation]:
    """Invitations of the organization that are open or ran out lately, by id, from the one behind `after`."""
    query: Document = {"org_id": org_id}
    if after is not None:
        query["_id"] = {"$gt": after}
    rows = database.collection(INVITATIONS).find(query).sort("_id", ASCENDING).limit(limit)
    return [invitation_from(row) for row in rows]


def compose(letter: Letter) -> Message:
    """The mail with its link; pointless once the invitation was accepted, revoked or sent again."""
    invitation = find(letter.context["invitation"])
    open_ones = directory().open_ones([letter.org_id]) if letter.org_id else []
    if invitation is None or invitation.edition != letter.context["edition"] or not open_ones:
        raise Pointless("it was accepted, revoked or sent again")
    link = links.issue(
        kind="invitation",
        email=invitation.email,
        org_id=invitation.org_id,
        until=invitation.expires_at,
        details={"invitation": invitation.id, "edition": invitation.edition},
    )
    organization = harmless(open_ones[0].name)
    context = {
        "link": link,
        "inviter": harmless(invitation.inviter),
        "role": invitation.role.value,
        "organization": organization,
        "until": invitation.expires_at,
    }
    return Message(f"Invitation to {organization}", "invitation", context)


def _may_invite(principal: Principal, role: Role) -> tuple[ObjectId, str]:
    """The organization, and how the mail names who invites."""
    if principal.org_id is None:
        raise not_found()
    if not _covers(principal, role):
        raise forbidden()
    query = {"_id": principal.account_id}
    account = database.collection(ACCOUNTS).find_one(query, {"name": 1, "email": 1, "email_verified_at": 1})
    if account is None:
        raise unauthenticated()
    if account.get("email_verified_at") is None:
        raise PortalError(
            "email_not_verified", 403, "Confirm your own email address first, with the link that was sent to it."
        )
    return principal.org_id, account.get("name") or account["email"]


def _covers(principal: Principal, role: Role) -> bool:
    return principal.role is not None and principal.role.covers(role)


def _sent_by(principal: Principal, inviter: str) -> Document:
    return {
        "invited_by": principal.account_id,
        "inviter": inviter,
        "edition": secrets.token_hex(16),
        **times_from(now()),
    }


def _queued(invitation_id: ObjectId, org_id: ObjectId) -> Invitation:
    """The invitation as it is stored, once its mail is in the queue."""
    invitation = find(invitation_id, org_id=org_id)
    if invitation is None:
        raise not_found()
    context = {"invitation": invitation.id, "edition": invitation.edition}
    letter = Letter(kind=LETTER_KIND, to=invitation.email, org_id=org_id, context=context, until=invitation.expires_at)
    queue.add([letter])
    return invitation


def _of_caller(principal: Principal, invitation_id: ObjectId) -> Invitation:
    if principal.org_id is None or not isinstance(invitation_id, ObjectId):
        raise not_found()
    invitation = find(invitation_id, org_id=principal.org_id)
    if invitation is None:
        raise not_found()
    return invitation


def _gone_or_busy(invitation: Invitation) -> PortalError:
    return not_found() if find(invitation.id) is None else being_accepted()


def _audited(
    action: str, principal: Principal, org_id: ObjectId, invitation_id: ObjectId, email: str, role: Role
) -> Any:
    return audit.act(
        action=action,
        org_ids=[org_id],
        actor=principal,
        target=f"invitation:{invitation_id}",
        details={"email": email, "role": role.value},
    )
