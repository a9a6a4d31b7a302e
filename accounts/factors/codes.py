"""A code against an account: whether it is right, and that it is right once only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from bson import ObjectId

from accounts import sealing
from accounts.documents import ACCOUNTS
from accounts.factors import recovery_codes, totp
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

PURPOSE = "authenticator"
# What the functions here need of an account's document.
FIELDS = {"second_factor": 1, "secrets": 1}
MAX_TYPED = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RightCode:
    """A code that is right, and has still to be used up: `found` holds as long as nobody else has."""

    account_id: ObjectId
    found: Document
    change: Document
    is_recovery: bool


def is_on(account: Mapping[str, Any]) -> bool:
    """Whether an account's document has a second factor."""
    return "second_factor" in account


def right_code(account: Mapping[str, Any], typed: str) -> RightCode | None:
    """The code as something to use up, None when it is wrong, was used before, or its time is over.

    `typed` is a code of the app or a recovery code. Changes nothing.
    """
    if len(typed) > MAX_TYPED:
        return None
    kept = account["secrets"]
    secret = open_secret(kept["totp"], account["_id"])
    code = "".join(typed.split())
    step = totp.matching_step(secret, code, after=kept["last_step"])
    if step is not None:
        change: Document = {"$set": {"secrets.last_step": step, **_resealed(kept["totp"], secret, account["_id"])}}
        return RightCode(account["_id"], {"secrets.last_step": {"$lt": step}}, change, is_recovery=False)
    if recovery_codes.normalised(code) is None:
        return None
    stored = recovery_codes.digest(code, key=secret)
    if stored not in kept["recovery"]:
        return None
    return RightCode(
        account["_id"], {"secrets.recovery": stored}, {"$pull": {"secrets.recovery": stored}}, is_recovery=True
    )


def use_up(code: RightCode) -> bool:
    """Make sure that the code is never right again. False: somebody else has used it meanwhile."""
    outcome = database.collection(ACCOUNTS).update_one({"_id": code.account_id, **code.found}, code.change)
    return outcome.matched_count == 1


def seal_secret(secret: str, account_id: ObjectId) -> bytes:
    """The app's secret as it is stored."""
    return sealing.seal(secret.encode(), purpose=PURPOSE, owner=str(account_id))


def open_secret(sealed: bytes, account_id: ObjectId) -> str:
    """The app's secret. Raises PortalError 503 when the key that sealed it is gone from the settings."""
    try:
        return sealing.unseal(bytes(sealed), purpose=PURPOSE, owner=str(account_id)).decode()
    except sealing.CannotOpen:
        log.error("second_factor_cannot_be_opened", account=str(account_id))
        raise PortalError(
            "second_factor_unavailable", 503, "The second factor cannot be checked at present. Tell the operator."
        ) from None


def reseal_all() -> int:
    """Seal every second factor under today's SECRET_KEY, so that no earlier one is needed; how many were.

    One that cannot be opened any more is left as it is, and logged. Safe to repeat and while people log in.
    """
    accounts, count = database.collection(ACCOUNTS), 0
    for account in accounts.find({"second_factor": {"$exists": True}}, {"secrets.totp": 1}, batch_size=500):
        sealed = account["secrets"]["totp"]
        try:
            change = _resealed(sealed, open_secret(sealed, account["_id"]), account["_id"])
        except PortalError:
            continue
        if change:
            same = {"_id": account["_id"], "secrets.totp": sealed}
            count += accounts.update_one(same, {"$set": change}).modified_count
    return count


def _resealed(sealed: bytes, secret: str, account_id: ObjectId) -> Document:
    """Under today's SECRET_KEY, when an earlier one had sealed it."""
    if sealing.is_current(bytes(sealed), purpose=PURPOSE, owner=str(account_id)):
        return {}
    return {"secrets.totp": seal_secret(secret, account_id)}


def otp_required() -> PortalError:
    """401 after a right password, and never after a wrong one."""
    return PortalError("otp_required", 401, "This account has a second factor: send its code as otp.")


def invalid_otp() -> PortalError:
    """401 for a code that is wrong, was used before, or is out of date."""
    return PortalError("invalid_otp", 401, "This code is not right, was used before, or is out of date.")
