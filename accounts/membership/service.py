"""Who belongs to an organization, with which role: listed, changed, removed, handed over.

The rules of who may change whom: nobody gives a role above their own, and nobody touches a member whose role is above
their own; so nobody raises themselves, and no admin changes an owner. The last step of every change asks for the role
that was looked at, so that a change by somebody else in between is not overwritten.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from accounts import api_keys, audit, guessing, members, notices, passwords, sessions, sudo
from accounts.documents import ACCOUNTS
from accounts.membership import ownership
from accounts.principal import Principal
from accounts.roles import Role
from accounts.scopes import require_person
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError, forbidden, invalid, not_found, unauthenticated

_SHOWN = {"email": 1, "name": 1, "memberships": 1, "second_factor": 1}


@dataclass(frozen=True)
class Member:
    """A member of one organization."""

    id: ObjectId
    email: str
    name: str
    role: Role
    joined_at: datetime
    has_second_factor: bool

    @property
    def rev(self) -> int:
        """Another number for every other state: what `If-Match` compares."""
        state = repr((self.email, self.name, self.role.value, self.joined_at, self.has_second_factor))
        return int.from_bytes(hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()[:6], "big")


def list_members(*, org_id: ObjectId, limit: int, after: ObjectId | None = None) -> list[Member]:
    """The members by account id, from the one after `after`; at most `limit` + 1, to see whether there are more."""
    query: dict[str, Any] = {"memberships.org_id": org_id, **({"_id": {"$gt": after}} if after else {})}
    rows = database.collection(ACCOUNTS).find(query, _SHOWN).sort("_id", 1).limit(limit + 1)
    return [_member(row, org_id) for row in rows]


def get_member(*, org_id: ObjectId, account_id: ObjectId) -> Member:
    """One member. Raises PortalError 404 for an account that does not belong to the organization."""
    row = database.collection(ACCOUNTS).find_one({"_id": account_id, "memberships.org_id": org_id}, _SHOWN)
    if row is None:
        raise not_found()
    return _member(row, org_id)


def change_role(*, principal: Principal, account_id: ObjectId, role: Role, expected: Role | None = None) -> Member:
    """Give a member another role; it counts from that member's next request on.

    `expected` is the role that the caller saw. Raises PortalError 403 where the rules above forbid it, 403
    `sudo_required` where an owner is made or unmade, 404, 409 `last_owner`, 412 `stale`, 503 `organization_busy`.
    """
    org_id, _ = _place_of(principal)
    member = _changeable(principal, account_id, role)
    if expected is not None and expected is not member.role:
        raise _stale()
    if role is member.role:
        return member
    if Role.OWNER in {role, member.role}:
        sudo.require_recent(principal)
    if member.role is Role.OWNER:
        ownership.require_another_owner(org_id=org_id, account_id=account_id)
    told = {"role": _with_article(role), "organization": _name_of(principal)}
    with (
        audit.act(
            action="member.role_changed",
            org_ids=[org_id],
            actor=principal,
            target=f"account:{account_id}",
            details={"email": member.email, "from": member.role.value, "to": role.value},
        ),
        notices.announced(kind="role_changed", account_ids=[account_id], details=told),
    ):
        if member.role is Role.OWNER:
            ownership.step_down(org_id=org_id, account_id=account_id, to=role)
        elif not _set_role(org_id, account_id, member.role, role):
            raise _stale()
    return get_member(org_id=org_id, account_id=account_id)


def remove_member(*, principal: Principal, account_id: ObjectId, expected: Role | None = None) -> bool:
    """Remove a member, with every session, token and API key that it has for the organization.

    True when the account, which belonged to nothing else, is gone as well. Raises PortalError as `change_role` does.
    """
    if account_id == principal.account_id:
        return leave(principal=principal)
    member = _changeable(principal, account_id, None)
    if expected is not None and expected is not member.role:
        raise _stale()
    if member.role is Role.OWNER:
        sudo.require_recent(principal)
    return _remove(principal, member, "member.removed")


def must_stay(*, principal: Principal) -> bool:
    """Whether the caller is the organization's only owner, who cannot leave it."""
    org_id, own = _place_of(principal)
    return own is Role.OWNER and ownership.is_only_owner(org_id=org_id, account_id=principal.account_id)


def leave(*, principal: Principal) -> bool:
    """The caller's own membership ends. True when the account, which belonged to nothing else, is gone as well.

    Raises PortalError 403 for an API key, 409 `last_owner`, 503 `organization_busy`.
    """
    require_person(principal)
    org_id, _ = _place_of(principal)
    return _remove(principal, get_member(org_id=org_id, account_id=principal.account_id), "member.left")


