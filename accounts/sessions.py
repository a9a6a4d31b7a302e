"""Sessions in the master database: browser sessions and families of tokens, opened, verified, ended.

A session counts only together with what it hangs on. `live` reads the session, its account and its
organization in one round trip, so that a password change, a removal or a deletion counts at the very
next request, whatever is left lying in the collection.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from bson import ObjectId
from django.conf import settings

from accounts.directory import OrganizationFacts, directory
from accounts.documents import ACCOUNTS, SESSIONS, SessionDocument, new_document
from accounts.principal import Membership
from accounts.roles import Role
from accounts.tokens import digest, now
from orgportal import circumstances, database

Kind = Literal["session", "token"]
TOUCH_SECONDS = 60
# How the secret of a session begins that outlives the browser.
REMEMBERED = "r."
# The times in a stored session, for those who read it in part.
TIMES = {"created_at": 1, "seen_at": 1, "idle_until": 1, "expires_at": 1}


@dataclass(frozen=True)
class LiveSession:
    """A session that counts at this moment, with the account and the organization it is for."""

    id: str
    kind: Kind
    account_id: ObjectId
    email: str
    email_verified: bool
    generation: int
    memberships: tuple[Membership, ...]
    organization: OrganizationFacts | None
    membership: Membership | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    read_at: float
    has_second_factor: bool
    sudo_until: datetime | None
    remembered: bool


def new_secret(*, remembered: bool = False) -> str:
    """The value of a session cookie: 256 random bits, kept nowhere.

    One that is to outlive the browser says so itself, so that whoever sets the cookie knows; what counts is stored.
    """
    return f"{REMEMBERED if remembered else ''}{secrets.token_urlsafe(32)}"


def insert(  # noqa: PLR0913 - each of them is named by the caller
    *,
    session_id: str,
    kind: Kind,
    account_id: ObjectId,
    org_id: ObjectId | None,
    generation: int,
    refresh: str = "",
    created_at: datetime | None = None,
    sudo_until: datetime | None = None,
    remembered: bool = False,
) -> datetime | None:
    """Store a session and return when it ends at the latest; None, and no session, if it would not count.

    `generation` is the account's when the password was checked: a password that has changed since, or an
    organization that is being deleted, makes the session count for nothing. `created_at` is given by a
    session that carries on an earlier one; until `sudo_until` its password counts as just entered. One that is
    `remembered` lasts longer. Where it is opened from is kept with it.
    """
    moment = now()
    begun = created_at or moment
    idle, absolute = _lifetimes(kind, remembered)
    came_from = circumstances.current()
    fields = {
        "kind": kind,
        "account_id": account_id,
        "org_id": org_id,
        "generation": generation,
        "refresh": refresh,
        "sudo_until": sudo_until,
        "remembered": remembered,
        "address": came_from.address,
        "agent": came_from.agent,
        "created_at": begun,
        "seen_at": moment,
        "idle_until": moment + idle,
        "expires_at": begun + absolute,
    }
    document = new_document(SessionDocument, session_id, fields)
    database.collection(SESSIONS).insert_one({**document, "org_id": org_id})
    # Whoever ends the sessions of an account or organization either sees this one, or is seen here.
    if live(session_id) is None:
        end(session_id)
        return None
    return begun + absolute


def open_browser_session(
    *,
    account_id: ObjectId,
    org_id: ObjectId | None,
    generation: int,
    created_at: datetime | None = None,
    sudo_until: datetime | None = None,
    remembered: bool = False,
) -> str | None:
    """A new browser session's secret, for its cookie; None if the session would not count (see `insert`)."""
    secret = new_secret(remembered=remembered)
    until = insert(
        session_id=id_of_cookie(secret),
        kind="session",
        account_id=account_id,
        org_id=org_id,
        generation=generation,
        created_at=created_at,
        sudo_until=sudo_until,
        remembered=remembered,
    )
    return secret if until else None


def live(session_id: str) -> LiveSession | None:
    """The session if it counts now: one round trip, and None for every reason it may not.

    It must not have run out, its account must exist and be of the same generation, and where it is for
    an organization, the account must be a member and the organization open.
    """
    read_at = time.monotonic()
    rows = database.collection(SESSIONS).aggregate(
        [
            {"$match": {"_id": session_id}},
            {"$lookup": {"from": ACCOUNTS, "localField": "account_id", "foreignField": "_id", "as": "account"}},
            # Unwound first: the embedded database does not look into an array to leave a field out.
            {"$unwind": "$account"},
            {"$project": {"account.password": 0, "account.secrets": 0}},
            *directory().join("org_id", "organization"),
        ]
    )
    row = next(iter(rows), None)
    return _read(row, read_at) if row else None


def touch(session: LiveSession) -> None:
    """Note that a browser session was used, at most once a minute; a session that has ended stays so."""
    moment = now()
    if moment - session.seen_at < timedelta(seconds=TOUCH_SECONDS):
        return
    idle, _ = _lifetimes(session.kind, session.remembered)
    database.collection(SESSIONS).update_one(
        {"_id": session.id, "seen_at": {"$lt": moment}}, {"$set": {**_seen(moment), "idle_until": moment + idle}}
    )


