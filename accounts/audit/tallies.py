"""Refusals, counted where they happen and written into the chains once a minute has passed.

One upsert per refusal, the same for a known and an unknown address, so that no answer's time tells them
apart. What nobody known did is counted by where it came from, in at most 64 tallies a minute and action:
a flood of invented addresses cannot make a chain grow without bounds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.audit.actors import Actor
from accounts.audit.chain import append, head_of, refusing_unwritten
from accounts.audit.entries import ENTRIES, PORTAL, TALLIES, Chain, Draft, chain_name, entry_id, instant
from orgportal import database
from orgportal.database import Document

WINDOW = timedelta(seconds=60)
BUCKETS = 64
BATCH = 200
LOOKED_BACK = 2000


def count(chains: Sequence[Chain], draft: Draft) -> None:
    """Count one more of these. The first tells what it was, the latest where it came from last.

    Raises as `append`.
    """
    window = _window(draft.at)
    latest = {"address": draft.address, "agent": draft.agent, "request_id": draft.request_id, "last_at": draft.at}
    first = {
        "org_ids": list(chains),
        "action": draft.action,
        "result": draft.result,
        "actor": draft.actor.as_document(),
        "target": draft.target,
        "details": json.dumps(dict(draft.details)),
        "first_at": draft.at,
        "due_at": window + WINDOW,
    }
    with refusing_unwritten():
        database.collection(TALLIES).update_one(
            {"_id": f"{int(window.timestamp())}:{_kind(chains, draft)}"},
            {"$setOnInsert": first, "$set": latest, "$inc": {"times": 1}},
            upsert=True,
        )


def _window(moment: datetime) -> datetime:
    return moment - timedelta(seconds=moment.timestamp() % WINDOW.total_seconds())


def _kind(chains: Sequence[Chain], draft: Draft) -> str:
    if draft.actor.kind == "anonymous" and list(chains) == [PORTAL]:
        where = int.from_bytes(hashlib.sha256(draft.address.encode()).digest()[:4], "big") % BUCKETS
        return f"{draft.action}:{draft.result}:from:{where}"
    who = draft.actor.id or draft.actor.name
    same = [*map(chain_name, chains), draft.actor.kind, who, draft.target, json.dumps(dict(draft.details))]
    digest = hashlib.sha256("\0".join(same).encode("utf-8", "backslashreplace")).hexdigest()
    return f"{draft.action}:{draft.result}:{digest[:32]}"


def settle(*, until: datetime | None = None) -> int:
    """Write what was counted, once its time is over, into the chains; how many tallies that were.

    Several workers may do it at once, and each may be killed anywhere: every tally is written once per chain.
    """
    moment = until or instant()
    settled = 0
    # A small collection: it holds what happened within a minute.
    for row in database.collection(TALLIES).find({}, batch_size=BATCH):
        if row["due_at"] <= moment and _lease(row):
            _write(row)
            settled += 1
    return settled


def _lease(row: Mapping[str, Any]) -> bool:
    until = instant() + timedelta(seconds=settings.LEASE_SECONDS)
    if row.get("leased_until") and row["leased_until"] > instant():
        return False
    as_read = {"_id": row["_id"], "leased_until": row.get("leased_until")}
    return database.collection(TALLIES).update_one(as_read, {"$set": {"leased_until": until}}).modified_count == 1


def _write(row: Mapping[str, Any]) -> None:
    for chain in row["org_ids"]:
        draft = _draft(row, chain)
        # Leased before: whoever had it may have died behind the entry.
        if "leased_until" not in row or not _is_written(chain, draft.id):
            append(chain, draft)
    database.collection(TALLIES).delete_one({"_id": row["_id"]})


def _is_written(chain: Chain, identity: str) -> bool:
    head = head_of(chain)
    last = int(head["seq"]) + 1 if head else 0
    ids = [entry_id(chain, seq) for seq in range(max(1, last - LOOKED_BACK), last + 1)]
    rows = database.collection(ENTRIES).find({"_id": {"$in": ids}}, {"id": 1})
    return any(entry["id"] == identity for entry in rows)


def _draft(row: Mapping[str, Any], chain: Chain) -> Draft:
    details: Document = json.loads(row["details"])
    actor = Actor(**row["actor"])
    if row["times"] > 1:
        if ":from:" in row["_id"]:
            # Counted by where they came from: they need not have typed the same.
            actor = replace(actor, name="")
        details |= {"times": row["times"], "first_at": row["first_at"].isoformat(timespec="milliseconds")}
    return Draft(
        row["action"],
        row["result"],
        actor,
        row["target"],
        details,
        id=hashlib.sha256(f"{row['_id']}:{chain_name(chain)}".encode()).hexdigest()[:32],
        at=row["last_at"],
        address=row["address"],
        agent=row["agent"],
        request_id=row["request_id"],
    )
