"""Logins that wait for a code: the password was right, and there is no session yet.

Held in the database for ten minutes, by the digest of a secret that only the browser's cookie has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from accounts.sessions import new_secret
from accounts.tokens import digest, now
from orgportal import database

PENDING_LOGINS = "pending_logins"
INDEXES: dict[str, list[IndexModel]] = {
    PENDING_LOGINS: [
        IndexModel([("account_id", ASCENDING)], name="account_id"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ]
}
LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class PendingLogin:
    """A login that wants a code. `wishes` is what the login form said besides (where to go on, how long to stay)."""

    id: str
    account_id: ObjectId
    generation: int
    wishes: Mapping[str, Any]


def begin(*, account_id: ObjectId, generation: int, wishes: Mapping[str, Any]) -> str:
    """Note that this account's password was right. Returns the secret for the cookie."""
    secret = new_secret()
    row = {
        "_id": digest(secret),
        "account_id": account_id,
        "generation": generation,
        "wishes": dict(wishes),
        "expires_at": now() + LIFETIME,
    }
    database.collection(PENDING_LOGINS).insert_one(row)
    return secret


def find(secret: str) -> PendingLogin | None:
    """The login of that secret, unless its time is over."""
    row = database.collection(PENDING_LOGINS).find_one({"_id": digest(secret)})
    if row is None or row["expires_at"] <= now():
        return None
    return PendingLogin(row["_id"], row["account_id"], row["generation"], row["wishes"])


def end(pending: PendingLogin) -> bool:
    """It is used up. False: somebody else has used it."""
    return database.collection(PENDING_LOGINS).delete_one({"_id": pending.id}).deleted_count == 1


def forget_account(account_id: ObjectId) -> None:
    """End every login of an account that waits for a code."""
    database.collection(PENDING_LOGINS).delete_many({"account_id": account_id})
