"""Passkeys that are shown: after the password as second factor, alone as both, and before a change of security."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from accounts import audit, guessing, login, sessions, sudo
from accounts.devices import Device
from accounts.documents import ACCOUNTS
from accounts.factors import changes, codes, pending
from accounts.guessing import Attempt
from accounts.login import LoggedIn
from accounts.passkeys import ceremonies, challenges
from accounts.passkeys.ceremonies import Assertion, Refused, Shown
from accounts.passkeys.challenges import Purpose
from accounts.passkeys.relying_party import relying_party
from accounts.principal import Principal
from accounts.scopes import require_person
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

Account = Mapping[str, Any]
# Asked for together with the password, an authenticator need not verify who holds it.
VERIFIES_USER: Mapping[Purpose, bool] = {"login": True, "confirm": True, "second_step": False}


@dataclass(frozen=True)
class _Asked:
    """Which challenge must be answered: what for, by whom (`holder`, see `challenges.issue`), for which account."""

    purposes: Sequence[Purpose]
    holder: str = ""
    account_id: ObjectId | None = None


def begin() -> Document:
    """What the browser is given to log in with a passkey alone: the same for everybody.

    Raises PortalError 409 `passkeys_unavailable`, 429.
    """
    relying_party()
    guessing.count_challenge()
    return ceremonies.request_options(challenge=challenges.issue(purpose="login"), present=(), verify_user=True)


def begin_with_password(*, email: str, password: str, device: Device | None) -> Document:
    """What is given for the passkey that goes with this password.

    Raises PortalError as `accounts.login.log_in` for a wrong password; after a right one 409 `no_passkey` when the
    account has none; 409 `passkeys_unavailable`.
    """
    relying_party()
    account = login.password_holder(email=email, password=password, device=device)
    return _second_step(account, holder="")


def begin_waiting(*, secret: str) -> Document:
    """What is given for the passkey of the login that waits in this browser.

    Raises PortalError 409 `login_expired`, 409 `no_passkey`, 409 `passkeys_unavailable`, 429.
    """
    relying_party()
    waiting = pending.find(secret) if secret else None
    account = login.account_waiting(waiting) if waiting else None
    if waiting is None or account is None:
        raise login.login_expired()
    guessing.count_challenge()
    return _second_step(account, holder=waiting.id)


def log_in(*, assertion: Assertion, org_slug: str | None, choose_later: bool, device: Device | None) -> LoggedIn:
    """A login by a passkey alone, or by the one that was asked for with a password.

    Raises PortalError 401 `invalid_passkey` in the same words for a passkey that nobody has, a wrong signature, a
    challenge that is over, and an account without such an open organization; 409 `choose_organization` (the passkey
    has then to be shown again); 429.
    """
    account, purpose = _holder(assertion, _Asked(("login", "second_step")), device=device)
    return _logged_in(account, purpose, org_slug=org_slug, choose_later=choose_later)


def finish_waiting(*, secret: str, assertion: Assertion, device: Device | None) -> tuple[LoggedIn, Mapping[str, Any]]:
    """The second step of a login in a browser: by passkey, and the wishes that it was begun with.

    Raises PortalError 409 `login_expired` when none waits (any more), 401 `invalid_passkey`, 429.
    """
    waiting = pending.find(secret) if secret else None
    if waiting is None or login.account_waiting(waiting) is None:
        raise login.login_expired()
    asked = _Asked(("second_step",), holder=waiting.id, account_id=waiting.account_id)
    account, purpose = _holder(assertion, asked, device=device)
    found = _logged_in(account, purpose, org_slug=None, choose_later=True)
    if not pending.end(waiting):
        raise login.login_expired()
    return found, waiting.wishes


def begin_confirming(*, principal: Principal) -> Document:
    """What is given to prove with a passkey that it is still the same person, in place of the password and a code.

    Raises PortalError 409 `no_passkey`, 409 `passkeys_unavailable`, 403 for an API key.
    """
    require_person(principal)
    relying_party()
    account = changes.account_of(principal)
    present = _passkeys_of(account)
    challenge = challenges.issue(purpose="confirm", account_id=principal.account_id, holder=principal.session_id)
    return ceremonies.request_options(challenge=challenge, present=present, verify_user=True)


def confirm(*, principal: Principal, assertion: Assertion) -> datetime:
    """The proof; returns until when it counts, as `accounts.sudo.confirm`.

    Raises PortalError 422 (path `credential`), 429, 401 when the session is gone.
    """
    require_person(principal)
    asked = _Asked(("confirm",), holder=principal.session_id, account_id=principal.account_id)
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    attempt.count()
    account = _account_with(assertion.credential)
    if account is None or not _accepted(account, assertion, asked):
        raise sudo.failed(principal, "credential", "This passkey was not accepted, or it took too long. Try again.")
    attempt.forgive()
    return sudo.grant(principal, by="passkey")


def _second_step(account: Account, *, holder: str) -> Document:
    present = _passkeys_of(account)
    challenge = challenges.issue(
        purpose="second_step", account_id=account["_id"], generation=account["generation"], holder=holder
    )
    return ceremonies.request_options(challenge=challenge, present=present, verify_user=VERIFIES_USER["second_step"])


def _passkeys_of(account: Account) -> list[Document]:
    present = codes.passkeys_of(account)
    if not present:
        raise PortalError("no_passkey", 409, "This account has no passkey.")
    return present


def _holder(assertion: Assertion, asked: _Asked, *, device: Device | None) -> tuple[Account, Purpose]:
    """The account of a passkey that was shown rightly, and what for; the attempt is counted before it is looked at."""
    account = _account_with(assertion.credential)
    attempt: Attempt = guessing.passkey_attempt(
        credential=assertion.credential, email=account["email"] if account else None, device=device
    )
    try:
        attempt.count()
    except PortalError as refused:
        login.note(account, "login.refused", refused.code)
        raise
    purpose = _accepted(account, assertion, asked) if account else None
    if account is None or purpose is None:
        login.note(account, "login.failed", "invalid_passkey")
        raise invalid_passkey()
    attempt.forgive()
    return account, purpose


def _account_with(credential: str) -> Account | None:
    if not ceremonies.is_credential_id(credential):
        return None
    return database.collection(ACCOUNTS).find_one({"secrets.passkeys.credential": credential}, login.FIELDS)


def _accepted(account: Account, assertion: Assertion, asked: _Asked) -> Purpose | None:
    """What the answer was asked for, if it is right in every respect; the challenge is used up in either case."""
    challenge = challenges.challenge_in(assertion.client_data)
    issued = challenge and challenges.consume(challenge, purposes=asked.purposes, holder=asked.holder)
    if not challenge or not issued:
        return None
    if not {issued.account_id, asked.account_id} <= {None, account["_id"]}:
        return None
    if issued.generation not in {None, account["generation"]}:
        return None
    passkey = next(one for one in codes.passkeys_of(account) if one["credential"] == assertion.credential)
    try:
        shown = ceremonies.check_assertion(
            assertion,
            challenge=challenge,
            passkey=passkey,
            account_id=account["_id"],
            verify_user=VERIFIES_USER[issued.purpose],
        )
    except Refused:
        return None
    return issued.purpose if _counted_on(account, passkey, shown) else None


def _counted_on(account: Account, passkey: Document, shown: Shown) -> bool:
    """Note the use, unless the counter says that a copy may have been used (WebAuthn, 7.2, step 22).

    Compare-and-set, so that of two uses at the same time the later one must have counted on, too. An authenticator
    that does not count says 0 always.
    """
    counts = shown.count > 0 or passkey["count"] > 0
    if counts and shown.count <= passkey["count"]:
        audit.happened(
            action="passkey.counter_refused",
            org_ids=[one.org_id for one in sessions.memberships_of(account)],
            actor=audit.anonymous(account["email"]),
            target=f"passkey:{passkey['id']}",
            details={"name": passkey["name"], "counter": shown.count, "before": passkey["count"]},
            result="refused",
        )
        return False
    before: Document = {"$lt": shown.count} if counts else {"$eq": 0}
    used = {
        "secrets.passkeys.$[one].count": shown.count,
        "secrets.passkeys.$[one].synced": shown.synced,
        "secrets.passkeys.$[one].used_at": now(),
    }
    outcome = database.collection(ACCOUNTS).update_one(
        {"_id": account["_id"], "secrets.passkeys": {"$elemMatch": {"id": passkey["id"], "count": before}}},
        {"$set": used},
        array_filters=[{"one.id": passkey["id"]}],
    )
    return outcome.matched_count == 1


def _logged_in(account: Account, purpose: Purpose, *, org_slug: str | None, choose_later: bool) -> LoggedIn:
    by = "passkey" if purpose == "login" else "password and passkey"
    try:
        return login.logged_in(account, org_slug=org_slug, choose_later=choose_later, by=by)
    except PortalError as refused:
        if refused.code == "invalid_credentials":
            raise invalid_passkey() from None
        raise


def invalid_passkey() -> PortalError:
    """The one answer to every passkey that opens nothing."""
    return PortalError("invalid_passkey", 401, "This passkey was not accepted, or it took too long. Try again.")
