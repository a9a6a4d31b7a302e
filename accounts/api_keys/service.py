"""API keys of an organization: made, listed, verified, revoked.

A key counts only together with what it hangs on, as a session does: one aggregation reads the key, its maker's
account and its organization. So a key shrinks with its maker's role at the next request, and is dead when the maker
leaves the organization, sets a new password, or the organization is deleted.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bson import ObjectId
from django.conf import settings

from accounts import audit, notices, sudo
from accounts.api_keys import text as key_text
from accounts.directory import directory
from accounts.documents import ACCOUNTS, API_KEYS, ApiKeyDocument, new_document
from accounts.principal import Membership, Principal
from accounts.roles import Role
from accounts.scopes import SCOPES, Scope, effective, require_person
from accounts.sessions import memberships_of
from accounts.texts import clean_line
from accounts.tokens import digest, now
from orgportal import database
from orgportal.errors import PortalError, forbidden, invalid, not_found, unauthenticated

MAX_NAME_LENGTH = 100
MAX_KEYS = 100
MAX_DAYS = 3650
TOUCH_SECONDS = 60
KEPT_AFTER_EXPIRY = timedelta(days=30)

State = Literal["active", "expired", "dead"]


@dataclass(frozen=True)
class ApiKey:
    """A key as lists show it. `role` is what it may do now; `state` "dead" means that its maker's account ended it."""

    id: ObjectId
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    role: Role
    made_by: str
    state: State
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True)
class NewKey:
    """A key just made. `text` is the key itself, to be shown this once."""

    key: ApiKey
    text: str = field(repr=False)


def make_key(
    *, principal: Principal, name: str, scopes: Iterable[str], role: Role | None = None, days: int | None = None
) -> NewKey:
    """Make a key of the caller's organization, good for `days` from now (None: until it is revoked).

    `role` is at most the caller's own, and that when None. Raises PortalError 403 for a caller that is an API key
    itself, 422 for the input, 409 `too_many_keys`, 401 when the account is gone.
    """
    require_person(principal)
    org_id, own = _place_of(principal)
    called = clean_line(name, path="name", longest=MAX_NAME_LENGTH)
    if not called:
        raise invalid("name", "Give the key a name that says what uses it.")
    wanted, granted = role or own, _granted(scopes)
    if not own.covers(wanted):
        raise invalid("role", "A key may do at most what you may do yourself.")
    expires_at = _expiry(days)
    sudo.require_recent(principal)
    collection = database.collection(API_KEYS)
    if collection.count_documents({"org_id": org_id}, limit=MAX_KEYS) >= MAX_KEYS:
        raise PortalError("too_many_keys", 409, f"An organization has at most {MAX_KEYS} keys. Revoke one first.")
    account = database.collection(ACCOUNTS).find_one({"_id": principal.account_id}, {"generation": 1})
    if account is None:
        raise unauthenticated()
    text = key_text.new_key()
    row = _new_row(
        text, account, org_id=org_id, name=called, scopes=granted, role=wanted.value, **_lifetime(expires_at)
    )
    with (
        audit.act(
            action="api_key.created",
            org_ids=[org_id],
            actor=principal,
            target=f"api_key:{row['key_id']}",
            details={"name": called, "prefix": row["prefix"], "scopes": granted, "role": wanted.value},
        ),
        notices.announced(
            kind="api_key_created",
            org_owners=org_id,
            details={
                "name": called,
                "prefix": row["prefix"],
                "organization": principal.organization.name if principal.organization else "",
                "actor": principal.email,
            },
        ),
    ):
        collection.insert_one(row)
    # Whoever removes the member or the organization either sees this key, or is seen here.
    if _read(text) is None:
        collection.delete_one({"_id": row["_id"]})
        raise unauthenticated()
    return NewKey(key=_described(row, wanted, principal.email, "active"), text=text)


