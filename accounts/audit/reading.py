"""Reading a chain: newest first, filtered, page by page, at a cost that does not grow with its length.

Places are numbered without a gap, so that a page is asked for by the ids of its places: flat everywhere, also
on the embedded database. A filter that matches little ends after so many entries with the place to go on from.
"""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.audit.actions import PHRASES
from accounts.audit.chain import head_of
from accounts.audit.entries import ENTRIES, RESULTS, Chain, chain_name, entry_id, exported
from orgportal import database
from orgportal.database import Document
from orgportal.errors import invalid

WINDOW = 250
LOOKED_AT = 2000
LONGEST_FILTER = 300
# Processes do not agree on the time to the second, and refusals are written a minute late.
SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class Filter:
    """What to look for; empty looks for everything. `actor` is a name or id, `target` how a target begins."""

    action: str = ""
    actor: str = ""
    target: str = ""
    result: str = ""
    since: datetime | None = None
    before: datetime | None = None

    def query(self) -> Document:
        """The conditions for MongoDB. Raises PortalError 422 for what cannot be looked for."""
        wanted: Document = {}
        if self.action:
            wanted["action"] = _one_of("action", self.action, PHRASES)
        if self.result:
            wanted["result"] = _one_of("result", self.result, RESULTS)
        if self.actor:
            actor = _text("actor", self.actor)
            wanted["$or"] = [{"actor.name": actor}, {"actor.id": actor}, {"actor.kind": actor}]
        if self.target:
            wanted["target"] = {"$regex": "^" + re.escape(_text("target", self.target))}
        if self.since or self.before:
            since, before = {"$gte": self.since}, {"$lt": self.before}
            wanted["at"] = (since if self.since else {}) | (before if self.before else {})
        return wanted


@dataclass(frozen=True)
class Page:
    """Entries, newest first; `before` is the place to go on from, None at the beginning of the chain.

    `searched_until` is the time of the oldest entry that was looked at.
    """

    entries: list[Document]
    before: int | None
    searched_until: datetime | None


def page(chain: Chain, *, wanted: Filter, limit: int, before: int | None = None) -> Page:
    """The newest `limit` matching entries in front of place `before` (None: from the end)."""
    query = wanted.query()
    last = _last(chain)
    top = last if before is None else min(last, before - 1)
    if wanted.before:
        top = min(top, _first_since(chain, wanted.before + SKEW, last) - 1)
    lowest = _first_since(chain, wanted.since - SKEW, last) if wanted.since else 1
    bottom = max(lowest, top - LOOKED_AT + 1)
    found: list[Document] = []
    while top >= bottom and len(found) < limit:
        size = WINDOW if query else limit - len(found)
        ids = [entry_id(chain, seq) for seq in range(max(bottom, top - size + 1), top + 1)]
        rows = {row["_id"]: row for row in database.collection(ENTRIES).find({"_id": {"$in": ids}, **query})}
        for identity in reversed(ids):
            top -= 1
            if identity in rows:
                found.append(rows[identity])
                if len(found) == limit:
                    break
    goes_on = top >= lowest
    return Page(found, top + 1 if goes_on else None, _time_of(chain, top + 1) if goes_on else None)


def lines(chain: Chain, *, name: str) -> Iterator[dict[str, Any]]:
    """The whole chain as it is exported: a first line that says what it is, every entry, a last line that counts.

    In constant memory; entries that are added meanwhile are left out. A damaged entry is exported as it is, for
    the offline check to find.
    """
    head = head_of(chain)
    last, origin = _last(chain), head["origin"] if head else ""
    yield {"audit_export": 1, "chain": chain_name(chain), "organization": name, "origin": origin}
    digest = origin
    for first in range(1, last + 1, WINDOW):
        ids = [entry_id(chain, seq) for seq in range(first, min(first + WINDOW, last + 1))]
        rows = {row["_id"]: row for row in database.collection(ENTRIES).find({"_id": {"$in": ids}})}
        for row in (rows[one] for one in ids if one in rows):
            yield exported(row)
            digest = row["hash"]
    yield {"entries": last, "last_hash": digest}


def _last(chain: Chain) -> int:
    """How many entries the head counts; a head that was tampered with is for the verification to find."""
    head = head_of(chain)
    return head["seq"] if head and isinstance(head.get("seq"), int) else 0


def _first_since(chain: Chain, moment: datetime, last: int) -> int:
    """The first place whose time is not before the moment, by halving: times grow along a chain, but for a little."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        at = _time_of(chain, middle)
        if at is not None and at < moment:
            low = middle + 1
        else:
            high = middle
    return low


def _time_of(chain: Chain, seq: int) -> datetime | None:
    row = database.collection(ENTRIES).find_one({"_id": entry_id(chain, seq)}, {"at": 1})
    at = row.get("at") if row else None
    return at if isinstance(at, datetime) else None


def _one_of(path: str, value: str, known: Container[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise invalid(path, "There is none such.")
    return value


def _text(path: str, value: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_FILTER or "\0" in value:
        raise invalid(path, f"Use text of at most {LONGEST_FILTER} characters.")
    return value
