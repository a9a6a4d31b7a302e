"""The queue of mail in the master database.

An entry says what is to be told to whom; its text is written when it is sent. So no secret of a link ever
lies in the queue, a request spends one insert on a mail, and what has become pointless meanwhile is dropped.

`due_at` is when the worker may take an entry, and while one sends it, the end of that one's lease; entries that
need nothing any more have none. Every transition is a compare-and-set on `holder`.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo import ASCENDING, IndexModel
from pymongo.errors import PyMongoError

from accounts.mail.letters import Entry, Letter, entry_from, mail_domain
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

MAIL = "mail"
INDEXES: dict[str, list[IndexModel]] = {
    MAIL: [
        IndexModel([("due_at", ASCENDING)], name="due_at"),
        IndexModel([("org_id", ASCENDING)], name="org_id"),
        IndexModel([("status", ASCENDING), ("created_at", ASCENDING)], name="status_created_at"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ]
}

WAITING, SENDING, SENT, FAILED, DROPPED = "waiting", "sending", "sent", "failed", "dropped"
STATUSES = (WAITING, SENDING, SENT, FAILED, DROPPED)
# How long a mail waits for the act that it tells of to be reported as done: longer than any request's work.
HOLD = timedelta(seconds=30)
# How long the portal remembers whom it wrote; after that the entry is removed.
KEPT = timedelta(days=14)
LONGEST_PAUSE = timedelta(hours=4)
MAX_PROBLEM = 300
# Both bounds, because the embedded database scans the collection for a range with only one.
LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)

_random = secrets.SystemRandom()
log = structlog.get_logger(__name__)


def add(letters: Iterable[Letter]) -> list[ObjectId]:
    """Queue letters to be sent at once; their ids."""
    return _insert(letters, due_at=now())


@contextmanager
def held(letters: Iterable[Letter]) -> Iterator[None]:
    """Queue letters before the act in the body, and let them go once it is done.

    A refusal (PortalError) takes them back. Whatever else ends the body, the process's death included, leaves
    the outcome unknown: then they go after HOLD, for better one notice too many than an act that nobody was told of.
    """
    ids = _insert(letters, due_at=now() + HOLD)
    try:
        yield
    except PortalError:
        if ids:
            database.collection(MAIL).delete_many({"_id": {"$in": ids}, "status": WAITING})
        raise
    release(ids)


def release(ids: list[ObjectId]) -> None:
    """Let held letters go now. Failing at it costs nothing but the time until they go by themselves."""
    if not ids:
        return
    try:
        database.collection(MAIL).update_many({"_id": {"$in": ids}, "status": WAITING}, {"$set": {"due_at": now()}})
    except PyMongoError as error:
        log.warning("mail_not_released", error=type(error).__name__)


def _insert(letters: Iterable[Letter], *, due_at: datetime) -> list[ObjectId]:
    rows = [_row(letter, due_at) for letter in letters]
    if rows:
        database.collection(MAIL).insert_many(rows)
    return [row["_id"] for row in rows]


def _row(letter: Letter, due_at: datetime) -> Document:
    moment = now()
    give_up_at = moment + timedelta(seconds=settings.MAIL_GIVE_UP_SECONDS)
    if letter.until is not None:
        give_up_at = min(give_up_at, letter.until)
    entry_id = ObjectId()
    return {
        "_id": entry_id,
        "kind": letter.kind,
        "to": letter.to,
        "context": dict(letter.context),
        "account_id": letter.account_id,
        "org_id": letter.org_id,
        "until": letter.until,
        # Chosen once: a mail that has to be sent again is recognised as the same one.
        "message_id": f"<{entry_id}.{secrets.token_hex(6)}@{mail_domain()}>",
        "status": WAITING,
        "attempts": 0,
        "holder": "",
        "problem": "",
        "due_at": due_at,
        "give_up_at": give_up_at,
        "created_at": moment,
        "expires_at": max(give_up_at, due_at) + KEPT,
    }


def claim(*, lease: timedelta) -> Entry | None:
    """Take the next letter that is due, for as long as the lease lasts; None when there is none.

    Of several workers one gets it. A letter whose sender's lease has passed is taken over: nobody can know
    whether the mail server had it already.
    """
    mail = database.collection(MAIL)
    while rows := list(mail.find({"due_at": {"$gte": LONG_AGO, "$lte": now()}}).sort("due_at", 1).limit(20)):
        _random.shuffle(rows)
        for row in rows:
            holder = secrets.token_hex(8)
            outcome = mail.update_one(
                {"_id": row["_id"], "holder": row["holder"], "due_at": row["due_at"]},
                {"$set": {"status": SENDING, "holder": holder, "due_at": now() + lease}, "$inc": {"attempts": 1}},
            )
            if outcome.matched_count == 1:
                if row["status"] == SENDING:
                    log.warning("mail_taken_over", mail=str(row["_id"]), kind=row["kind"])
                return entry_from({**row, "status": SENDING, "holder": holder, "attempts": row["attempts"] + 1})
    return None


def something_is_due() -> bool:
    """Whether there is a letter to take at this moment: one indexed query."""
    query = {"due_at": {"$gte": LONG_AGO, "$lte": now()}}
    return database.collection(MAIL).find_one(query, {"_id": 1}) is not None


def give_up_overdue() -> None:
    """Settle waiting letters whose time is over, also while no mail server is there to refuse them."""
    query = {"due_at": {"$gte": LONG_AGO, "$lte": now()}, "status": WAITING, "give_up_at": {"$lte": now()}}
    change = {"$set": {"status": FAILED, "problem": "It could not be delivered in time."}, "$unset": {"due_at": ""}}
    given_up = database.collection(MAIL).update_many(query, change).modified_count
    if given_up:
        log.error("mails_given_up", count=given_up)


def keep_claim(entry: Entry, *, lease: timedelta) -> None:
    """Move the end of the lease on."""
    _step(entry, {"due_at": now() + lease})


def mark_sent(entry: Entry) -> bool:
    """Note that the mail server has taken it; what it said is forgotten. False: somebody else had taken it over."""
    return _settle(entry, SENT, {"sent_at": now(), "problem": ""})


def drop(entry: Entry, why: str) -> bool:
    """Settle a letter that has become pointless."""
    return _settle(entry, DROPPED, {"problem": why})


def fail(entry: Entry, problem: str) -> bool:
    """Give a letter up; it stays visible to the operator until it is removed with age."""
    log.error("mail_failed", mail=str(entry.id), kind=entry.letter.kind, attempts=entry.attempts, problem=problem)
    return _settle(entry, FAILED, {"problem": problem[:MAX_PROBLEM]})


def try_later(entry: Entry, problem: str) -> bool:
    """Put a letter back, due after a pause that doubles with each attempt; given up when its time is over."""
    due_at = now() + pause_after(entry.attempts)
    if due_at >= entry.give_up_at:
        return fail(entry, problem)
    log.warning("mail_delayed", mail=str(entry.id), kind=entry.letter.kind, attempts=entry.attempts, problem=problem)
    return _step(entry, {"status": WAITING, "holder": "", "due_at": due_at, "problem": problem[:MAX_PROBLEM]})


def forget_organization(org_id: ObjectId) -> None:
    """Remove every mail about the organization's own affairs; safe to repeat."""
    database.collection(MAIL).delete_many({"org_id": org_id})


def pause_after(attempts: int) -> timedelta:
    """MAIL_RETRY_SECONDS, doubled for each further attempt, at most four hours; a quarter more or less at random."""
    seconds = min(settings.MAIL_RETRY_SECONDS * 2 ** min(attempts - 1, 30), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * _random.uniform(0.75, 1.25))


def _settle(entry: Entry, status: str, fields: Mapping[str, Any]) -> bool:
    # A failed one keeps what it takes to try it again.
    emptied: Document = {} if status == FAILED else {"context": {}}
    # Nobody holds it any more: a lease that is being moved on at this moment must not make it due again.
    return _step(entry, {"status": status, "holder": "", **emptied, **fields}, done=True)


def _step(entry: Entry, fields: Mapping[str, Any], *, done: bool = False) -> bool:
    change: Document = {"$set": dict(fields)}
    if done:
        change["$unset"] = {"due_at": ""}
    return database.collection(MAIL).update_one({"_id": entry.id, "holder": entry.holder}, change).matched_count == 1
