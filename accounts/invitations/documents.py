"""Invitations as the master database holds them.

An invitation's id is made of organization and address, so that inviting again replaces. Links carry its `edition`,
which every sending makes anew: only the latest ones count. Accepting takes it first (`accepting_until`, a lease), so
that it is accepted once and cannot be revoked halfway.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from django.conf import settings
from pymongo import ASCENDING, IndexModel

from accounts import links
from accounts.mail import queue
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

INVITATIONS = "invitations"
INDEXES: dict[str, list[IndexModel]] = {
    INVITATIONS: [
        IndexModel([("org_id", ASCENDING)], name="org_id"),
        IndexModel([("forget_at", ASCENDING)], name="forget_at", expireAfterSeconds=0),
    ]
}
# An invitation that has run out stays in the list for so long, to be sent again.
SHOWN_AFTER_EXPIRY = timedelta(days=30)


@dataclass(frozen=True)
class Invitation:
    """An invitation that nobody has accepted yet."""

    id: ObjectId
    org_id: ObjectId
    email: str
    role: Role
    edition: str
    invited_by: ObjectId
    inviter: str
    created_at: datetime
    sent_at: datetime
    expires_at: datetime

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at <= now()


def id_of(org_id: ObjectId, email: str) -> ObjectId:
    """The id of an address's invitation into an organization; a digest, so that addresses of pages show no email."""
    return ObjectId(hashlib.sha256(f"{org_id}:{email}".encode()).hexdigest()[:24])


def find(invitation_id: ObjectId, *, org_id: ObjectId | None = None) -> Invitation | None:
    """The invitation, if it is there and of that organization."""
    query: Document = {"_id": invitation_id} if org_id is None else {"_id": invitation_id, "org_id": org_id}
    row = database.collection(INVITATIONS).find_one(query)
    return invitation_from(row) if row else None


def times_from(moment: datetime) -> Document:
    """The times of an invitation that is sent at this moment."""
    expires_at = moment + timedelta(seconds=settings.INVITATION_SECONDS)
    return {"sent_at": moment, "expires_at": expires_at, "forget_at": expires_at + SHOWN_AFTER_EXPIRY}


def unless_being_accepted(moment: datetime) -> Document:
    """The part of a query that leaves out an invitation that somebody is accepting just now."""
    return {"$or": [{"accepting_until": None}, {"accepting_until": {"$lte": moment}}]}


def being_accepted() -> PortalError:
    """409: somebody accepts the invitation at this moment."""
    return PortalError(
        "invitation_busy", 409, "This invitation is being accepted at this moment. Look again in a minute."
    )


def invitation_from(row: Mapping[str, Any]) -> Invitation:
    """The invitation of a stored document."""
    return Invitation(
        id=row["_id"],
        org_id=row["org_id"],
        email=row["email"],
        role=Role(row["role"]),
        edition=row["edition"],
        invited_by=row["invited_by"],
        inviter=row["inviter"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
        expires_at=row["expires_at"],
    )


def forget_organization(org_id: ObjectId) -> None:
    """Remove the organization's invitations, their links and the mails about them; safe to repeat."""
    database.collection(INVITATIONS).delete_many({"org_id": org_id})
    links.revoke_all_of_organization(org_id)
    queue.forget_organization(org_id)
