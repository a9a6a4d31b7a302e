"""Changes of an account's second factors, whatever their kind: who may make them, and what they end.

The first factor that is set up, and any that is taken away, ends every other session, token and API key of the
account; the caller's session goes on. A further factor opens nothing that was shut, and ends nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from accounts import audit, notices, sessions, sudo
from accounts.documents import ACCOUNTS
from accounts.factors import codes, pending
from accounts.principal import Principal
from accounts.scopes import require_person
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, unauthenticated

SWITCHED_ON, SWITCHED_OFF = "second_factor.switched_on", "second_factor.switched_off"


def require_may_change(principal: Principal) -> None:
    """Raises PortalError 403 `sudo_required` unless the password was entered a moment ago; 403 for an API key."""
    require_person(principal)
    sudo.require_recent(principal)


def account_of(principal: Principal) -> Mapping[str, Any]:
    """The caller's account with all that is kept of its factors. Raises PortalError 401 when it is gone."""
    found = {"generation": 1, **codes.FIELDS}
    account = database.collection(ACCOUNTS).find_one({"_id": principal.account_id}, found)
    if account is None:
        raise unauthenticated()
    return account


def organizations_of(principal: Principal) -> list[ObjectId]:
    """The chains of the audit that a change is written to."""
    return [one.org_id for one in principal.memberships]


def require_long_password(account: Mapping[str, Any]) -> None:
    """Raises PortalError 409 `password_too_short` for a password that is long enough only beside a second factor."""
    if account["secrets"].get("short_password"):
        raise PortalError(
            "password_too_short", 409, "Set a longer password first: yours is long enough only with a second factor."
        )


@dataclass(frozen=True)
class Told:
    """How a change is written to the audit, and in which words its account hears of it by mail."""

    actions: tuple[str, ...]
    notice: str
    target: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


def make(
    principal: Principal,
    account: Mapping[str, Any],
    *,
    found: Document,
    change: Document,
    told: Told,
    ends_others: bool,
) -> None:
    """Change the account as it was read; where it `ends_others`, its generation with it, in one.

    Raises PortalError 409 `account_changed` when another change came first, 409 `passkey_taken`.
    """
    query = {"_id": principal.account_id, "generation": account["generation"], **found}
    grown = {"$inc": {"generation": 1}} if ends_others else {}
    with _announced(principal, told):
        _update(query, {**change, **grown})
    if ends_others:
        sessions.carry_on(principal.session_id, account_id=principal.account_id, generation=account["generation"] + 1)
        pending.forget_account(principal.account_id)


@contextmanager
def _announced(principal: Principal, told: Told) -> Iterator[None]:
    with ExitStack() as stack:
        for action in told.actions:
            acting = audit.act(
                action=action,
                org_ids=organizations_of(principal),
                actor=principal,
                target=told.target,
                details=told.details,
            )
            stack.enter_context(acting)
        stack.enter_context(
            notices.announced(kind=told.notice, account_ids=[principal.account_id], details=told.details)
        )
        yield


def _update(query: Document, change: Document) -> None:
    try:
        outcome = database.collection(ACCOUNTS).update_one(query, change)
    except DuplicateKeyError:
        # The ids of credentials are unique over all accounts.
        raise PortalError("passkey_taken", 409, "This passkey belongs to an account already.") from None
    if outcome.matched_count == 0:
        raise PortalError("account_changed", 409, "Your account was changed at the same moment. Look at it again.")
