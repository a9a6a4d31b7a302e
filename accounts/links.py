"""Links that are sent by mail and work once: 256 random bits, of which only the digest is kept.

A link says what it is for and until when; what using it does, and that it is done once, is up to its kind. Its token
is made when the mail is written and exists nowhere but in that mail.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from django.conf import settings
from pymongo import ASCENDING, IndexModel

from accounts.tokens import digest, now
from orgportal import database
from orgportal.errors import PortalError

LINKS = "links"
INDEXES: dict[str, list[IndexModel]] = {
    LINKS: [
        IndexModel([("account_id", ASCENDING)], name="account_id"),
        IndexModel([("org_id", ASCENDING)], name="org_id"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ]
}
Kind = Literal["verify_email", "change_email", "reset_password", "invitation"]
PATHS: Mapping[Kind, str] = {
    "verify_email": "/email/verify/",
    "change_email": "/email/change/",
    "reset_password": "/password/reset/",
    "invitation": "/invitations/",
}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True)
class Link:
    """A link that is good at this moment. `details` is what its kind keeps with it."""

    id: str
    kind: Kind
    email: str
    account_id: ObjectId | None
    org_id: ObjectId | None
    details: Mapping[str, Any]


def issue(
    *,
    kind: Kind,
    email: str,
    until: datetime,
    account_id: ObjectId | None = None,
    org_id: ObjectId | None = None,
    details: Mapping[str, Any] | None = None,
) -> str:
    """A new link as the address to send: always on SITE_URL, whatever host a request may have named."""
    token = secrets.token_urlsafe(32)
    row = {
        "_id": digest(token),
        "kind": kind,
        "email": email,
        "account_id": account_id,
        "org_id": org_id,
        "details": dict(details or {}),
        "created_at": now(),
        "expires_at": until,
    }
    database.collection(LINKS).insert_one(row)
    return f"{settings.SITE_URL}{PATHS[kind]}{token}"


def read(*, kind: Kind, token: str) -> Link:
    """The link of a token, without using it up. Raises PortalError 422 `invalid_link` unless it is good now."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise invalid_link()
    row = database.collection(LINKS).find_one({"_id": digest(token), "kind": kind})
    # A TTL index deletes up to minutes late.
    if row is None or row.get("used_at") is not None or row["expires_at"] <= now():
        raise invalid_link()
    return Link(row["_id"], kind, row["email"], row["account_id"], row["org_id"], row["details"])


def use(link: Link) -> bool:
    """Use the link up. False: somebody else did, or its time is over."""
    query = {"_id": link.id, "used_at": {"$exists": False}, "expires_at": {"$gt": now()}}
    return database.collection(LINKS).update_one(query, {"$set": {"used_at": now()}}).matched_count == 1


def revoke_all_of_account(account_id: ObjectId) -> None:
    """No link of the account works any more."""
    database.collection(LINKS).delete_many({"account_id": account_id})


def revoke_all_of_organization(org_id: ObjectId) -> None:
    """No link into the organization works any more."""
    database.collection(LINKS).delete_many({"org_id": org_id})


def invalid_link() -> PortalError:
    """The one answer to every link that does not count, whatever the reason."""
    return PortalError("invalid_link", 422, "This link is not valid, was used before or is too old. Ask for a new one.")
