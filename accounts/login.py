"""Logging in: an email and a password become an account, and an organization to work in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from accounts import passwords, sessions
from accounts.addresses import normalise_email
from accounts.directory import OrganizationFacts, directory
from accounts.documents import ACCOUNTS
from accounts.principal import Membership, Principal
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError, invalid


@dataclass(frozen=True)
class LoggedIn:
    """An account whose password was right a moment ago. `organization` is None while it has still to choose."""

    account_id: ObjectId
    email: str
    generation: int
    memberships: tuple[Membership, ...]
    organization: OrganizationFacts | None


@dataclass(frozen=True)
class OrganizationChoice:
    """An open organization of an account, and the account's role in it."""

    slug: str
    organization_name: str
    role: Role


def log_in(*, email: str, password: str, org_slug: str | None = None, choose_later: bool = False) -> LoggedIn:
    """Check an email and a password, and find the organization to work in.

    Raises PortalError 401 `invalid_credentials` in the same words and after the same work for an unknown
    address, a wrong password, and an account without such an open organization; 409
    `choose_organization` (data: `organizations`) when there are several and neither `org_slug` nor
    `choose_later` says what to do; 429 when too many passwords are checked at once. A hash of a lower
    cost than today's is replaced.
    """
    if not isinstance(password, str) or not isinstance(org_slug, str | None):
        raise invalid("password", "Use text.")
    account = _account_of(email)
    matches, better_hash = passwords.verify_and_upgrade(password, account["password"] if account else None)
    if account is None or not matches:
        raise invalid_credentials()
    if better_hash is not None:
        # Compare-and-set: a password that was changed meanwhile must not come back.
        database.collection(ACCOUNTS).update_one(
            {"_id": account["_id"], "password": account["password"]}, {"$set": {"password": better_hash}}
        )
    memberships = sessions.memberships_of(account)
    return LoggedIn(
        account_id=account["_id"],
        email=account["email"],
        generation=account["generation"],
        memberships=memberships,
        organization=_pick(_open_ones(memberships), memberships, org_slug, choose_later),
    )


def choices(*, principal: Principal) -> list[OrganizationChoice]:
    """The open organizations of the caller's account, by name."""
    return _choices(_open_ones(principal.memberships), principal.memberships)


def choose_first(memberships: Iterable[Membership]) -> PortalError:
    """The refusal that lists what there is to choose from."""
    memberships = tuple(memberships)
    return _choose(_choices(_open_ones(memberships), memberships))


def open_organization(memberships: Iterable[Membership], slug: str) -> OrganizationFacts | None:
    """The open organization of that slug among the memberships."""
    return next((one for one in _open_ones(memberships) if one.slug == slug), None)


def _account_of(email: str) -> Mapping[str, Any] | None:
    """The account of an address; for what is no address at all there is none, at the same cost."""
    try:
        address = normalise_email(email)
    except PortalError:
        address = ""
    found = {"password": 1, "email": 1, "generation": 1, "memberships": 1}
    return database.collection(ACCOUNTS).find_one({"email": address}, found)


def _pick(
    organizations: list[OrganizationFacts], memberships: tuple[Membership, ...], slug: str | None, choose_later: bool
) -> OrganizationFacts | None:
    fitting = [one for one in organizations if slug is None or one.slug == slug]
    if not fitting:
        raise invalid_credentials()
    if len(fitting) == 1:
        return fitting[0]
    if not choose_later:
        raise _choose(_choices(fitting, memberships))
    return None


def _open_ones(memberships: Iterable[Membership]) -> list[OrganizationFacts]:
    return directory().open_ones([one.org_id for one in memberships])


def _choices(organizations: Iterable[OrganizationFacts], memberships: Iterable[Membership]) -> list[OrganizationChoice]:
    roles = {one.org_id: one.role for one in memberships}
    return [OrganizationChoice(slug=one.slug, organization_name=one.name, role=roles[one.id]) for one in organizations]


def _choose(found: list[OrganizationChoice]) -> PortalError:
    listed = [{"slug": one.slug, "organization_name": one.organization_name, "role": one.role.value} for one in found]
    return PortalError(
        "choose_organization",
        409,
        "This account belongs to several organizations: say which one.",
        data={"organizations": listed},
    )


def invalid_credentials() -> PortalError:
    """The one answer to every login that fails."""
    return PortalError("invalid_credentials", 401, "This email and password do not belong together.")