def rotate(*, session_id: str, old: str, new: str) -> bool:
    """Make `new` the good refresh token in place of `old`. False: `old` was not the good one any more."""
    moment = now()
    idle, _ = _lifetimes("token", False)
    outcome = database.collection(SESSIONS).update_one(
        {"_id": session_id, "kind": "token", "refresh": old},
        {"$set": {"refresh": new, **_seen(moment), "idle_until": moment + idle}},
    )
    return outcome.matched_count == 1


def extend_sudo(session_id: str, until: datetime) -> bool:
    """Note until when the password counts as just entered. False: the session is gone."""
    update = {"$set": {"sudo_until": until}}
    return database.collection(SESSIONS).update_one({"_id": session_id}, update).matched_count == 1


def is_remembered(session_id: str) -> bool:
    """Whether a session is there and was meant to outlive the browser."""
    row = database.collection(SESSIONS).find_one({"_id": session_id}, {"remembered": 1})
    return row is not None and bool(row.get("remembered"))


def end(session_id: str) -> bool:
    """End a session, and with it every token that carries its id. Whether it was there."""
    return database.collection(SESSIONS).delete_one({"_id": session_id}).deleted_count == 1


def carry_on(session_id: str, *, account_id: ObjectId, generation: int) -> None:
    """End every other session and token of an account, and let this session count in its new generation."""
    collection = database.collection(SESSIONS)
    collection.update_one({"_id": session_id, "account_id": account_id}, {"$set": {"generation": generation}})
    collection.delete_many({"account_id": account_id, "_id": {"$ne": session_id}})


def end_others_of_account(account_id: ObjectId, *, keep: str) -> int:
    """End every session and token of an account but one; how many there were."""
    others = {"account_id": account_id, "_id": {"$ne": keep}}
    return database.collection(SESSIONS).delete_many(others).deleted_count


def end_all_of_member(*, account_id: ObjectId, org_id: ObjectId) -> int:
    """End an account's sessions and tokens for one organization; how many there were."""
    return database.collection(SESSIONS).delete_many({"account_id": account_id, "org_id": org_id}).deleted_count


def end_all_of_account(account_id: ObjectId) -> int:
    """End every session and token of an account; how many there were."""
    return database.collection(SESSIONS).delete_many({"account_id": account_id}).deleted_count


def end_all_of_organization(org_id: ObjectId) -> int:
    """End every session and token for an organization; how many there were."""
    return database.collection(SESSIONS).delete_many({"org_id": org_id}).deleted_count


def id_of_cookie(secret: str) -> str:
    """The id under which the session of a cookie is stored."""
    return digest(secret)


def _seen(moment: datetime) -> dict[str, Any]:
    """When, from where and with what a session was used last."""
    came_from = circumstances.current()
    return {"seen_at": moment, "address": came_from.address, "agent": came_from.agent}


def _lifetimes(kind: Kind, remembered: bool) -> tuple[timedelta, timedelta]:
    if remembered:
        seconds = settings.REMEMBERED_IDLE_SECONDS, settings.REMEMBERED_ABSOLUTE_SECONDS
    elif kind == "session":
        seconds = settings.SESSION_IDLE_SECONDS, settings.SESSION_ABSOLUTE_SECONDS
    else:
        seconds = settings.REFRESH_IDLE_SECONDS, settings.REFRESH_ABSOLUTE_SECONDS
    return timedelta(seconds=seconds[0]), timedelta(seconds=seconds[1])


def _read(row: Mapping[str, Any], read_at: float) -> LiveSession | None:
    account = row["account"]
    if account["generation"] != row["generation"]:
        return None
    moment = now()
    # A TTL index deletes up to minutes late, and knows nothing of the idle time.
    if moment >= row["expires_at"] or moment >= row["idle_until"]:
        return None
    memberships = memberships_of(account)
    organization, membership = None, None
    if row.get("org_id") is not None:
        organization = directory().from_join(row["organization"])
        membership = next((one for one in memberships if one.org_id == row["org_id"]), None)
        if organization is None or not organization.is_open or membership is None:
            return None
        longest = organization.policy.session_seconds
        if longest is not None and moment >= row["created_at"] + timedelta(seconds=longest):
            return None
    elif row["kind"] != "session":
        return None
    return LiveSession(
        id=row["_id"],
        kind=row["kind"],
        account_id=account["_id"],
        email=account["email"],
        email_verified=account.get("email_verified_at") is not None,
        generation=account["generation"],
        memberships=memberships,
        organization=organization,
        membership=membership,
        created_at=row["created_at"],
        seen_at=row["seen_at"],
        expires_at=row["expires_at"],
        read_at=read_at,
        has_second_factor="second_factor" in account,
        sudo_until=row.get("sudo_until"),
        remembered=bool(row.get("remembered")),
    )


def memberships_of(account: Mapping[str, Any]) -> tuple[Membership, ...]:
    """The memberships in an account's document."""
    return tuple(Membership(org_id=one["org_id"], role=Role(one["role"])) for one in account["memberships"])
