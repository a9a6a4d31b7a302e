"""What can be done with accounts: one function per use case, the same for pages, API and commands.

Texts are checked here before they reach a query, whatever the edge has checked already.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bson import ObjectId
from django.conf import settings

from accounts import audit, devices, familiar, guessing, notices, passwords, sessions, sudo, tokens
from accounts.addresses import normalise_email
from accounts.directory import OrganizationFacts
from accounts.documents import ACCOUNTS
from accounts.leftovers import leftovers
from accounts.login import (
    LoggedIn,
    OrganizationChoice,
    Waiting,
    Ways,
    choices,
    choose_first,
    invalid_credentials,
    log_in,
    open_organization,
    ways_on,
)
from accounts.login import begin as begin_login
from accounts.login import finish as finish_login
from accounts.members import (
    Forgotten,
    MemberCounts,
    NewAccount,
    add_membership,
    count_members,
    first_owner,
    forget_organization,
    insert_account,
    membership_exists,
    prepare_account,
)
from accounts.password_rules import PasswordRules, length_note, rules_for
from accounts.principal import Membership, Principal
from orgportal import database
from orgportal.errors import PortalError, forbidden, invalid, not_found, unauthenticated

__all__ = [
    "Forgotten",
    "LoggedIn",
    "MemberCounts",
    "NewAccount",
    "OrganizationChoice",
    "TokenPair",
    "Waiting",
    "Ways",
    "access_token",
    "add_membership",
    "begin_login",
    "change_password",
    "choices",
    "choose_organization",
    "count_members",
    "end_session",
    "finish_login",
    "first_owner",
    "forget_organization",
    "insert_account",
    "issue_tokens",
    "leftovers",
    "log_in",
    "membership_exists",
    "normalise_email",
    "open_session",
    "password_rules",
    "prepare_account",
    "refresh_tokens",
    "ways_on",
]


@dataclass(frozen=True)
class TokenPair:
    """An access token with the refresh token that renews it; `expires_in` is seconds of the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    account_id: ObjectId
    org_id: ObjectId
    org_name: str


def open_session(*, logged_in: LoggedIn, replaces: Principal | None = None, remembered: bool = False) -> str:
    """Open a browser session and return the secret for its cookie; the session it `replaces` ends.

    Raises PortalError 401 `invalid_credentials` when the password or the organization went meanwhile.
    """
    with _login_audited(logged_in, "session"):
        if replaces is not None:
            sessions.end(replaces.session_id)
        secret = sessions.open_browser_session(
            account_id=logged_in.account_id,
            org_id=logged_in.organization.id if logged_in.organization else None,
            generation=logged_in.generation,
            sudo_until=sudo.from_now(),
            remembered=remembered,
        )
        if secret is None:
            raise invalid_credentials()
    devices.remember_place(logged_in.email)
    familiar.note_login(account_id=logged_in.account_id)
    return secret


def choose_organization(*, principal: Principal, slug: str) -> str:
    """Go on in another organization of the same account, in a new session; returns its secret.

    The old session ends, and the new one ends when the old one would have. Raises PortalError 404 for an
    organization that is not the account's, 403 for a caller without a browser session.
    """
    if principal.method != "session":
        raise forbidden()
    # Read again, for the membership may be younger than the principal.
    old = sessions.live(principal.session_id)
    if old is None:
        raise unauthenticated()
    chosen = open_organization(old.memberships, slug)
    if chosen is None:
        raise not_found()
    with audit.act(action="session.organization_chosen", org_ids=[chosen.id], actor=principal):
        if not sessions.end(old.id):
            raise unauthenticated()
        secret = sessions.open_browser_session(
            account_id=principal.account_id,
            org_id=chosen.id,
            generation=old.generation,
            created_at=old.created_at,
            sudo_until=old.sudo_until,
            remembered=old.remembered,
        )
        if secret is None:
            raise unauthenticated()
    return secret


def end_session(*, principal: Principal) -> None:
    """Log out: the session and every token that carries its id are refused at the next call."""
    with audit.act(action="session.ended", org_ids=_organizations_of(principal), actor=principal):
        sessions.end(principal.session_id)


def issue_tokens(*, logged_in: LoggedIn) -> TokenPair:
    """Begin a family of tokens.

    Raises PortalError 409 `choose_organization` when none was chosen, 401 `invalid_credentials` when the
    password or the organization went meanwhile.
    """
    if logged_in.organization is None:
        raise choose_first(logged_in.memberships)
    session_id, token_id = tokens.new_session_id(), tokens.new_token_id()
    with _login_audited(logged_in, "token"):
        until = sessions.insert(
            session_id=session_id,
            kind="token",
            account_id=logged_in.account_id,
            org_id=logged_in.organization.id,
            generation=logged_in.generation,
            refresh=tokens.digest(token_id),
            sudo_until=sudo.from_now(),
        )
        if until is None:
            raise invalid_credentials()
    devices.remember_place(logged_in.email)
    familiar.note_login(account_id=logged_in.account_id)
    membership = next(one for one in logged_in.memberships if one.org_id == logged_in.organization.id)
    return _pair(logged_in.account_id, logged_in.organization, membership, session_id, token_id, until)