def _new_row(text: str, account: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    made = {
        "key_id": ObjectId(),
        "account_id": account["_id"],
        "generation": account["generation"],
        "prefix": key_text.shown_prefix(text),
        "created_at": now(),
    }
    return new_document(ApiKeyDocument, digest(text), made | fields)


def _lifetime(expires_at: datetime | None) -> dict[str, datetime]:
    return {"expires_at": expires_at, "forget_at": expires_at + KEPT_AFTER_EXPIRY} if expires_at else {}


def list_keys(*, org_id: ObjectId) -> list[ApiKey]:
    """The keys of an organization, the newest first; at most `MAX_KEYS` and what was made at the same instant."""
    rows = list(database.collection(API_KEYS).find({"org_id": org_id}))
    rows.sort(key=lambda row: (row["created_at"], row["key_id"]), reverse=True)
    found = {"email": 1, "generation": 1, "memberships": 1}
    ids = {"$in": list({row["account_id"] for row in rows})}
    makers = {maker["_id"]: maker for maker in database.collection(ACCOUNTS).find({"_id": ids}, found)} if rows else {}
    return [_listed(row, makers.get(row["account_id"])) for row in rows]


def get_key(*, org_id: ObjectId, key_id: ObjectId) -> ApiKey:
    """One key. Raises PortalError 404 when the organization has none such."""
    row = database.collection(API_KEYS).find_one({"org_id": org_id, "key_id": key_id})
    if row is None:
        raise not_found()
    found = {"email": 1, "generation": 1, "memberships": 1}
    return _listed(row, database.collection(ACCOUNTS).find_one({"_id": row["account_id"]}, found))


def revoke_key(*, principal: Principal, key_id: ObjectId) -> ApiKey:
    """End a key: it is refused at the next request. Returns what it was.

    Raises PortalError 403 for an API key, 404 when the caller's organization has none such.
    """
    require_person(principal)
    org_id, _ = _place_of(principal)
    key = get_key(org_id=org_id, key_id=key_id)
    with audit.act(
        action="api_key.revoked",
        org_ids=[org_id],
        actor=principal,
        target=f"api_key:{key_id}",
        details={"name": key.name, "prefix": key.prefix},
    ):
        if database.collection(API_KEYS).delete_one({"org_id": org_id, "key_id": key_id}).deleted_count == 0:
            raise not_found()
    return key


def revoke_all_of_member(*, org_id: ObjectId, account_id: ObjectId) -> int:
    """Remove the keys that a member made; how many there were."""
    return database.collection(API_KEYS).delete_many({"account_id": account_id, "org_id": org_id}).deleted_count


def revoke_all_of_account(account_id: ObjectId) -> int:
    """Remove every key that an account made, wherever; how many there were."""
    return database.collection(API_KEYS).delete_many({"account_id": account_id}).deleted_count


def revoke_all_of_organization(org_id: ObjectId) -> int:
    """Remove every key of an organization; how many there were."""
    return database.collection(API_KEYS).delete_many({"org_id": org_id}).deleted_count


def principal_with(text: str) -> Principal | None:
    """Who calls with this key: one round trip, and None for every reason that it may not count.

    A text that cannot be a key costs no query. Notes the use at most once a minute.
    """
    if not key_text.is_well_formed(text):
        return None
    found = _read(text)
    if found is None:
        return None
    row, principal = found
    _touch(row)
    return principal


def _read(text: str) -> tuple[Mapping[str, Any], Principal] | None:
    """The stored key with what it hangs on, and whom it makes the caller; None when it does not count."""
    read_at = time.monotonic()
    rows = database.collection(API_KEYS).aggregate(
        [
            {"$match": {"_id": digest(text)}},
            {"$lookup": {"from": ACCOUNTS, "localField": "account_id", "foreignField": "_id", "as": "account"}},
            # Unwound first: the embedded database does not look into an array to leave a field out.
            {"$unwind": "$account"},
            {"$project": {"account.password": 0, "account.secrets": 0}},
            *directory().join("org_id", "organization"),
        ]
    )
    row = next(iter(rows), None)
    principal = _principal(row, read_at) if row else None
    return (row, principal) if row and principal else None


def _principal(row: Mapping[str, Any], read_at: float) -> Principal | None:
    account = row["account"]
    role = _role_now(row, account)
    organization = directory().from_join(row["organization"])
    if role is None or _has_expired(row) or organization is None or not organization.is_open:
        return None
    return Principal(
        account_id=account["_id"],
        email=account["email"],
        # Of this organization alone, whatever others the maker belongs to.
        memberships=(Membership(org_id=organization.id, role=role),),
        session_id="",
        method="key",
        organization=organization,
        role=role,
        read_at=read_at,
        scopes=effective(row["scopes"]),
        key_id=row["key_id"],
        has_second_factor="second_factor" in account,
        email_verified=account.get("email_verified_at") is not None,
    )


def _role_now(row: Mapping[str, Any], maker: Mapping[str, Any] | None) -> Role | None:
    """What a key may do as long as its maker is who made it: the lesser of both roles. None: nothing any more."""
    if maker is None or maker["generation"] != row["generation"]:
        return None
    roles = [one.role for one in memberships_of(maker) if one.org_id == row["org_id"]]
    return Role(row["role"]).at_most(roles[0]) if roles else None


def _has_expired(row: Mapping[str, Any]) -> bool:
    return row.get("expires_at") is not None and now() >= row["expires_at"]


def _touch(row: Mapping[str, Any]) -> None:
    moment = now()
    if row.get("used_at") is not None and moment - row["used_at"] < timedelta(seconds=TOUCH_SECONDS):
        return
    database.collection(API_KEYS).update_one({"_id": row["_id"]}, {"$set": {"used_at": moment}})


def _listed(row: Mapping[str, Any], maker: Mapping[str, Any] | None) -> ApiKey:
    role = _role_now(row, maker)
    state: State = "dead" if role is None else "expired" if _has_expired(row) else "active"
    return _described(row, role or Role(row["role"]), maker["email"] if maker else "", state)


def _described(row: Mapping[str, Any], role: Role, made_by: str, state: State) -> ApiKey:
    return ApiKey(
        id=row["key_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(scope for scope in SCOPES if scope in row["scopes"]),
        role=role,
        made_by=made_by,
        state=state,
        created_at=row["created_at"],
        expires_at=row.get("expires_at"),
        used_at=row.get("used_at"),
    )


def _place_of(principal: Principal) -> tuple[ObjectId, Role]:
    if principal.organization is None or principal.role is None:
        raise forbidden()
    return principal.organization.id, principal.role


def _granted(scopes: Iterable[str]) -> list[Scope]:
    asked = list(scopes)
    if not asked or any(scope not in SCOPES for scope in asked):
        raise invalid("scopes", f"Choose at least one of {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in asked]


def _expiry(days: int | None) -> datetime | None:
    longest = settings.API_KEY_MAX_DAYS or MAX_DAYS
    if days is None:
        if settings.API_KEY_MAX_DAYS:
            raise invalid("days", f"Keys expire here: after at most {longest} days.")
        return None
    if type(days) is not int or not 1 <= days <= longest:
        raise invalid("days", f"Use 1 to {longest} days.")
    return now() + timedelta(days=days)
