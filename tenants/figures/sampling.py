"""The worker's part: once a day, note how much data each organization has.

A round goes over the organizations by id, a few at a time, and keeps in its document how far it has come. Its `until`
is a lease; killed anywhere, the next worker goes on from there, and a day's first sample stays.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import DuplicateKeyError, OperationFailure

from orgportal import database
from tenants import manager
from tenants.documents import ACTIVE, DELETING, Organization, now, organization_from
from tenants.figures.documents import COLLECTION, KEPT, ROUNDS, day_of
from tenants.lifecycle import operation

log = structlog.get_logger(__name__)

BATCH = 25
FIRST = ObjectId("0" * 24)
LAST = ObjectId("f" * 24)
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)
ROUND_KEPT = timedelta(days=7)


def run_due(stopping: threading.Event | None = None, *, at: datetime | None = None) -> int:
    """Sample the next few organizations of the day of `at` (default: today); how many. One look when all are done."""
    moment = at or now()
    held = _claim(moment)
    if held is None:
        return 0
    # Both bounds, because the embedded database scans the collection for a range with only one.
    query = {"_id": {"$gt": held["after"], "$lt": LAST}}
    rows = list(database.collection("organizations").find(query).sort("_id", 1).limit(BATCH))
    reached, sampled = held["after"], 0
    for row in rows:
        if stopping is not None and stopping.is_set():
            break
        sampled += _sample(organization_from(row), moment)
        reached = row["_id"]
    finished = len(rows) < BATCH and reached == (rows[-1]["_id"] if rows else reached)
    update = {"$set": {"after": reached, "until": LONG_AGO, "done": finished}}
    database.collection(ROUNDS).update_one({"_id": held["_id"], "until": held["until"]}, update)
    return sampled


def _claim(moment: datetime) -> Mapping[str, Any] | None:
    """The round of that day, ours for the length of a lease; None when it is done or somebody else is at it."""
    rounds, day = database.collection(ROUNDS), day_of(moment)
    name = f"{day:%Y-%m-%d}"
    row = rounds.find_one({"_id": name})
    if row is None:
        row = {"_id": name, "after": FIRST, "until": LONG_AGO, "done": False, "expires_at": day + ROUND_KEPT}
        try:
            rounds.insert_one(row)
        except DuplicateKeyError:
            return None
    if row["done"] or row["until"] > moment:
        return None
    until = moment + timedelta(seconds=settings.LEASE_SECONDS * 4)
    if rounds.update_one({"_id": name, "until": row["until"]}, {"$set": {"until": until}}).matched_count != 1:
        return None
    return {**row, "until": until}


def _sample(organization: Organization, moment: datetime) -> bool:
    if organization.status != ACTIVE:
        return False
    try:
        with database.deadline(settings.DDL_DEADLINE):
            records, size = manager.measure(organization.placement)
    except OperationFailure as error:
        if database.is_unavailable(error):
            raise
        log.warning("not_sampled", org_id=str(organization.id), code=error.code)
        return False
    key = {"org_id": organization.id, "day": day_of(moment)}
    values = {"at": moment, "records": records, "bytes": size, "expires_at": day_of(moment) + KEPT}
    database.collection(COLLECTION).update_one(key, {"$setOnInsert": values}, upsert=True)
    # Nothing may stay of an organization that was deleted meanwhile.
    current = operation.load(organization.id)
    if current is None or current.status == DELETING:
        database.collection(COLLECTION).delete_many({"org_id": organization.id})
    return True
