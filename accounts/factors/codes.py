"""A code against an account: whether it is right, and that it is right once only; the recovery codes that it has."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from bson import ObjectId

from accounts import sealing
from accounts.documents import ACCOUNTS
from accounts.factors import recovery_codes, totp
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

PURPOSE = "authenticator"
# What the functions here need of an account's document.
FIELDS = {"second_factor": 1, "secrets": 1}
MAX_TYPED = 100
_SEALED = ("secrets.totp", "secrets.recovery_key")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RightCode:
    """A code that is right, and has still to be used up: `found` holds as long as nobody else has."""

    account_id: ObjectId
    found: Document
    change: Document
    is_recovery: bool


def is_on(account: Mapping[str, Any]) -> bool:
    """Whether an account's document has a second factor, of whatever kind."""
    return "second_factor" in account


def has_app(account: Mapping[str, Any]) -> bool:
    """Whether one of them is an authenticator app."""
    return "totp" in account.get("secrets", {})


def passkeys_of(account: Mapping[str, Any]) -> list[Document]:
    """Its passkeys, as they are kept."""
    kept: list[Document] = account.get("secrets", {}).get("passkeys", [])
    return kept


def right_code(account: Mapping[str, Any], typed: str) -> RightCode | None:
    """The code as something to use up, None when it is wrong, was used before, or its time is over.

    `typed` is a code of the app or a recovery code. Changes nothing.
    """
    if len(typed) > MAX_TYPED:
        return None
    code = "".join(typed.split())
    if has_app(account) and totp.looks_like_code(code):
        return _right_code_of_app(account, code)
    if recovery_codes.normalised(code) is None:
        return None
    kept = account["secrets"]
    stored = recovery_codes.digest(code, key=open_secret(sealed_recovery_key(account), account["_id"]))
    if stored not in kept["recovery"]:
        return None
    return RightCode(
        account["_id"], {"secrets.recovery": stored}, {"$pull": {"secrets.recovery": stored}}, is_recovery=True
    )


def _right_code_of_app(account: Mapping[str, Any], code: str) -> RightCode | None:
    kept = account["secrets"]
    secret = open_secret(kept["totp"], account["_id"])
    step = totp.matching_step(secret, code, after=kept["last_step"])
    if step is None:
        return None
    change: Document = {"$set": {"secrets.last_step": step, **_resealed("totp", kept["totp"], account["_id"])}}
    return RightCode(account["_id"], {"secrets.last_step": {"$lt": step}}, change, is_recovery=False)


def first_factor(account_id: ObjectId) -> tuple[Document, list[str]]:
    """What is set in an account's document along with its first factor, of whatever kind; the new recovery codes."""
    key, shown = secrets.token_urlsafe(32), recovery_codes.new_codes()
    fields = {
        "second_factor": {"since": now()},
        "secrets.recovery_key": seal_secret(key, account_id),
        "secrets.recovery": [recovery_codes.digest(code, key=key) for code in shown],
    }
    return fields, shown


def renewed_recovery(account: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """What is set for new recovery codes, and those codes. Raises PortalError 503 as `open_secret`."""
    key = open_secret(sealed_recovery_key(account), account["_id"])
    shown = recovery_codes.new_codes()
    return {"secrets.recovery": [recovery_codes.digest(code, key=key) for code in shown]}, shown


def sealed_recovery_key(account: Mapping[str, Any]) -> bytes:
    """The key of the account's recovery codes, sealed: that of the app for codes older than this key of their own."""
    kept = account["secrets"]
    sealed: bytes = kept["recovery_key"] if "recovery_key" in kept else kept["totp"]
    return sealed


def use_up(code: RightCode) -> bool:
    """Make sure that the code is never right again. False: somebody else has used it meanwhile."""
    outcome = database.collection(ACCOUNTS).update_one({"_id": code.account_id, **code.found}, code.change)
    return outcome.matched_count == 1


def seal_secret(secret: str, account_id: ObjectId) -> bytes:
    """The app's secret, or the key of the recovery codes, as it is stored."""
    return sealing.seal(secret.encode(), purpose=PURPOSE, owner=str(account_id))


def open_secret(sealed: bytes, account_id: ObjectId) -> str:
    """What was sealed so. Raises PortalError 503 when the key that sealed it is gone from the settings."""
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
    for account in accounts.find({"second_factor": {"$exists": True}}, dict.fromkeys(_SEALED, 1), batch_size=500):
        kept = account["secrets"]
        done = [_reseal(account["_id"], name, kept[name]) for name in ("totp", "recovery_key") if name in kept]
        count += any(done)
    return count


def _reseal(account_id: ObjectId, name: str, sealed: bytes) -> bool:
    """Whether it had to be, and was."""
    try:
        change = _resealed(name, sealed, account_id)
    except PortalError:
        return False
    same = {"_id": account_id, f"secrets.{name}": sealed}
    return bool(change) and database.collection(ACCOUNTS).update_one(same, {"$set": change}).modified_count == 1


def _resealed(name: str, sealed: bytes, account_id: ObjectId) -> Document:
    """Under today's SECRET_KEY, when an earlier one had sealed it. Raises PortalError 503 as `open_secret`."""
    if sealing.is_current(bytes(sealed), purpose=PURPOSE, owner=str(account_id)):
        return {}
    return {f"secrets.{name}": seal_secret(open_secret(sealed, account_id), account_id)}


def otp_required() -> PortalError:
    """401 after a right password, and never after a wrong one."""
    message = "This account has a second factor: send a code of it as otp, or log in with a passkey."
    return PortalError("otp_required", 401, message)


def invalid_otp() -> PortalError:
    """401 for a code that is wrong, was used before, or is out of date."""
    return PortalError("invalid_otp", 401, "This code is not right, was used before, or is out of date.")
