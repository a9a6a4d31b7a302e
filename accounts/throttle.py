"""Throttles: how often something may be tried in a period, counted in the master database for all processes.

A bucket is one document that holds the moments of its latest attempts, as many as the limit allows. An attempt
is let in while there is room, or when the oldest of them has left the period: one update decides and counts, so
that no number of parallel attempts passes the limit, in any period of that length. What cannot be counted is not
let in. Limits of 0 mean no limit.
"""

import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.crypto import salted_hmac
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from accounts.tokens import now
from orgportal import circumstances, database
from orgportal.errors import PortalError
from orgportal.network import network_of

THROTTLES = "throttles"
INDEXES: dict[str, list[IndexModel]] = {
    THROTTLES: [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)],
}
HOUR = 3600.0


@dataclass(frozen=True)
class Bucket:
    """What is counted together: at most `limit` attempts in any `seconds`. `id` tells nobody what it is about."""

    id: str
    limit: int
    seconds: float


@dataclass(frozen=True)
class Taken:
    """One counted attempt, to be given back when it was none: a right password is no guess."""

    bucket: Bucket
    mark: str


def bucket(kind: str, *about: str, limit: int, seconds: float) -> Bucket:
    """The bucket of that kind for these texts, which are kept as a keyed digest only."""
    digest = salted_hmac(f"orgportal.throttle.{kind}", "\0".join(about), algorithm="sha256")
    return Bucket(digest.hexdigest(), limit, seconds)


def take(wanted: Bucket) -> Taken:
    """Count one attempt. Raises PortalError 429 `too_many_attempts` with `Retry-After` when there is no room."""
    taken = Taken(wanted, secrets.token_hex(8))
    if wanted.limit and not _counted(taken):
        raise too_many_attempts(_seconds_until_room(wanted))
    return taken


def take_all(wanted: tuple[Bucket, ...]) -> tuple[Taken, ...]:
    """Count one attempt in each bucket, or in none. Raises as `take` does, for the first without room."""
    done: list[Taken] = []
    try:
        for one in wanted:
            done.append(take(one))
    except PortalError:
        give_back(tuple(done))
        raise
    return tuple(done)


def give_back(taken: tuple[Taken, ...]) -> None:
    """Uncount these attempts, and no others."""
    for one in taken:
        if one.bucket.limit:
            database.collection(THROTTLES).update_one({"_id": one.bucket.id}, {"$pull": {"at": {"by": one.mark}}})


def empty(*buckets: Bucket) -> None:
    """Forget every attempt in these buckets."""
    database.collection(THROTTLES).delete_many({"_id": {"$in": [one.id for one in buckets]}})


def count_sign_up() -> None:
    """Count a sign-up of the caller's network. Raises PortalError 429 over SIGNUPS_PER_ADDRESS in an hour.

    The operator, who comes from no network, is not counted.
    """
    if circumstances.current().address:
        take(bucket("sign_up", _network(), limit=settings.SIGNUPS_PER_ADDRESS, seconds=HOUR))


def count_mail_request(*, email: str) -> None:
    """Count that a mail to this address was asked for by somebody who is not logged in (reset, verification).

    By the address as typed, known or not, and by the caller's network. Raises PortalError 429 over
    MAILS_PER_RECIPIENT or MAIL_REQUESTS_PER_ADDRESS in an hour.
    """
    take_all(
        (
            bucket("mail", email, limit=settings.MAILS_PER_RECIPIENT, seconds=HOUR),
            bucket("mail_request", _network(), limit=settings.MAIL_REQUESTS_PER_ADDRESS, seconds=HOUR),
        )
    )


def count_invitation(*, org_id: object, email: str) -> None:
    """Count an invitation mail. Raises PortalError 429 over INVITATIONS_PER_ORGANIZATION, or MAILS_PER_RECIPIENT
    from that organization to that address, in an hour.
    """
    take_all(
        (
            bucket("invited", str(org_id), email, limit=settings.MAILS_PER_RECIPIENT, seconds=HOUR),
            bucket("invitations", str(org_id), limit=settings.INVITATIONS_PER_ORGANIZATION, seconds=HOUR),
        )
    )


def too_many_attempts(seconds: int) -> PortalError:
    """429 with the seconds until there is room again."""
    count, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    wait = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return PortalError("too_many_attempts", 429, f"Too many attempts. Try again in {wait}.", retry_after=seconds)


def _network() -> str:
    return network_of(circumstances.current().address)


def _counted(taken: Taken) -> bool:
    """Whether there was room. Two conditions in turn, for `$or` makes the embedded database read every bucket."""
    moment, wanted = now(), taken.bucket
    has_room = {"_id": wanted.id, f"at.{wanted.limit - 1}": {"$exists": False}}
    oldest_has_left = {"_id": wanted.id, "at.0.t": {"$lte": moment - timedelta(seconds=wanted.seconds)}}
    change = {
        "$push": {"at": {"$each": [{"t": moment, "by": taken.mark}], "$slice": -wanted.limit}},
        "$set": {"expires_at": moment + timedelta(seconds=wanted.seconds)},
    }
    throttles = database.collection(THROTTLES)
    try:
        throttles.update_one(has_room, change, upsert=True)
    except DuplicateKeyError:
        # The document exists: it is full, or another attempt made it at this moment.
        return any(throttles.update_one(room, change).matched_count == 1 for room in (has_room, oldest_has_left))
    return True


def _seconds_until_room(full: Bucket) -> int:
    row = database.collection(THROTTLES).find_one({"_id": full.id})
    if row is None or not row["at"]:
        return 1
    freed: datetime = row["at"][0]["t"] + timedelta(seconds=full.seconds)
    return max(1, math.ceil((freed - now()).total_seconds()))