def transfer(*, principal: Principal, account_id: ObjectId, password: str) -> Member:
    """Make another member the owner and the caller an admin; all owners hear of it. Returns the new owner.

    Raises PortalError 403 for callers who do not own the organization, 404 for no member, 422 (path `password`) for
    another password than the caller's, 422 (path `account_id`) for the caller, 429 for too many wrong passwords.
    """
    require_person(principal)
    org_id, own = _place_of(principal)
    if own is not Role.OWNER:
        raise forbidden()
    if account_id == principal.account_id:
        raise invalid("account_id", "Choose somebody else: you own the organization already.")
    member = get_member(org_id=org_id, account_id=account_id)
    _check_password(principal, password)
    told = {"organization": _name_of(principal), "actor": principal.email, "owner": member.email}
    with (
        audit.act(
            action="organization.transferred",
            org_ids=[org_id],
            actor=principal,
            target=f"account:{account_id}",
            details={"email": member.email, "from": member.role.value},
        ),
        notices.announced(kind="ownership_transferred", account_ids=[account_id], org_owners=org_id, details=told),
    ):
        if member.role is not Role.OWNER and not _set_role(org_id, account_id, member.role, Role.OWNER):
            raise _stale()
        # Last, so that a crash in between leaves two owners rather than none.
        ownership.step_down(org_id=org_id, account_id=principal.account_id, to=Role.ADMIN)
    return get_member(org_id=org_id, account_id=account_id)


def _remove(principal: Principal, member: Member, action: str) -> bool:
    org_id, _ = _place_of(principal)
    if member.role is Role.OWNER:
        ownership.require_another_owner(org_id=org_id, account_id=member.id)
    details = {"email": member.email, "role": member.role.value}
    told = {"organization": _name_of(principal)}
    with (
        audit.act(action=action, org_ids=[org_id], actor=principal, target=f"account:{member.id}", details=details),
        notices.announced(kind="member_removed", account_ids=[member.id], details=told),
    ):
        gone = _take_out(org_id, member)
    # All of it is dead already, for the membership is gone; this leaves nothing behind.
    sessions.end_all_of_member(account_id=member.id, org_id=org_id)
    api_keys.revoke_all_of_member(org_id=org_id, account_id=member.id)
    if gone:
        members.forget_account(account_id=member.id)
    return gone


def _take_out(org_id: ObjectId, member: Member) -> bool:
    """Remove the membership, and the account with it when it was the only one. Whether the account is gone."""
    if member.role is Role.OWNER:
        return ownership.step_down(org_id=org_id, account_id=member.id, to=None)
    accounts, place = database.collection(ACCOUNTS), {"org_id": org_id, "role": member.role.value}
    alone = {"_id": member.id, "memberships": {"$size": 1}, "memberships.org_id": org_id}
    if accounts.delete_one({**alone, "memberships.role": member.role.value}).deleted_count:
        return True
    more = {"_id": member.id, "memberships": {"$elemMatch": place}, "memberships.1": {"$exists": True}}
    change = {"$pull": {"memberships": place}, "$set": {"updated_at": now()}}
    if accounts.update_one(more, change).matched_count == 0:
        raise _stale()
    return False


def _changeable(principal: Principal, account_id: ObjectId, role: Role | None) -> Member:
    """The member, if the caller may touch it and give it that role. Raises PortalError 403, 404."""
    org_id, own = _place_of(principal)
    member = get_member(org_id=org_id, account_id=account_id)
    if not own.covers(Role.ADMIN):
        raise forbidden()
    if not own.covers(member.role):
        raise PortalError("forbidden", 403, "Only an owner may change an owner.")
    if role is not None and not own.covers(role):
        raise PortalError("forbidden", 403, "You cannot give a role above your own.")
    return member


def _set_role(org_id: ObjectId, account_id: ObjectId, before: Role, after: Role) -> bool:
    query = {"_id": account_id, "memberships": {"$elemMatch": {"org_id": org_id, "role": before.value}}}
    change = {"$set": {"memberships.$.role": after.value, "updated_at": now()}}
    return database.collection(ACCOUNTS).update_one(query, change).matched_count == 1


def _check_password(principal: Principal, password: str) -> None:
    if not isinstance(password, str):
        raise invalid("password", "Use text.")
    account = database.collection(ACCOUNTS).find_one({"_id": principal.account_id}, {"password": 1})
    if account is None:
        raise unauthenticated()
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    if not passwords.verify_and_upgrade(password, account["password"], count=attempt.count)[0]:
        raise invalid("password", "This is not your password.")
    attempt.forgive()


def _place_of(principal: Principal) -> tuple[ObjectId, Role]:
    if principal.organization is None or principal.role is None:
        raise not_found()
    return principal.organization.id, principal.role


def _name_of(principal: Principal) -> str:
    return principal.organization.name if principal.organization else ""


def _with_article(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeo' else 'a'} {role.value}"


def _member(row: Mapping[str, Any], org_id: ObjectId) -> Member:
    place = next(one for one in row["memberships"] if one["org_id"] == org_id)
    return Member(
        id=row["_id"],
        email=row["email"],
        name=row.get("name", ""),
        role=Role(place["role"]),
        joined_at=place["joined_at"],
        has_second_factor="second_factor" in row,
    )


def _stale() -> PortalError:
    return PortalError("stale", 412, "Somebody changed this member meanwhile. Look at it again, then repeat.")
