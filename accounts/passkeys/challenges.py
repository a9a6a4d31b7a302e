"""Challenges: random, each good once, for one purpose and for five minutes. Only their digests are stored."""

import base64
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from accounts.tokens import digest, now
from orgportal import database, strict_json
from orgportal.errors import PortalError

CHALLENGES = "passkey_challenges"
INDEXES: dict[str, list[IndexModel]] = {
    CHALLENGES: [
        IndexModel([("account_id", ASCENDING)], name="account_id"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ]
}
LIFETIME = timedelta(minutes=5)
# `add` a passkey; `login` with one alone; the `second_step` of a login; `confirm` a change of security.
Purpose = Literal["add", "login", "second_step", "confirm"]
# Four times what is recommended at least (WebAuthn, 13.4.3), and their length in base64url.
_RANDOM_BYTES = 64
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{86}", re.ASCII)


@dataclass(frozen=True)
class Issued:
    """A challenge that was good until this moment. `account_id` is None where nobody had said who they are."""

    purpose: Purpose
    account_id: ObjectId | None
    generation: int | None


def issue(
    *, purpose: Purpose, account_id: ObjectId | None = None, generation: int | None = None, holder: str = ""
) -> bytes:
    """A new challenge. `holder` is the session or the waiting login that alone may answer it."""
    challenge = secrets.token_bytes(_RANDOM_BYTES)
    row = {
        "_id": _key_of(challenge),
        "purpose": purpose,
        "account_id": account_id,
        "generation": generation,
        "holder": holder,
        "expires_at": now() + LIFETIME,
    }
    database.collection(CHALLENGES).insert_one(row)
    return challenge


def consume(challenge: bytes, *, purposes: Sequence[Purpose], holder: str = "") -> Issued | None:
    """Use the challenge up. None when it was never issued for this, was used before, or its time is over."""
    challenges = database.collection(CHALLENGES)
    query = {"_id": _key_of(challenge), "purpose": {"$in": list(purposes)}, "holder": holder}
    row = challenges.find_one(query)
    # Of two at the same time one finds it gone. A TTL index deletes up to minutes late.
    if row is None or challenges.delete_one(query).deleted_count == 0 or row["expires_at"] <= now():
        return None
    return Issued(row["purpose"], row["account_id"], row["generation"])


def forget_account(account_id: ObjectId) -> None:
    """End every challenge of an account."""
    database.collection(CHALLENGES).delete_many({"account_id": account_id})


def challenge_in(client_data: bytes) -> bytes | None:
    """The challenge that client data answer, if they are what a browser makes and come from this page alone.

    JSON that two readers could understand differently is none, and so is what another site's frame had signed
    (`crossOrigin`; WebAuthn, 5.8.1 and 7.2).
    """
    try:
        found = strict_json.parse(client_data)
    except PortalError:
        return None
    if not isinstance(found, dict) or found.get("crossOrigin", False) is not False or "topOrigin" in found:
        return None
    text = found.get("challenge")
    if not isinstance(text, str) or not _CHALLENGE.fullmatch(text):
        return None
    return base64.urlsafe_b64decode(f"{text}==")


def _key_of(challenge: bytes) -> str:
    return digest(base64.urlsafe_b64encode(challenge).rstrip(b"=").decode())
