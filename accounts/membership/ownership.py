"""Ceasing to be an owner, so that an organization never has none, whoever else ceases at the same moment.

Memberships live in the accounts' documents, so two owners who go at once write to two documents, and neither write
can see the other. Therefore each first marks the own membership with a token (`leaving`), and only then looks for
another owner who is not marked: of two who go at once, at least one sees the other's mark. Whoever finds only marked
owners takes a mark away, which makes that owner's last step fail (it asks for its token), and may then count on that
owner to stay. Nobody waits for a time, and a mark that a crash left behind is in nobody's way.

Why no order of events leaves an organization without an owner: every completed departure has seen, after it was
marked, an owner without a mark. Take the last to have looked: the owner it saw was marked later if ever, and so
looked later, if it ever left. So that owner is still there.
"""

import random
import secrets
import time
from typing import Any, Literal

from bson import ObjectId

from accounts.documents import ACCOUNTS
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, not_found, organization_busy

ATTEMPTS = 12
LONGEST_PAUSE = 0.05

Others = Literal["stay", "leave", "none"]


def is_only_owner(*, org_id: ObjectId, account_id: ObjectId) -> bool:
    """Whether the organization has no owner beside this account."""
    return not _other_owners(org_id, account_id)


def require_another_owner(*, org_id: ObjectId, account_id: ObjectId) -> None:
    """Raises PortalError 409 `last_owner` when the organization has no owner beside this account."""
    if is_only_owner(org_id=org_id, account_id=account_id):
        raise last_owner()


def step_down(*, org_id: ObjectId, account_id: ObjectId, to: Role | None) -> bool:
    """Give an owner the role `to`, or None: remove the membership. True when the account went with it.

    An account goes when it belongs to nothing else. Raises PortalError 409 `last_owner` when nobody else would be
    left to own the organization, 404 when the account is no owner of it, 503 `organization_busy` when too many
    owners come and go at once; then nothing has changed.
    """
    for _ in range(ATTEMPTS):
        token = secrets.token_hex(8)
        if not _mark(org_id, account_id, token):
            raise not_found()
        others = _look(org_id, account_id)
        if others == "stay":
            gone = _finish(org_id, account_id, token, to)
            if gone is not None:
                return gone
        else:
            _unmark(org_id, account_id, token)
            if others == "none":
                raise last_owner()
        time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - only to get out of step
    raise organization_busy(1)


def last_owner() -> PortalError:
    """409: somebody must be answerable for the organization."""
    return PortalError("last_owner", 409, "An organization always has an owner. Make somebody else its owner first.")


def _look(org_id: ObjectId, account_id: ObjectId) -> Others:
    """Whether another owner stays (made to stay, if need be), all others are leaving, or there are none."""
    others = _other_owners(org_id, account_id)
    if not others or any(token is None for token in others.values()):
        return "stay" if others else "none"
    other_id, token = min(others.items())
    return "stay" if token is not None and _unmark(org_id, other_id, token) else "leave"


def _other_owners(org_id: ObjectId, account_id: ObjectId) -> dict[ObjectId, str | None]:
    """The other owners, each with the mark of the departure that it is in, if any."""
    owned = {"memberships.org_id": org_id, "memberships": {"$elemMatch": {"org_id": org_id, "role": Role.OWNER.value}}}
    rows = database.collection(ACCOUNTS).find(owned, {"memberships": 1})
    return {
        row["_id"]: one.get("leaving")
        for row in rows
        for one in row["memberships"]
        if one["org_id"] == org_id and row["_id"] != account_id
    }


def _mark(org_id: ObjectId, account_id: ObjectId, token: str) -> bool:
    return _update(account_id, _place(org_id), {"$set": {"memberships.$.leaving": token}})


def _unmark(org_id: ObjectId, account_id: ObjectId, token: str) -> bool:
    return _update(account_id, _place(org_id, token), {"$unset": {"memberships.$.leaving": ""}})


def _finish(org_id: ObjectId, account_id: ObjectId, token: str, to: Role | None) -> bool | None:
    """The last step, if the mark still stands: whether the account went with it. None: it stands no more."""
    place = _place(org_id, token)
    if to is not None:
        change = {
            "$set": {"memberships.$.role": to.value, "updated_at": now()},
            "$unset": {"memberships.$.leaving": ""},
        }
        return False if _update(account_id, place, change) else None
    alone = {"_id": account_id, "memberships": {"$size": 1}, "memberships.leaving": token}
    if database.collection(ACCOUNTS).delete_one(alone).deleted_count:
        return True
    change = {"$pull": {"memberships": {"org_id": org_id, "leaving": token}}, "$set": {"updated_at": now()}}
    query: dict[str, Any] = {"memberships.1": {"$exists": True}}
    return False if _update(account_id, place, change, query) else None


def _place(org_id: ObjectId, token: str | None = None) -> Document:
    return {"org_id": org_id, "role": Role.OWNER.value, **({"leaving": token} if token else {})}


def _update(account_id: ObjectId, place: Document, change: Document, query: Document | None = None) -> bool:
    wanted = {"_id": account_id, "memberships": {"$elemMatch": place}, **(query or {})}
    return database.collection(ACCOUNTS).update_one(wanted, change).matched_count == 1
