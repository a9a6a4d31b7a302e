"""Sudo: before a change of security the password must have been entered a moment ago.

A session that was left open, or a stolen one, may read and work, but not change who gets in. The moment is kept
on the session (browser session or family of tokens); a login counts, as the password was just entered.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from django.conf import settings

from accounts import audit, guessing, passwords, sessions
from accounts.documents import ACCOUNTS
from accounts.factors import codes
from accounts.principal import Principal
from accounts.scopes import require_person
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError, invalid, unauthenticated

SUDO_REQUIRED = "sudo_required"


def from_now() -> datetime:
    """Until when a password that is entered now counts: SUDO_SECONDS from now."""
    return now() + timedelta(seconds=settings.SUDO_SECONDS)


def is_recent(principal: Principal) -> bool:
    """Whether the caller entered the password (and the code of a second factor) a moment ago."""
    return principal.method != "key" and principal.sudo_until is not None and now() < principal.sudo_until


def require_recent(principal: Principal) -> None:
    """Call before every change of security. Raises PortalError 403 `sudo_required`; never passes an API key.

    Pages need not catch it: the middleware sends the browser to /sudo and back. A page that shows the form of such
    a change calls this too, so that nobody fills in a form in vain.
    """
    if not is_recent(principal):
        raise PortalError(
            SUDO_REQUIRED, 403, "Enter your password again first (POST /api/v1/auth/sudo): it has been a while."
        )


def confirm(*, principal: Principal, password: str, otp: str | None = None) -> datetime:
    """Enter the password again, and a code where there is a second factor; returns until when that counts.

    Raises PortalError 422 (path `password` or `otp`), 429 `too_many_attempts`, 403 for an API key, 401 when the
    session is gone. The attempts are counted apart from those at the login page.
    """
    require_person(principal)
    if not isinstance(password, str) or not isinstance(otp, str | None):
        raise invalid("password", "Use text.")
    fields = {"password": 1, **codes.FIELDS}
    account = database.collection(ACCOUNTS).find_one({"_id": principal.account_id}, fields)
    if account is None:
        raise unauthenticated()
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    if not passwords.verify(password, account["password"], count=attempt.count):
        raise failed(principal, "password", "This is not your password.")
    if codes.is_on(account):
        _confirm_code(principal, account, otp)
    attempt.forgive()
    return grant(principal, by="password")


def grant(principal: Principal, *, by: str) -> datetime:
    """Note that the caller has proved who they are; until when that counts. Raises PortalError 401 as `confirm`."""
    until = from_now()
    with audit.act(action="sudo.confirmed", org_ids=_chains(principal), actor=principal, details={"by": by}):
        if not sessions.extend_sudo(principal.session_id, until):
            raise unauthenticated()
    return until


def _confirm_code(principal: Principal, account: Mapping[str, Any], otp: str | None) -> None:
    if not otp:
        raise invalid("otp", "Enter a code of your authenticator app, or a recovery code, as well.")
    right = codes.right_code(account, otp)
    if right is None or not codes.use_up(right):
        raise failed(principal, "otp", "This code is not right, was used before, or is out of date.")


def failed(principal: Principal, path: str, message: str) -> PortalError:
    """The refusal of what was tried instead, once it is counted in the audit."""
    audit.note(
        action="sudo.failed", org_ids=_chains(principal), actor=principal, details={"what": path}, result="failed"
    )
    return invalid(path, message)


def _chains(principal: Principal) -> list[ObjectId]:
    """The organization that the session is for; the portal's own chain while none is chosen."""
    return [principal.org_id] if principal.org_id else []
