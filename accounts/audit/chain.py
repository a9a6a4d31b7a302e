"""Appending to a chain, from any number of processes at once, without a gap.

The unique place (chain, seq) is the lock: whoever inserts there has it, everybody else tries the next. The
head document counts the entries, so that a removed tail is missed; it follows the insertion by
compare-and-set, and whoever finds it lagging behind a dead writer moves it on. A head that is gone or
forged is never quietly made anew: the chain goes on with an entry that says so.
"""

import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError

from accounts.audit import keys
from accounts.audit.actors import SYSTEM
from accounts.audit.entries import (
    ENTRIES,
    GENESIS,
    HEADS,
    PORTAL,
    TALLIES,
    Chain,
    Draft,
    chain_name,
    entry_id,
    placed,
)
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError

log = structlog.get_logger(__name__)

# Threads of one process line up here rather than race in the database.
_QUEUES = tuple(threading.RLock() for _ in range(64))


class Torn(Exception):
    """The head is not what the portal wrote: something was removed or changed from outside."""


def audit_unavailable() -> PortalError:
    """503: what was asked for has not happened, for it could not be written down."""
    return PortalError(
        "audit_unavailable", 503, "This cannot be recorded right now, so it was not done. Try again.", retry_after=2
    )


@contextmanager
def refusing_unwritten() -> Iterator[None]:
    """Turns what the database refuses to store into `audit_unavailable`; that it gives no answer stays its error."""
    try:
        yield
    except PyMongoError as error:
        if database.is_unavailable(error):
            raise
        log.error("audit_unavailable", error=type(error).__name__)
        raise audit_unavailable() from error


def append(chain: Chain, draft: Draft) -> Document:
    """Write the draft at the end of the chain and return the entry.

    Raises PortalError 503 `audit_unavailable`, or the driver's error when the database gives no answer.
    """
    until = time.monotonic() + settings.DATABASE_DEADLINE
    queue = _QUEUES[hash(chain_name(chain)) % len(_QUEUES)]
    if not queue.acquire(timeout=settings.DATABASE_DEADLINE):
        raise audit_unavailable()
    try:
        with refusing_unwritten():
            while time.monotonic() < until:
                entry = _try(chain, draft)
                if entry is not None:
                    # The log is a witness outside the database: `verify_audit --witness` reads these lines.
                    log.info(
                        "audit", chain=chain_name(chain), seq=entry["seq"], hash=entry["hash"], action=draft.action
                    )
                    return entry
                time.sleep(random.uniform(0, 0.01))  # noqa: S311 - spreads writers, guards nothing
    finally:
        queue.release()
    raise audit_unavailable()


def _try(chain: Chain, draft: Draft) -> Document | None:
    """One attempt; None when another writer took the place."""
    try:
        head = _head_to_extend(chain)
        _announce(chain, head)
        entry = placed(draft, chain, head["seq"] + 1, head["hash"])
        if _insert(entry):
            _advance(head, entry)
            return entry
        _help(chain, head)
    except Torn as torn:
        _go_on_torn(chain, str(torn))
    return None


def _insert(entry: Document) -> bool:
    try:
        database.collection(ENTRIES).insert_one(entry)
    except DuplicateKeyError:
        return _is_ours(entry)
    except AutoReconnect:
        # The answer was lost, not necessarily the entry: an act that is written down should go on.
        if not _is_ours(entry):
            raise
    return True


def _is_ours(entry: Document) -> bool:
    standing = database.collection(ENTRIES).find_one({"_id": entry["_id"]}, {"hash": 1})
    return standing is not None and standing.get("hash") == entry["hash"]


def head_of(chain: Chain) -> Document | None:
    """The head as it is stored, checked by nobody yet."""
    return database.collection(HEADS).find_one({"_id": chain_name(chain)})


def head_fits(head: Mapping[str, Any]) -> bool:
    """Whether the portal itself wrote this head."""
    text = _head_text(head["_id"], head.get("seq"), head.get("hash"), head.get("origin"))
    return keys.fits(text, head.get("mac"), head.get("key"))


def _head_text(name: object, seq: object, digest: object, origin: object) -> str:
    return f"head:{name}:{seq}:{digest}:{origin}"


