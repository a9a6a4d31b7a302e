"""The second factor of an account: set up, confirmed by a first right code, switched off; its recovery codes.

Switching it on or off ends every other session, token and API key of the account; the caller's session goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from accounts import audit, guessing, notices, sessions, sudo
from accounts.documents import ACCOUNTS
from accounts.factors import codes, pending, recovery_codes, totp
from accounts.principal import Principal
from accounts.scopes import require_person
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, invalid, unauthenticated

SETUP_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True)
class Status:
    """Whether there is a second factor, since when, and how many recovery codes are left."""

    is_on: bool
    since: datetime | None
    recovery_codes_left: int


@dataclass(frozen=True)
class Setup:
    """What an authenticator app has to know: the secret in base 32, and the same as an `otpauth:` address."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


def status(*, principal: Principal) -> Status:
    """How the caller's account stands."""
    account = _account(principal)
    if not codes.is_on(account):
        return Status(is_on=False, since=None, recovery_codes_left=0)
    return Status(True, account["second_factor"]["since"], len(account["secrets"]["recovery"]))


def begin(*, principal: Principal) -> Setup:
    """A new secret, which counts for nothing until a code of it is confirmed within half an hour.

    Raises PortalError 403 `sudo_required`, 409 `second_factor_on` when there is one already.
    """
    _may_change(principal)
    secret = totp.new_secret()
    setup = {"totp": codes.seal_secret(secret, principal.account_id), "expires_at": now() + SETUP_LIFETIME}
    off = {"_id": principal.account_id, "second_factor": {"$exists": False}}
    if database.collection(ACCOUNTS).update_one(off, {"$set": {"secrets.setup": setup}}).matched_count == 0:
        raise _is_on()
    return _as_setup(secret, principal)


def setup_under_way(*, principal: Principal) -> Setup | None:
    """The secret that waits for its first code, for the page to show again. Raises PortalError 403 `sudo_required`."""
    _may_change(principal)
    kept = _setup_in(_account(principal))
    return _as_setup(codes.open_secret(kept["totp"], principal.account_id), principal) if kept else None


def confirm(*, principal: Principal, otp: str) -> list[str]:
    """Switch the second factor on with a first right code; returns the recovery codes, to be shown this once.

    Raises PortalError 422 (path `otp`), 409 `no_setup` when none was begun or it took too long, 409
    `second_factor_on`, 403 `sudo_required`, 429.
    """
    _may_change(principal)
    if not isinstance(otp, str):
        raise invalid("otp", "Use text.")
    account = _account(principal)
    if codes.is_on(account):
        raise _is_on()
    setup = _setup_in(account)
    if setup is None:
        raise PortalError("no_setup", 409, "Begin anew: no set-up is under way, or it took too long.")
    secret = codes.open_secret(setup["totp"], principal.account_id)
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    attempt.count()
    step = totp.matching_step(secret, "".join(otp[: codes.MAX_TYPED].split()))
    if step is None:
        raise invalid("otp", "This code is not right. Look at the clock of your device, then take the next code.")
    attempt.forgive()
    shown = recovery_codes.new_codes()
    change = {
        "second_factor": {"since": now()},
        "secrets.totp": setup["totp"],
        "secrets.last_step": step,
        "secrets.recovery": _digests(shown, secret),
    }
    begun = {"second_factor": {"$exists": False}, "secrets.setup.totp": setup["totp"]}
    _switch(principal, account, found=begun, change={"$set": change, "$unset": {"secrets.setup": ""}}, on=True)
    return shown


def switch_off(*, principal: Principal) -> None:
    """Take the second factor away. Raises PortalError 403 `sudo_required`, 409 `second_factor_off` when there is
    none, 409 `password_too_short` for a password that is long enough only beside a second factor.
    """
    _may_change(principal)
    account = _account(principal)
    if not codes.is_on(account):
        raise _is_off()
    if account["secrets"].get("short_password"):
        raise PortalError(
            "password_too_short", 409, "Set a longer password first: yours is long enough only with a second factor."
        )
    change = {"$unset": {"second_factor": "", "secrets": ""}}
    _switch(principal, account, found={"second_factor": {"$exists": True}}, change=change, on=False)


def renew_recovery_codes(*, principal: Principal) -> list[str]:
    """Ten new recovery codes in place of the earlier ones, to be shown this once. Raises as `switch_off`."""
    _may_change(principal)
    account = _account(principal)
    if not codes.is_on(account):
        raise _is_off()
    shown = recovery_codes.new_codes()
    sealed = account["secrets"]["totp"]
    secret = codes.open_secret(sealed, principal.account_id)
    with (
        audit.act(action="second_factor.codes_renewed", org_ids=_organizations(principal), actor=principal),
        notices.announced(kind="recovery_codes_renewed", account_ids=[principal.account_id]),
    ):
        renewed = {"$set": {"secrets.recovery": _digests(shown, secret)}}
        query = {"_id": principal.account_id, "secrets.totp": sealed}
        if database.collection(ACCOUNTS).update_one(query, renewed).matched_count == 0:
            raise _is_off()
    return shown


def _switch(principal: Principal, account: Mapping[str, Any], *, found: Document, change: Document, on: bool) -> None:
    """Change the account and its generation in one, end what is of the old one, and carry the caller's session on."""
    query = {"_id": principal.account_id, "generation": account["generation"], **found}
    action = "second_factor.switched_on" if on else "second_factor.switched_off"
    with (
        audit.act(action=action, org_ids=_organizations(principal), actor=principal),
        notices.announced(kind="mfa_enabled" if on else "mfa_disabled", account_ids=[principal.account_id]),
    ):
        outcome = database.collection(ACCOUNTS).update_one(query, {**change, "$inc": {"generation": 1}})
        if outcome.matched_count == 0:
            raise PortalError("account_changed", 409, "Your account was changed at the same moment. Look at it again.")
    sessions.carry_on(principal.session_id, account_id=principal.account_id, generation=account["generation"] + 1)
    pending.forget_account(principal.account_id)


def _may_change(principal: Principal) -> None:
    require_person(principal)
    sudo.require_recent(principal)


def _account(principal: Principal) -> Mapping[str, Any]:
    found = {"generation": 1, **codes.FIELDS}
    account = database.collection(ACCOUNTS).find_one({"_id": principal.account_id}, found)
    if account is None:
        raise unauthenticated()
    return account


def _setup_in(account: Mapping[str, Any]) -> Mapping[str, Any] | None:
    setup: Mapping[str, Any] | None = account.get("secrets", {}).get("setup")
    return setup if setup and setup["expires_at"] > now() else None


def _as_setup(secret: str, principal: Principal) -> Setup:
    return Setup(secret=secret, address=totp.address_of(secret, email=principal.email))


def _digests(shown: list[str], secret: str) -> list[str]:
    return [recovery_codes.digest(code, key=secret) for code in shown]


def _organizations(principal: Principal) -> list[ObjectId]:
    return [one.org_id for one in principal.memberships]


def _is_on() -> PortalError:
    return PortalError("second_factor_on", 409, "Your account has a second factor already.")


def _is_off() -> PortalError:
    return PortalError("second_factor_off", 409, "Your account has no second factor.")
