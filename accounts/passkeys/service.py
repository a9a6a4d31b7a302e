"""The passkeys of one's own account: listed, added, renamed, removed.

They are kept in the account's document, beside the app's secret: so a passkey and the fact that there is a second
factor change together, and go with the account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from accounts import audit, guessing
from accounts.documents import ACCOUNTS
from accounts.factors import changes, codes
from accounts.passkeys import ceremonies, challenges
from accounts.passkeys.ceremonies import Attestation, NewCredential, Refused
from accounts.passkeys.relying_party import relying_party
from accounts.principal import Principal
from accounts.scopes import require_person
from accounts.texts import clean_line
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, invalid, not_found

MOST = 10
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class Passkey:
    """A passkey as its owner sees it. `is_synced`: the device says that there are copies of it."""

    id: ObjectId
    name: str
    added_at: datetime
    used_at: datetime | None
    is_synced: bool


def list_passkeys(*, principal: Principal) -> list[Passkey]:
    """The account's passkeys, the oldest first."""
    return [_shown(one) for one in codes.passkeys_of(changes.account_of(principal))]


def get_passkey(*, principal: Principal, passkey_id: ObjectId) -> Passkey:
    """One of them. Raises PortalError 404."""
    return _shown(_one_of(changes.account_of(principal), passkey_id))


def begin(*, principal: Principal) -> Document:
    """What the browser is given to make a passkey; it is good for five minutes, and for this session alone.

    Raises PortalError 403 `sudo_required`, 409 `too_many_passkeys`, 409 `passkeys_unavailable`.
    """
    changes.require_may_change(principal)
    relying_party()
    account = changes.account_of(principal)
    _require_room(account)
    challenge = challenges.issue(purpose="add", account_id=principal.account_id, holder=principal.session_id)
    return ceremonies.creation_options(
        challenge=challenge,
        account_id=principal.account_id,
        email=principal.email,
        present=codes.passkeys_of(account),
    )


def require_can_add(*, principal: Principal) -> None:
    """For a page that shows the form of it. Raises PortalError as `begin`."""
    changes.require_may_change(principal)
    relying_party()
    _require_room(changes.account_of(principal))


def add(*, principal: Principal, name: str, attestation: Attestation) -> tuple[Passkey, list[str]]:
    """Keep the passkey that the browser has made; returns it, and when it is the first factor, recovery codes.

    Raises PortalError 422 (path `name`, or `credential` when it is not right or took too long), 409 `passkey_taken`,
    409 `too_many_passkeys`, 409 `account_changed`, 403 `sudo_required`, 429.
    """
    changes.require_may_change(principal)
    relying_party()
    called = _name(name)
    account = changes.account_of(principal)
    _require_room(account)
    new = _made(principal, attestation)
    if database.collection(ACCOUNTS).find_one({"secrets.passkeys.credential": new.credential}, {"_id": 1}):
        raise PortalError("passkey_taken", 409, "This passkey belongs to an account already.")
    kept = _as_kept(new, called, attestation.transports)
    is_first = not codes.is_on(account)
    fields, shown = codes.first_factor(principal.account_id) if is_first else ({}, [])
    found: Document = {"second_factor": {"$exists": not is_first}, f"secrets.passkeys.{MOST - 1}": {"$exists": False}}
    change: Document = {"$push": {"secrets.passkeys": kept}, **({"$set": fields} if fields else {})}
    actions = ("passkey.added", changes.SWITCHED_ON) if is_first else ("passkey.added",)
    told = changes.Told(actions, "passkey_added", target=f"passkey:{kept['id']}", details={"name": called})
    changes.make(principal, account, found=found, change=change, told=told, ends_others=is_first)
    return _shown(kept), shown