def refresh_tokens(*, refresh_token: str) -> TokenPair:
    """A new pair for a refresh token, which works once.

    Its second use ends the whole family, as somebody else may hold a copy (RFC 9700, 4.14.2): of two
    calls at the same time one gets a pair, and the other one's refusal ends that pair as well. Raises
    PortalError 401 `invalid_token` for everything that is not the good refresh token of a live family.
    """
    try:
        claims = tokens.read_refresh(refresh_token)
    except tokens.BadToken:
        raise _invalid_token() from None
    session = sessions.live(claims.session_id)
    if session is None or session.kind != "token" or session.account_id != claims.account_id:
        raise _invalid_token()
    if session.organization is None or session.membership is None:
        raise _invalid_token()
    token_id = tokens.new_token_id()
    if not sessions.rotate(session_id=session.id, old=tokens.digest(claims.token_id), new=tokens.digest(token_id)):
        sessions.end(session.id)
        audit.happened(
            action="token.reuse_detected",
            org_ids=[session.organization.id],
            actor=audit.account(session.account_id, session.email, "token"),
            result="refused",
        )
        raise _invalid_token()
    return _pair(session.account_id, session.organization, session.membership, session.id, token_id, session.expires_at)


def access_token(*, principal: Principal) -> str:
    """An access token that lives and dies with the caller's session, for use beside the browser.

    Raises PortalError 409 `choose_organization` while no organization is chosen, 403 for a caller without a
    browser session: a token that makes the next one would never run out.
    """
    if principal.method != "session":
        raise forbidden()
    if principal.organization is None or principal.role is None:
        raise choose_first(principal.memberships)
    return tokens.write_access(
        account_id=principal.account_id,
        membership=Membership(org_id=principal.organization.id, role=principal.role),
        org_name=principal.organization.slug,
        session_id=principal.session_id,
        until=tokens.now() + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS),
    )


def password_rules(*, principal: Principal, name: str = "") -> PasswordRules:
    """What a new password of the caller's account is held to."""
    return rules_for(
        email=principal.email,
        name=name,
        memberships=principal.memberships,
        has_second_factor=principal.has_second_factor,
    )


def change_password(*, principal: Principal, current: str, new: str, words: Iterable[str] = ()) -> str:
    """Set a new password, end every session and token of the account, and return a new session's secret.

    Raises PortalError 422 (path `current`, or `password` for the new one), 401 when the account is gone, 409
    `password_changed` when another change came first, 429 when too many are hashed at once.
    """
    if not isinstance(current, str):
        raise invalid("current", "Use text.")
    accounts = database.collection(ACCOUNTS)
    account = accounts.find_one({"_id": principal.account_id}, {"password": 1, "generation": 1, "name": 1})
    if account is None:
        raise unauthenticated()
    rules = password_rules(principal=principal, name=account.get("name", ""))
    passwords.check_password_policy(new, (*words, *rules.words), minimum=rules.minimum)
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    if not passwords.verify(current, account["password"], count=attempt.count):
        raise invalid("current", "This is not your current password.")
    attempt.forgive()
    hashed = passwords.hash_password(new)
    note = length_note(new, has_second_factor=principal.has_second_factor)
    everywhere = [membership.org_id for membership in principal.memberships]
    with (
        audit.act(action="password.changed", org_ids=everywhere, actor=principal),
        notices.announced(kind="password_changed", account_ids=[principal.account_id]),
    ):
        outcome = accounts.update_one(
            {"_id": principal.account_id, "password": account["password"], "generation": account["generation"]},
            {"$set": {"password": hashed, "updated_at": tokens.now(), **note}, "$inc": {"generation": 1}},
        )
        if outcome.matched_count == 0:
            raise PortalError("password_changed", 409, "The password was changed by somebody else just now.")
    remembered = sessions.is_remembered(principal.session_id)
    sessions.end_all_of_account(principal.account_id)
    secret = sessions.open_browser_session(
        account_id=principal.account_id,
        org_id=principal.org_id,
        generation=account["generation"] + 1,
        sudo_until=sudo.from_now(),
        remembered=remembered,
    )
    if secret is None:
        raise unauthenticated()
    return secret


def _login_audited(logged_in: LoggedIn, method: str) -> AbstractContextManager[None]:
    """Written to the organization that the login is for, or while there is a choice, to all of the account's."""
    one, several = logged_in.organization, logged_in.memberships
    return audit.act(
        action="login.succeeded",
        org_ids=[one.id] if one else [membership.org_id for membership in several],
        actor=audit.account(logged_in.account_id, logged_in.email, method),
        details={"by": logged_in.by},
    )


def _organizations_of(principal: Principal) -> list[ObjectId]:
    """The one that the session is for, or all of the account's."""
    return [principal.org_id] if principal.org_id else [membership.org_id for membership in principal.memberships]


def _pair(
    account_id: ObjectId,
    organization: OrganizationFacts,
    membership: Membership,
    session_id: str,
    token_id: str,
    until: datetime,
) -> TokenPair:
    return TokenPair(
        access_token=tokens.write_access(
            account_id=account_id,
            membership=membership,
            org_name=organization.slug,
            session_id=session_id,
            until=until,
        ),
        refresh_token=tokens.write_refresh(
            account_id=account_id, session_id=session_id, token_id=token_id, until=until
        ),
        expires_in=int(settings.ACCESS_TOKEN_SECONDS),
        account_id=account_id,
        org_id=organization.id,
        org_name=organization.slug,
    )


def _invalid_token() -> PortalError:
    return PortalError("invalid_token", 401, "This refresh token is not valid, or was used before. Log in again.")
