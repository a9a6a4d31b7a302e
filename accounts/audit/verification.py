"""Whether the chains are what the portal wrote: every entry, its place, its hash, its seal, and the heads.

What cannot be seen from inside is a database that was put back as a whole to an earlier, true state. For that
there are witnesses outside: the log lines `audit`, and earlier exports.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from accounts.audit import keys
from accounts.audit.chain import head_fits, head_of
from accounts.audit.entries import ENTRIES, GENESIS, HEADS, PORTAL, Chain, chain_name, entry_id, hash_of
from orgportal import database
from orgportal.database import Document

WINDOW = 500


@dataclass(frozen=True)
class Break:
    """The first place where a chain is not what the portal wrote. `seq` 0: the head, or the chain as a whole."""

    seq: int
    problem: str


@dataclass
class Report:
    """What was found of a chain."""

    chain: str
    entries: int = 0
    broken: Break | None = None


class Beginnings:
    """What the portal's chain says of where the chains of organizations begin."""

    def __init__(self) -> None:
        self.origins: dict[str, set[str]] = {}

    def learn(self, entry: Mapping[str, Any]) -> None:
        """Take an entry of the portal's chain into account."""
        name = str(entry["target"]).removeprefix("organization:")
        if entry["action"] == "audit.ended":
            self.origins.pop(name, None)
        elif entry["action"] == "audit.begun":
            self.origins.setdefault(name, set()).add(entry["details"]["origin"])


def verify(*, only: str | None = None, witnesses: Iterable[tuple[str, int, str]] = ()) -> Iterator[Report]:
    """A report for each chain, the portal's first; with `only` (an organization's id), for that one and the portal's.

    `witnesses` are (chain, seq, hash) as logs or exports tell them.
    """
    beginnings = Beginnings()
    told: dict[str, dict[int, str]] = {}
    for name, seq, digest in witnesses:
        told.setdefault(name, {})[seq] = digest
    yield _verified(PORTAL, beginnings, told.get("portal", {}))
    names = {only} if only else {*beginnings.origins, *_standing()}
    for name in sorted(names):
        yield _verified(ObjectId(name), beginnings, told.get(name, {}))


def _standing() -> set[str]:
    """The organizations that have entries or a head."""
    heads = {row["_id"] for row in database.collection(HEADS).find({}, {"_id": 1})}
    ids: list[object] = database.collection(ENTRIES).distinct("org_id")
    return (heads | {str(one) for one in ids if isinstance(one, ObjectId)}) - {"portal"}


def _verified(chain: Chain, beginnings: Beginnings, told: Mapping[int, str]) -> Report:
    report = Report(chain_name(chain))
    head = head_of(chain)
    report.broken = _walk(chain, head, report, beginnings, told)
    report.broken = report.broken or _behind(chain, head, report, beginnings, told)
    return report


def _walk(
    chain: Chain, head: Document | None, report: Report, beginnings: Beginnings, told: Mapping[int, str]
) -> Break | None:
    previous = str(head["origin"]) if head and head.get("origin") else GENESIS
    for seq, entry in _places(chain, int(head["seq"]) if head and isinstance(head.get("seq"), int) else 0):
        if entry is None:
            return Break(seq, "is missing")
        wrong = _wrong_with(entry, previous) or (
            "is another one than the witness saw" if told.get(seq, entry["hash"]) != entry["hash"] else None
        )
        if wrong:
            return Break(seq, wrong)
        if entry["action"] == "audit.torn":
            return Break(seq, f"tells that the chain was damaged before it: {entry['details'].get('found')}")
        if chain is PORTAL:
            beginnings.learn(entry)
        previous = entry["hash"]
        report.entries = seq
        if head and seq == head["seq"] and entry["hash"] != head["hash"]:
            return Break(seq, "is not the one that the head names")
    return None


def _places(chain: Chain, last: int) -> Iterator[tuple[int, Document | None]]:
    """Every place up to `last` with its entry or None, and the entries right behind, whose head lags."""
    first = 1
    while True:
        ids = {entry_id(chain, seq): seq for seq in range(first, first + WINDOW)}
        found = {ids[row["_id"]]: row for row in database.collection(ENTRIES).find({"_id": {"$in": list(ids)}})}
        for seq in range(first, first + WINDOW):
            if seq not in found and seq > last:
                return
            yield seq, found.get(seq)
        first += WINDOW


def _wrong_with(entry: Document, previous: str) -> str | None:
    try:
        digest = hash_of(entry)
    except ValueError as error:
        return f"is no entry: {error}"
    if not isinstance(entry.get("hash"), str) or entry["hash"] != digest:
        return "was changed: its hash does not fit what it says"
    if entry["previous"] != previous:
        return "does not follow the entry before it"
    if not keys.is_known(entry.get("key")):
        return f"is sealed with the key {entry.get('key')}, which is not in AUDIT_KEY or AUDIT_KEY_FALLBACKS"
    if not keys.fits(f"entry:{digest}", entry.get("mac"), entry["key"]):
        return "was not written by the portal: its seal does not fit"
    return None


def _behind(
    chain: Chain, head: Document | None, report: Report, beginnings: Beginnings, told: Mapping[int, str]
) -> Break | None:
    """What is wrong with the chain as a whole, once every entry in it is as it was written."""
    if head is None:
        expected = report.entries or beginnings.origins.get(chain_name(chain))
        return Break(0, "its head is missing, and with it the count of its entries") if expected else None
    if not head_fits(head) or head["org_id"] != chain:
        return Break(0, "its head was not written by the portal")
    standing = database.collection(ENTRIES).count_documents({"org_id": chain})
    if standing > report.entries and _stray(chain, report.entries):
        return Break(report.entries + 1, "stands beyond the end of the chain, or beside it")
    origins = beginnings.origins.get(chain_name(chain), set())
    if chain is not PORTAL and report.entries and origins != {head["origin"]}:
        return Break(1, "does not begin where the portal's chain says: what was before it is gone")
    lost = [seq for seq in told if seq > report.entries]
    return Break(min(lost), "is missing, and a witness saw it") if lost else None


def _stray(chain: Chain, entries: int) -> bool:
    """Whether some entry of the organization is at none of its places; one being written now is at the next."""
    for row in database.collection(ENTRIES).find({"org_id": chain}, {"seq": 1}):
        seq = row.get("seq")
        if not isinstance(seq, int) or row["_id"] != entry_id(chain, seq):
            return True
        if seq > entries and not _follows(chain, entries, seq):
            return True
    return False


def _follows(chain: Chain, entries: int, seq: int) -> bool:
    if seq - entries > WINDOW:
        return False
    ids = [entry_id(chain, between) for between in range(entries + 1, seq + 1)]
    return database.collection(ENTRIES).count_documents({"_id": {"$in": ids}}) == len(ids)