def rename(*, principal: Principal, passkey_id: ObjectId, name: str) -> Passkey:
    """Give a passkey another name. Raises PortalError 422 (path `name`), 404."""
    require_person(principal)
    called = _name(name)
    present = _one_of(changes.account_of(principal), passkey_id)
    with audit.act(
        action="passkey.renamed",
        org_ids=changes.organizations_of(principal),
        actor=principal,
        target=f"passkey:{passkey_id}",
        details={"from": present["name"], "to": called},
    ):
        outcome = database.collection(ACCOUNTS).update_one(
            {"_id": principal.account_id, "secrets.passkeys.id": passkey_id},
            {"$set": {"secrets.passkeys.$[one].name": called}},
            array_filters=[{"one.id": passkey_id}],
        )
        if outcome.matched_count == 0:
            raise not_found()
    return _shown({**present, "name": called})


def remove(*, principal: Principal, passkey_id: ObjectId) -> Passkey:
    """Take a passkey away; where it was the only factor, the second factor is off.

    Raises PortalError 404, 403 `sudo_required`, 409 `password_too_short` for a password that is long enough only
    beside a second factor, 409 `account_changed`.
    """
    changes.require_may_change(principal)
    account = changes.account_of(principal)
    gone = _one_of(account, passkey_id)
    found: Document = {"secrets.passkeys.id": passkey_id}
    actions: tuple[str, ...] = ("passkey.removed",)
    notice = "passkey_removed"
    if len(codes.passkeys_of(account)) > 1:
        found["secrets.passkeys.1"] = {"$exists": True}
        change: Document = {"$pull": {"secrets.passkeys": {"id": passkey_id}}}
    else:
        found["secrets.passkeys"] = {"$size": 1}
        change = {"$unset": {"secrets.passkeys": ""}}
        found["secrets.totp"] = {"$exists": codes.has_app(account)}
        if not codes.has_app(account):
            changes.require_long_password(account)
            actions, notice = ("passkey.removed", changes.SWITCHED_OFF), "passkey_removed_last"
            change = {"$unset": {"second_factor": "", "secrets": ""}}
    told = changes.Told(actions, notice, target=f"passkey:{passkey_id}", details={"name": gone["name"]})
    changes.make(principal, account, found=found, change=change, told=told, ends_others=True)
    return _shown(gone)


def _made(principal: Principal, attestation: Attestation) -> NewCredential:
    """The credential of an answer to this session's challenge. Raises PortalError 422 (path `credential`), 429."""
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    attempt.count()
    challenge = challenges.challenge_in(attestation.client_data)
    issued = challenge and challenges.consume(challenge, purposes=["add"], holder=principal.session_id)
    if not challenge or not issued or issued.account_id != principal.account_id:
        raise invalid("credential", "This took too long, or was sent already. Begin anew.")
    try:
        new = ceremonies.check_attestation(attestation, challenge=challenge)
    except Refused:
        raise invalid("credential", "This passkey cannot be used here. Try another device.") from None
    attempt.forgive()
    return new


def _as_kept(new: NewCredential, name: str, transports: tuple[str, ...]) -> Document:
    return {
        "id": ObjectId(),
        "name": name,
        "credential": new.credential,
        "public_key": new.public_key,
        "count": new.count,
        "can_sync": new.can_sync,
        "synced": new.synced,
        "transports": [one for one in ceremonies.TRANSPORTS if one in transports],
        "added_at": now(),
        "used_at": None,
    }


def _shown(kept: Mapping[str, Any]) -> Passkey:
    return Passkey(kept["id"], kept["name"], kept["added_at"], kept["used_at"], kept["synced"])


def _one_of(account: Mapping[str, Any], passkey_id: ObjectId) -> Document:
    found = next((one for one in codes.passkeys_of(account) if one["id"] == passkey_id), None)
    if found is None:
        raise not_found()
    return found


def _name(typed: str) -> str:
    called = clean_line(typed, path="name", longest=MAX_NAME_LENGTH)
    if not called:
        raise invalid("name", "Give it a name, so that you know later which device it is on.")
    return called


def _require_room(account: Mapping[str, Any]) -> None:
    if len(codes.passkeys_of(account)) >= MOST:
        raise PortalError("too_many_passkeys", 409, f"An account has at most {MOST} passkeys: remove one first.")
