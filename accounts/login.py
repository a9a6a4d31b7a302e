"""Logging in: an email and a password become an account, and an organization to work in."""

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId

from accounts import audit, guessing, notices, passwords, sessions
from accounts.addresses import normalise_email
from accounts.devices import Device
from accounts.directory import OrganizationFacts, directory
from accounts.documents import ACCOUNTS
from accounts.factors import codes, pending
from accounts.factors.codes import RightCode
from accounts.factors.pending import PendingLogin
from accounts.principal import Membership, Principal
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError, invalid

# A guesser would have to ask thousands of times to see through it, and is stopped after a few.
BLUR_SECONDS = 0.04
# What a login was proved by.
BY_PASSWORD, BY_PASSWORD_AND_CODE = "password", "password and code"
FIELDS = {"password": 1, "email": 1, "generation": 1, "memberships": 1, **codes.FIELDS}


@dataclass(frozen=True)
class LoggedIn:
    """An account whose holder has just proved to be who they are, `by` what (for the audit).

    `organization` is None while it has still to choose.
    """

    account_id: ObjectId
    email: str
    generation: int
    memberships: tuple[Membership, ...]
    organization: OrganizationFacts | None
    by: str


@dataclass(frozen=True)
class Waiting:
    """A login whose password was right, and that wants a code. `secret` is for the browser's cookie."""

    secret: str = field(repr=False)


@dataclass(frozen=True)
class Ways:
    """What a login that waits may go on with, besides recovery codes."""

    by_app: bool
    by_passkey: bool


@dataclass(frozen=True)
class OrganizationChoice:
    """An open organization of an account, and the account's role in it."""

    slug: str
    organization_name: str
    role: Role


def log_in(
    *,
    email: str,
    password: str,
    org_slug: str | None = None,
    choose_later: bool = False,
    otp: str | None = None,
    device: Device | None = None,
) -> LoggedIn:
    """Check an email, a password and the code of a second factor where there is one; find the organization to work in.

    Raises PortalError 401 `invalid_credentials` in the same words and after the same work for an unknown
    address, a wrong password, and an account without such an open organization; after a right password 401
    `otp_required` or `invalid_otp`, and 409 `choose_organization` (data: `organizations`) when there are several
    and neither `org_slug` nor `choose_later` says what to do (the code is then still good); 429
    `too_many_attempts` over the limits of `accounts.guessing`, `too_many_logins` when too many passwords are
    checked at once. `device` is where the attempt comes from. A hash of a lower cost than today's is replaced.
    """
    if not isinstance(org_slug, str | None) or not isinstance(otp, str | None):
        raise invalid("password", "Use text.")
    account = password_holder(email=email, password=password, device=device)
    if not codes.is_on(account):
        return logged_in(account, org_slug=org_slug, choose_later=choose_later)
    if otp is None:
        raise codes.otp_required()
    right = check_code(account, otp, device=device)
    found = logged_in(account, org_slug=org_slug, choose_later=choose_later, by=BY_PASSWORD_AND_CODE)
    _use_up(right, account)
    return found


def begin(*, email: str, password: str, device: Device | None, wishes: Mapping[str, Any]) -> LoggedIn | Waiting:
    """The first step of a login in a browser: done, unless the account has a second factor.

    Then the login waits for a code, and keeps `wishes` until then. Raises as `log_in`.
    """
    account = password_holder(email=email, password=password, device=device)
    if not codes.is_on(account):
        return logged_in(account, org_slug=None, choose_later=True)
    secret = pending.begin(account_id=account["_id"], generation=account["generation"], wishes=wishes)
    return Waiting(secret)


def finish(*, secret: str, otp: str, device: Device | None) -> tuple[LoggedIn, Mapping[str, Any]]:
    """The second step: a code for the login that waits, and the wishes that it was begun with.

    Raises PortalError 409 `login_expired` when none waits (any more), 401 `invalid_otp`, 429.
    """
    waiting = pending.find(secret) if secret else None
    if waiting is None:
        raise login_expired()
    account = account_waiting(waiting)
    if account is None:
        raise login_expired()
    right = check_code(account, otp, device=device)
    found = logged_in(account, org_slug=None, choose_later=True, by=BY_PASSWORD_AND_CODE)
    _use_up(right, account)
    if not pending.end(waiting):
        raise login_expired()
    return found, waiting.wishes


