"""What arrives by mail, made in the database itself: invitations and links of every kind, with their tokens."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from bson import ObjectId

from accounts import links
from accounts.invitations.documents import INVITATIONS, find, id_of, times_from
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from tests.accounts.cast import an_account, an_organization, stored_account

SOON = timedelta(hours=1)


def token_in(address: str) -> str:
    """The token at the end of a link."""
    return address.rsplit("/", 1)[1]


def an_invitation(org_id: ObjectId, email: str, *, by: ObjectId, role: Role = Role.VIEWER) -> ObjectId:
    """An open invitation, as sending it leaves it."""
    moment, invitation_id = now(), id_of(org_id, email)
    row = {
        "_id": invitation_id,
        "org_id": org_id,
        "email": email,
        "role": role.value,
        "edition": "e" * 32,
        "invited_by": by,
        "inviter": "alice",
        "accepting_until": None,
        "created_at": moment,
        **times_from(moment),
    }
    database.collection(INVITATIONS).insert_one(row)
    return invitation_id


def an_invitation_token(invitation_id: ObjectId) -> str:
    """The token of a new link to an invitation."""
    invitation = find(invitation_id)
    assert invitation is not None
    details = {"invitation": invitation.id, "edition": invitation.edition}
    address = links.issue(
        kind="invitation",
        email=invitation.email,
        until=invitation.expires_at,
        org_id=invitation.org_id,
        details=details,
    )
    return token_in(address)


def a_verification_token(account_id: ObjectId) -> str:
    """The token of a link that confirms the account's address."""
    email = stored_account(account_id)["email"]
    return token_in(links.issue(kind="verify_email", email=email, account_id=account_id, until=now() + SOON))


def a_reset_token(account_id: ObjectId) -> str:
    """The token of a link that resets the account's password."""
    account = stored_account(account_id)
    details = {"generation": account["generation"]}
    address = links.issue(
        kind="reset_password", email=account["email"], account_id=account_id, until=now() + SOON, details=details
    )
    return token_in(address)


def a_change_token(account_id: ObjectId, email: str) -> str:
    """The token of a link that makes `email` the account's address."""
    account = stored_account(account_id)
    details = {"old": account["email"], "generation": account["generation"]}
    address = links.issue(kind="change_email", email=email, account_id=account_id, until=now() + SOON, details=details)
    return token_in(address)


def _somebody() -> ObjectId:
    mark = str(ObjectId())
    return an_account(f"dora.{mark}@example.org", an_organization(f"doras_{mark}"))


def _invited() -> str:
    mark = str(ObjectId())
    org_id = an_organization(f"hosts_{mark}")
    owner = an_account(f"host.{mark}@example.org", org_id)
    return an_invitation_token(an_invitation(org_id, f"guest.{mark}@example.org", by=owner))


def _invitation_into(slug: str) -> str:
    row = database.collection("organizations").find_one({"slug": slug}, {"_id": 1})
    org_id = row["_id"] if row else ObjectId()
    owner = database.collection("accounts").find_one({"memberships.org_id": org_id}, {"_id": 1})
    by = owner["_id"] if owner else ObjectId()
    return str(an_invitation(org_id, f"erin.{ObjectId()}@example.org", by=by))


# What calls are filled in with: each is of somebody of its own, `invitation` of the organization of that slug.
FACTS: Mapping[str, Callable[[str], str]] = {
    "verify_token": lambda slug: a_verification_token(_somebody()),
    "reset_token": lambda slug: a_reset_token(_somebody()),
    "change_token": lambda slug: a_change_token(_somebody(), f"new.{ObjectId()}@example.org"),
    "invitation_token": lambda slug: _invited(),
    "invitation_id": _invitation_into,
}
