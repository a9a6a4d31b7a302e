"""Principals of people who are not there: the worker goes on with what they began, as far as they still may."""

import time

from bson import ObjectId

from accounts.directory import OrganizationFacts
from accounts.documents import ACCOUNTS
from accounts.principal import Membership, Principal
from accounts.roles import Role
from accounts.scopes import ALL_SCOPES
from orgportal import database


def principal_of_absentee(*, account_id: ObjectId, organization: OrganizationFacts) -> Principal | None:
    """The account with the role that it has in the organization now; None when it does not belong to it any more."""
    read_at = time.monotonic()
    wanted = {"_id": account_id, "memberships.org_id": organization.id}
    found = {"email": 1, "memberships": 1, "second_factor": 1}
    row = database.collection(ACCOUNTS).find_one(wanted, found)
    if row is None:
        return None
    memberships = tuple(Membership(one["org_id"], Role(one["role"])) for one in row["memberships"])
    return Principal(
        account_id=account_id,
        email=row["email"],
        memberships=memberships,
        session_id="",
        method="session",
        organization=organization,
        role=next(one.role for one in memberships if one.org_id == organization.id),
        read_at=read_at,
        scopes=ALL_SCOPES,
        has_second_factor="second_factor" in row,
    )
