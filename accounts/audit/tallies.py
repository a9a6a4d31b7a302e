"""Refusals, counted where they happen and written into the chains once a minute has passed.

One upsert per refusal, the same for a known and an unknown address, so that no answer's time tells them
apart. What nobody known did is counted by where it came from, in at most 64 tallies a minute and action:
a flood of invented addresses cannot make a chain grow without bounds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.audit.actors import Actor
from accounts.audit.chain import append
from accounts.audit.entries import PORTAL, TALLIES, Chain, Draft, chain_name, instant
from orgportal import database
from orgportal.database import Document

WINDOW = timedelta(seconds=60)
BUCKETS = 64
BATCH = 200


def count(chains: Sequence[Chain], draft: Draft) -> None:
    """Count one more of these. The first tells what it was, the latest where it came from last."""
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
    """Write what was counted and is over (until: due by then) into the chains; how many tallies that were.

    Several workers may do it at once: a tally is taken by deleting it after its entries are written, and one
    that is taken twice, or by a worker that dies in between, is written once per chain all the same.
    """
    moment = until or instant()
    # A small collection: it holds one minute.
    due = [row for row in database.collection(TALLIES).find({}).limit(BATCH) if row["due_at"] <= moment]
    for row in due:
        for chain in row["org_ids"]:
            if _take(row["_id"], chain):
                append(chain, _draft(row))
        database.collection(TALLIES).delete_one({"_id": row["_id"]})
    return len(due)


def _take(tally: str, chain: Chain) -> bool:
    outcome = database.collection(TALLIES).update_one(
        {"_id": tally, "written": {"$ne": chain_name(chain)}}, {"$push": {"written": chain_name(chain)}}
    )
    return outcome.modified_count == 1


def _draft(row: Mapping[str, Any]) -> Draft:
    details: Document = json.loads(row["details"])
    if row["times"] > 1:
        details |= {"times": row["times"], "first_at": row["first_at"].isoformat(timespec="milliseconds")}
    return Draft(
        row["action"],
        row["result"],
        Actor(**row["actor"]),
        row["target"],
        details,
        at=row["last_at"],
        address=row["address"],
        agent=row["agent"],
        request_id=row["request_id"],
    )