def _head(chain: Chain, seq: int, digest: str, origin: str) -> Document:
    mac = keys.seal(_head_text(chain_name(chain), seq, digest, origin))
    return {"org_id": chain, "seq": seq, "hash": digest, "origin": origin, "key": keys.current_key(), "mac": mac}


def _head_to_extend(chain: Chain) -> Document:
    head = head_of(chain)
    if head is None:
        return _begin(chain)
    if not keys.is_known(head.get("key")):
        # A process that was not told of the key yet, rather than somebody's forgery: it must not tear the chain.
        log.error("audit_key_unknown", chain=chain_name(chain), key=str(head.get("key"))[:16])
        raise audit_unavailable()
    if not head_fits(head):
        raise Torn("forged head")
    return head


def _begin(chain: Chain) -> Document:
    """The head of a new chain, before its first entry."""
    if database.collection(ENTRIES).find_one({"_id": entry_id(chain, 1)}, {"_id": 1}) is not None:
        if (head := head_of(chain)) is not None:
            return head
        raise Torn("missing head")
    origin = GENESIS if chain is PORTAL else secrets.token_hex(32)
    head = {"_id": chain_name(chain), **_head(chain, 0, origin, origin)}
    try:
        database.collection(HEADS).insert_one(head)
    except DuplicateKeyError:
        return _head_to_extend(chain)
    return head


def _announce(chain: Chain, head: Mapping[str, Any]) -> None:
    """Tell the portal's chain where an organization's begins, so that none is ever begun anew unnoticed.

    Told twice by two first writers it is the same: the origin was settled with the head.
    """
    if chain is not PORTAL and head["seq"] == 0:
        begun = Draft("audit.begun", "done", SYSTEM, f"organization:{chain}", {"origin": head["origin"]})
        append(PORTAL, begun)


def _advance(head: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    moved = _head(entry["org_id"], entry["seq"], entry["hash"], head["origin"])
    database.collection(HEADS).update_one(
        {"_id": head["_id"], "seq": head["seq"], "hash": head["hash"]}, {"$set": moved}
    )


def _help(chain: Chain, head: Mapping[str, Any]) -> None:
    """Move the head onto the entry behind it, whose writer is slow or dead."""
    following = database.collection(ENTRIES).find_one({"_id": entry_id(chain, head["seq"] + 1)})
    if following is None or following["previous"] != head["hash"]:
        now = head_of(chain)
        if now is not None and now["seq"] == head["seq"] and following is not None:
            raise Torn("entries beyond the head that do not follow it")
        return
    _advance(head, following)


def _go_on_torn(chain: Chain, reason: str) -> None:
    """Put the head behind whatever is there, with an entry that says for good that this happened."""
    top = database.collection(ENTRIES).find_one({"org_id": chain}, sort=[("seq", -1)])
    seq, digest = (top["seq"], str(top.get("hash"))) if top else (0, GENESIS)
    told = placed(Draft("audit.torn", "failed", SYSTEM, details={"found": reason}), chain, seq + 1, digest)
    log.error("audit_torn", chain=chain_name(chain), found=reason, seq=seq + 1)
    if _insert(told):
        head = _head(chain, told["seq"], told["hash"], GENESIS)
        database.collection(HEADS).replace_one({"_id": chain_name(chain)}, head, upsert=True)


def forget(org_id: ObjectId) -> None:
    """Remove an organization's chain with the organization; safe to repeat. The portal's chain keeps that it ended."""
    head = head_of(org_id)
    if head is not None:
        _tell_end(org_id, head)
        database.collection(HEADS).delete_one({"_id": chain_name(org_id)})
    database.collection(ENTRIES).delete_many({"org_id": org_id})
    database.collection(TALLIES).update_many({"org_ids": org_id}, {"$pull": {"org_ids": org_id}})


def _tell_end(org_id: ObjectId, head: Mapping[str, Any]) -> None:
    ended = Draft(
        "audit.ended",
        "done",
        SYSTEM,
        f"organization:{org_id}",
        {"entries": head.get("seq"), "last_hash": head.get("hash")},
    )
    try:
        append(PORTAL, ended)
    except PortalError:
        # Of a chain without entries nothing is lost, and what cannot be written must not hold a name.
        if head.get("seq") != 0:
            raise