def ways_on(*, secret: str) -> Ways | None:
    """How the login that waits with this secret can go on; None when none waits."""
    waiting = pending.find(secret) if secret else None
    account = account_waiting(waiting) if waiting else None
    return Ways(codes.has_app(account), bool(codes.passkeys_of(account))) if account else None


def account_waiting(waiting: PendingLogin) -> Mapping[str, Any] | None:
    """The account of a login that waits, unless it has changed since."""
    account = database.collection(ACCOUNTS).find_one({"_id": waiting.account_id}, FIELDS)
    if account is None or account["generation"] != waiting.generation or not codes.is_on(account):
        return None
    return account


def password_holder(*, email: str, password: str, device: Device | None) -> Mapping[str, Any]:
    """The document of the account whose email and password these are; the guess is counted. Raises as `log_in`."""
    if not isinstance(password, str):
        raise invalid("password", "Use text.")
    attempt = guessing.password_attempt(email=email, device=device)
    account = _account_of(email)
    try:
        matches, better_hash = passwords.verify_and_upgrade(
            password, account["password"] if account else None, count=attempt.count
        )
    except PortalError as refused:
        note(account, "login.refused", refused.code)
        _blur()
        raise
    if account is None or not matches:
        note(account, "login.failed", "invalid_credentials")
        _blur()
        raise invalid_credentials()
    attempt.forgive()
    if better_hash is not None:
        # Compare-and-set: a password that was changed meanwhile must not come back.
        database.collection(ACCOUNTS).update_one(
            {"_id": account["_id"], "password": account["password"]}, {"$set": {"password": better_hash}}
        )
    return account


def _blur() -> None:
    """Hide what equal work leaves: to read an account that is there takes half a millisecond more (measured)."""
    time.sleep(random.uniform(0, BLUR_SECONDS))  # noqa: S311 - blurs, and guards nothing


def check_code(account: Mapping[str, Any], otp: str, *, device: Device | None) -> RightCode:
    """The code, still to be used up; the guess is counted. Raises PortalError 401 `invalid_otp`, 429."""
    attempt = guessing.code_attempt(account_id=account["_id"], email=account["email"], device=device)
    try:
        attempt.count()
    except PortalError as refused:
        note(account, "login.refused", refused.code)
        raise
    right = codes.right_code(account, otp)
    if right is None:
        note(account, "login.failed", "invalid_otp")
        raise codes.invalid_otp()
    attempt.forgive()
    return right


def note(account: Mapping[str, Any] | None, action: str, code: str) -> None:
    """Count a failed login: one write, whether the address is known or not.

    What was typed for an address that nobody has is not kept: it may be a password in the wrong field.
    """
    if account is None:
        audit.note(action=action, org_ids=[], actor=audit.anonymous(), details={"code": code})
        return
    everywhere = [one.org_id for one in sessions.memberships_of(account)]
    audit.note(
        action=action,
        org_ids=everywhere,
        actor=audit.anonymous(account["email"]),
        target=f"account:{account['_id']}",
        details={"code": code},
    )


def _use_up(right: RightCode, account: Mapping[str, Any]) -> None:
    if not right.is_recovery:
        if not codes.use_up(right):
            raise codes.invalid_otp()
        return
    left = len(account["secrets"]["recovery"]) - 1
    acting = audit.act(
        action="second_factor.recovery_used",
        org_ids=[one.org_id for one in sessions.memberships_of(account)],
        actor=audit.account(account["_id"], account["email"]),
        details={"left": left},
    )
    with (
        acting,
        notices.announced(kind="recovery_code_used", account_ids=[account["_id"]], details={"left": str(left)}),
    ):
        if not codes.use_up(right):
            raise codes.invalid_otp()


def logged_in(
    account: Mapping[str, Any], *, org_slug: str | None, choose_later: bool, by: str = BY_PASSWORD
) -> LoggedIn:
    """The account with the organization to work in, once everything that was asked for is found right."""
    memberships = sessions.memberships_of(account)
    return LoggedIn(
        account_id=account["_id"],
        email=account["email"],
        generation=account["generation"],
        memberships=memberships,
        organization=_pick(_open_ones(memberships), memberships, org_slug, choose_later),
        by=by,
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
    return database.collection(ACCOUNTS).find_one({"email": address}, FIELDS)


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


def login_expired() -> PortalError:
    """409: the password was right, but too long ago, or it was changed meanwhile."""
    return PortalError("login_expired", 409, "This took too long. Log in again.")
