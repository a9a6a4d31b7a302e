"""Accounts and their memberships: made, added, counted, and forgotten with an organization."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from accounts import api_keys, audit, links, passwords, sessions
from accounts.addresses import normalise_email
from accounts.documents import ACCOUNTS, AccountDocument, new_document
from accounts.factors import pending
from accounts.invitations import documents as invitations
from accounts.passkeys import challenges
from accounts.roles import Role
from accounts.texts import clean_line
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError

MAX_NAME_LENGTH = 200
_BATCH = 500


@dataclass(frozen=True)
class NewAccount:
    """An account that may be inserted: its input was checked and its password hashed."""

    email: str
    name: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class MemberCounts:
    """How many accounts belong to an organization, and how many of them to no other."""

    members: int
    only_here: int


@dataclass(frozen=True)
class Forgotten:
    """What was removed along with an organization."""

    accounts_removed: int
    memberships_removed: int
    sessions_removed: int


def prepare_account(*, email: str, password: str, name: str = "", words: Iterable[str] = ()) -> NewAccount:
    """Check the input of a new account and hash its password; nothing is written.

    `words` are what a guesser would try, the organization's name above all. Raises PortalError 422 for
    the input, 409 `email_taken`, 429 when too many passwords are hashed at once.
    """
    address = normalise_email(email)
    called = clean_line(name, path="name", longest=MAX_NAME_LENGTH)
    passwords.check_password_policy(password, (*words, address, address.partition("@")[0], called))
    if database.collection(ACCOUNTS).find_one({"email": address}, {"_id": 1}) is not None:
        raise _email_taken()
    return NewAccount(email=address, name=called, password_hash=passwords.hash_password(password))


def insert_account(*, new: NewAccount, account_id: ObjectId, org_id: ObjectId, role: Role) -> None:
    """Store the account as a member of the organization; repeating it with the same id changes nothing.

    Raises PortalError 409 `email_taken` when another account has the address.
    """
    moment = now()
    fields = {
        "email": new.email,
        "name": new.name,
        "password": new.password_hash,
        "generation": 0,
        "memberships": [{"org_id": org_id, "role": role.value, "joined_at": moment}],
        "created_at": moment,
        "updated_at": moment,
    }
    try:
        database.collection(ACCOUNTS).insert_one(new_document(AccountDocument, account_id, fields))
    except DuplicateKeyError:
        if not membership_exists(account_id=account_id, org_id=org_id):
            raise _email_taken() from None


def add_membership(*, account_id: ObjectId, org_id: ObjectId, role: Role) -> bool:
    """Make the account a member. A membership that is there stays as it is; False: no such account."""
    if membership_exists(account_id=account_id, org_id=org_id):
        return True
    # What an earlier membership has left behind, should its removal have been cut short, must not count again.
    sessions.end_all_of_member(account_id=account_id, org_id=org_id)
    api_keys.revoke_all_of_member(org_id=org_id, account_id=account_id)
    moment = now()
    membership = {"org_id": org_id, "role": role.value, "joined_at": moment}
    outcome = database.collection(ACCOUNTS).update_one(
        {"_id": account_id, "memberships.org_id": {"$ne": org_id}},
        {"$push": {"memberships": membership}, "$set": {"updated_at": moment}},
    )
    return outcome.matched_count == 1 or membership_exists(account_id=account_id, org_id=org_id)


def membership_exists(*, account_id: ObjectId, org_id: ObjectId) -> bool:
    """Whether the account is there and belongs to the organization."""
    wanted = {"_id": account_id, "memberships.org_id": org_id}
    return database.collection(ACCOUNTS).find_one(wanted, {"_id": 1}) is not None


def first_owner(*, org_id: ObjectId) -> ObjectId | None:
    """The account that has owned the organization for longest, if any."""
    owned = {"memberships": {"$elemMatch": {"org_id": org_id, "role": Role.OWNER.value}}}
    row = database.collection(ACCOUNTS).find_one({"memberships.org_id": org_id, **owned}, {"_id": 1}, sort=[("_id", 1)])
    return row["_id"] if row else None


def count_members(*, org_id: ObjectId) -> MemberCounts:
    """How many accounts belong to the organization, and how many would vanish with it."""
    accounts = database.collection(ACCOUNTS)
    return MemberCounts(
        members=accounts.count_documents({"memberships.org_id": org_id}),
        only_here=accounts.count_documents({"memberships.org_id": org_id, "memberships": {"$size": 1}}),
    )


def forget_organization(*, org_id: ObjectId) -> Forgotten:
    """Remove everything that accounts hold of an organization: sessions, memberships, accounts of nothing else.

    Repeating it changes nothing, and it may run beside another organization's or a new membership: each
    account is deleted only while this organization is all it has, and otherwise keeps at least one.
    """
    accounts = database.collection(ACCOUNTS)
    ended = sessions.end_all_of_organization(org_id)
    api_keys.revoke_all_of_organization(org_id)
    invitations.forget_organization(org_id)
    removed, pulled = 0, 0
    while batch := [row["_id"] for row in accounts.find({"memberships.org_id": org_id}, {"_id": 1}).limit(_BATCH)]:
        for account_id in batch:
            if _delete_if_alone(account_id, org_id):
                removed += 1
                ended += forget_account(account_id=account_id)
            elif _pull_if_more(account_id, org_id):
                pulled += 1
    ended += sessions.end_all_of_organization(org_id)
    api_keys.revoke_all_of_organization(org_id)
    invitations.forget_organization(org_id)
    audit.forget(org_id)
    return Forgotten(accounts_removed=removed, memberships_removed=removed + pulled, sessions_removed=ended)


def forget_account(*, account_id: ObjectId) -> int:
    """Remove what hangs on an account that is gone; safe to repeat. How many sessions there were."""
    api_keys.revoke_all_of_account(account_id)
    links.revoke_all_of_account(account_id)
    pending.forget_account(account_id)
    challenges.forget_account(account_id)
    return sessions.end_all_of_account(account_id)


def _delete_if_alone(account_id: ObjectId, org_id: ObjectId) -> bool:
    alone = {"_id": account_id, "memberships.org_id": org_id, "memberships": {"$size": 1}}
    return database.collection(ACCOUNTS).delete_one(alone).deleted_count == 1


def _pull_if_more(account_id: ObjectId, org_id: ObjectId) -> bool:
    more = {"_id": account_id, "memberships.org_id": org_id, "memberships.1": {"$exists": True}}
    change = {"$pull": {"memberships": {"org_id": org_id}}, "$set": {"updated_at": now()}}
    return database.collection(ACCOUNTS).update_one(more, change).modified_count == 1


def _email_taken() -> PortalError:
    return PortalError(
        "email_taken", 409, "An account with this email exists already. Log in to add an organization to it."
    )
