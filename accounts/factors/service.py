"""The second factor of an account: how it stands, and an authenticator app set up, confirmed by a first right code,
and taken away; its recovery codes. Passkeys are set up in `accounts.passkeys`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts import guessing
from accounts.documents import ACCOUNTS
from accounts.factors import changes, codes, totp
from accounts.principal import Principal
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, invalid

SETUP_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True)
class Status:
    """Whether there is a second factor, since when, of which kinds, and how many recovery codes are left."""

    is_on: bool
    since: datetime | None
    recovery_codes_left: int
    has_app: bool = False
    passkeys: int = 0


@dataclass(frozen=True)
class Setup:
    """What an authenticator app has to know: the secret in base 32, and the same as an `otpauth:` address."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


def status(*, principal: Principal) -> Status:
    """How the caller's account stands."""
    account = changes.account_of(principal)
    if not codes.is_on(account):
        return Status(is_on=False, since=None, recovery_codes_left=0)
    return Status(
        is_on=True,
        since=account["second_factor"]["since"],
        recovery_codes_left=len(account["secrets"]["recovery"]),
        has_app=codes.has_app(account),
        passkeys=len(codes.passkeys_of(account)),
    )


def begin(*, principal: Principal) -> Setup:
    """A new secret, which counts for nothing until a code of it is confirmed within half an hour.

    Raises PortalError 403 `sudo_required`, 409 `second_factor_on` when there is an app already.
    """
    changes.require_may_change(principal)
    secret = totp.new_secret()
    setup = {"totp": codes.seal_secret(secret, principal.account_id), "expires_at": now() + SETUP_LIFETIME}
    without = {"_id": principal.account_id, "secrets.totp": {"$exists": False}}
    if database.collection(ACCOUNTS).update_one(without, {"$set": {"secrets.setup": setup}}).matched_count == 0:
        raise _is_on()
    return _as_setup(secret, principal)


def setup_under_way(*, principal: Principal) -> Setup | None:
    """The secret that waits for its first code, for the page to show again. Raises PortalError 403 `sudo_required`."""
    changes.require_may_change(principal)
    kept = _setup_in(changes.account_of(principal))
    return _as_setup(codes.open_secret(kept["totp"], principal.account_id), principal) if kept else None


def confirm(*, principal: Principal, otp: str) -> list[str]:
    """Take the app on with a first right code. As the first factor it comes with recovery codes, to be shown this once;
    beside a passkey those of the account stay good, and none are returned.

    Raises PortalError 422 (path `otp`), 409 `no_setup` when none was begun or it took too long, 409
    `second_factor_on`, 403 `sudo_required`, 429.
    """
    changes.require_may_change(principal)
    if not isinstance(otp, str):
        raise invalid("otp", "Use text.")
    account = changes.account_of(principal)
    if codes.has_app(account):
        raise _is_on()
    setup = _setup_in(account)
    if setup is None:
        raise PortalError("no_setup", 409, "Begin anew: no set-up is under way, or it took too long.")
    step = _first_step(principal, setup, otp)
    is_first = not codes.is_on(account)
    fields, shown = codes.first_factor(principal.account_id) if is_first else ({}, [])
    app = {"secrets.totp": setup["totp"], "secrets.last_step": step}
    begun: Document = {"second_factor": {"$exists": not is_first}, "secrets.setup.totp": setup["totp"]}
    change = {"$set": {**fields, **app}, "$unset": {"secrets.setup": ""}}
    action, notice = (changes.SWITCHED_ON, "mfa_enabled") if is_first else ("second_factor.app_added", "app_added")
    told = changes.Told((action,), notice)
    changes.make(principal, account, found=begun, change=change, told=told, ends_others=is_first)
    return shown


def switch_off(*, principal: Principal) -> None:
    """Take the app away; where it was the only factor, the second factor is off.

    Raises PortalError 403 `sudo_required`, 409 `second_factor_off` when there is no app, 409 `password_too_short` for a
    password that is long enough only beside a second factor.
    """
    changes.require_may_change(principal)
    account = changes.account_of(principal)
    if not codes.has_app(account):
        raise _has_no_app() if codes.is_on(account) else _is_off()
    found: Document = {"secrets.totp": {"$exists": True}}
    if codes.passkeys_of(account):
        change: Document = {"$unset": {"secrets.totp": "", "secrets.last_step": ""}}
        if "recovery_key" not in account["secrets"]:
            change["$set"] = {"secrets.recovery_key": codes.sealed_recovery_key(account)}
        told = changes.Told(("second_factor.app_removed",), "app_removed")
    else:
        changes.require_long_password(account)
        found["secrets.passkeys"] = {"$exists": False}
        change = {"$unset": {"second_factor": "", "secrets": ""}}
        told = changes.Told((changes.SWITCHED_OFF,), "mfa_disabled")
    changes.make(principal, account, found=found, change=change, told=told, ends_others=True)


def renew_recovery_codes(*, principal: Principal) -> list[str]:
    """Ten new recovery codes in place of the earlier ones, to be shown this once.

    Raises PortalError 403 `sudo_required`, 409 `second_factor_off` when there is no second factor.
    """
    changes.require_may_change(principal)
    account = changes.account_of(principal)
    if not codes.is_on(account):
        raise _is_off()
    renewed, shown = codes.renewed_recovery(account)
    found = {"secrets.recovery_key": account["secrets"].get("recovery_key")}
    told = changes.Told(("second_factor.codes_renewed",), "recovery_codes_renewed")
    changes.make(principal, account, found=found, change={"$set": renewed}, told=told, ends_others=False)
    return shown


def _first_step(principal: Principal, setup: Mapping[str, Any], otp: str) -> int:
    """The time step of the first code of a new app. Raises PortalError 422 (path `otp`), 429."""
    secret = codes.open_secret(setup["totp"], principal.account_id)
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    attempt.count()
    step = totp.matching_step(secret, "".join(otp[: codes.MAX_TYPED].split()))
    if step is None:
        raise invalid("otp", "This code is not right. Look at the clock of your device, then take the next code.")
    attempt.forgive()
    return step


def _setup_in(account: Mapping[str, Any]) -> Mapping[str, Any] | None:
    setup: Mapping[str, Any] | None = account.get("secrets", {}).get("setup")
    return setup if setup and setup["expires_at"] > now() else None


def _as_setup(secret: str, principal: Principal) -> Setup:
    return Setup(secret=secret, address=totp.address_of(secret, email=principal.email))


def _is_on() -> PortalError:
    return PortalError("second_factor_on", 409, "Your account has an authenticator app already.")


def _is_off() -> PortalError:
    return PortalError("second_factor_off", 409, "Your account has no second factor.")


def _has_no_app() -> PortalError:
    return PortalError("second_factor_off", 409, "Your account has no authenticator app.")
