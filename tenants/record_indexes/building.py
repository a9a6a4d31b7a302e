"""The worker's part: builds indexes and removes them, and brings what was begun to its end.

`due_at` is a lease, as with the organizations. Building and removing are both safe to repeat, and count only when the
organization was active at the same place afterwards: a rename copies the indexes that it finds.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from orgportal import database
from tenants import upkeep
from tenants.documents import ACTIVE, DELETING, Organization, now
from tenants.lifecycle import operation
from tenants.record_indexes.documents import COLLECTION, RecordIndex, index_from
from tenants.records import sort_marks
from tenants.records.covers import UNKNOWN, kind_of
from tenants.records.sorting import SortKey, projection_for
from tenants.records.values import to_relaxed
from tenants.refusals import CANNOT_INDEX_PARALLEL_ARRAYS

log = structlog.get_logger(__name__)

# Both bounds, because the embedded database scans the collection for a range with only one.
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)
BATCH = 20
AGAIN = timedelta(seconds=1)
VALUE_LENGTH = 60


class Lost(Exception):
    """Somebody else has the work now, or it is done."""


class NotSettled(Exception):
    """The organization is being renamed, or was meanwhile: look again."""


def run_due(stopping: threading.Event | None = None, *, at: datetime | None = None) -> int:
    """Advance every index whose work is due at `at` (default: now); how many. One indexed query when none is."""
    query = {"due_at": {"$gte": LONG_AGO, "$lte": at or now()}}
    rows = list(database.collection(COLLECTION).find(query).sort("due_at", 1).limit(BATCH))
    return sum(advance(index_from(row)) for row in rows if stopping is None or not stopping.is_set())


def advance(index: RecordIndex) -> bool:
    """Go on with an index that is being built or removed; whether that came to its end."""
    context = {"org_id": str(index.org_id), "index_id": str(index.id)}
    try:
        lease = _claim(index)
        try:
            with _kept_alive(index, lease) as last:
                found = _removed(index) if index.state == "removing" else _built(index)
        except NotSettled:
            _step(index, last(), {"due_at": now() + AGAIN})
            return False
        except OperationFailure as error:
            if database.is_unavailable(error):
                raise
            _step(index, last(), {"state": "failed", "reason": reason_of(error), "due_at": None})
        else:
            _settle(index, last(), found)
    except Lost:
        _sweep(index)
        return False
    except PyMongoError as error:
        # The lease passes by itself, and then somebody tries again.
        log.warning("index_not_advanced", error=type(error).__name__, **context)
        return False
    log.info("index_advanced", state=index.state, **context)
    return True


def _claim(index: RecordIndex) -> datetime:
    lease = now() + timedelta(seconds=settings.LEASE_SECONDS)
    _step(index, index.due_at, {"due_at": lease})
    return lease


def _step(index: RecordIndex, lease: datetime | None, fields: Mapping[str, Any]) -> None:
    """One transition by whoever holds the lease. Raises Lost."""
    query = {"_id": index.id, "state": index.state, "due_at": lease}
    if database.collection(COLLECTION).update_one(query, {"$set": dict(fields)}).matched_count != 1:
        raise Lost


@contextmanager
def _kept_alive(index: RecordIndex, lease: datetime) -> "Iterator[Any]":
    """Move the lease on every third of its length while the body runs; gives what tells the lease that was last had."""
    finished = threading.Event()
    had = [lease]

    def beat() -> None:
        while not finished.wait(settings.LEASE_SECONDS / 3):
            until = now() + timedelta(seconds=settings.LEASE_SECONDS)
            try:
                _step(index, had[-1], {"due_at": until})
            except Lost:
                return
            except PyMongoError as error:
                log.warning("lease_not_moved", index_id=str(index.id), error=type(error).__name__)
            else:
                had.append(until)

    thread = threading.Thread(target=beat, name=f"index-{index.id}", daemon=True)
    thread.start()

    def last() -> datetime:
        finished.set()
        thread.join()
        return had[-1]

    try:
        yield last
    finally:
        last()


def _organization_of(index: RecordIndex) -> Organization:
    organization = operation.load(index.org_id)
    if organization is None or organization.status == DELETING:
        # It goes with its organization.
        raise Lost
    if organization.status != ACTIVE:
        raise NotSettled
    return organization


def _check_unmoved(before: Organization, index: RecordIndex) -> None:
    if _organization_of(index).placement != before.placement:
        raise NotSettled


def _built(index: RecordIndex) -> dict[str, Any]:
    """Whether lists can be sorted by it, as the index's document says it."""
    organization = _organization_of(index)
    embedded = database.copies_on_rename(organization.placement.cluster)
    models = index.models(embedded=embedded)
    try:
        with database.deadline(settings.DDL_DEADLINE):
            upkeep.build_index(organization.placement, organization.id, models)
            # Only the embedded database is given an index of what holds arrays on the way to a field.
            sorts = (embedded or not any("." in path for path in index.paths)) and _survey(organization, index)
    except LookupError:
        raise NotSettled from None
    _check_unmoved(organization, index)
    return {"sorts": sorts}


def _survey(organization: Organization, index: RecordIndex) -> bool:
    """Leave marks along the order of the index's fields; whether an order by it holds every record.

    It would not hold what no record may hold, and other programs may have written.
    """
    organizations = database.collection("organizations")
    organizations.update_one({"_id": organization.id}, {"$set": {"has_sort_marks": True}})
    keys = [SortKey(path, descending=False) for path in index.paths]
    sample = sort_marks.Sample(keys)
    projection = projection_for(keys)
    for row in upkeep.scan(organization.placement, projection=projection):
        if any(kind_of(key.value(row)) >= UNKNOWN for key in keys):
            return False
        sample.look_at(row)
    sort_marks.replace(
        organization.id, keys, sample.marks(), lambda ids: upkeep.find(organization.placement, ids, projection)
    )
    return True


def _removed(index: RecordIndex) -> dict[str, Any]:
    organization = _organization_of(index)
    with database.deadline(settings.DATABASE_DEADLINE):
        upkeep.drop_index(organization.placement, index.name)
    _check_unmoved(organization, index)
    return {}


def _settle(index: RecordIndex, lease: datetime, found: Mapping[str, Any]) -> None:
    if index.state == "building":
        _step(index, lease, {"state": "ready", "reason": "", "due_at": None, **found})
        return
    query = {"_id": index.id, "state": "removing", "due_at": lease}
    if database.collection(COLLECTION).delete_one(query).deleted_count != 1:
        raise Lost
    sort_marks.forget_orders(index.org_id)


def _sweep(index: RecordIndex) -> None:
    """Remove what was built for nobody: the index was taken away while it was being built."""
    row = database.collection(COLLECTION).find_one({"_id": index.id}, {"state": 1})
    if index.state != "building" or (row is not None and row["state"] != "removing"):
        return
    organization = operation.load(index.org_id)
    if organization is not None and organization.status == ACTIVE:
        upkeep.drop_index(organization.placement, index.name)


def reason_of(error: OperationFailure) -> str:
    """Why the server did not build an index, for people."""
    details: Mapping[str, Any] = error.details or {}
    if isinstance(error, DuplicateKeyError) or error.code in {11000, 11001}:
        values = details.get("keyValue") or {}
        shown = " and ".join(f"{path.removeprefix('data.')} = {_shown(value)}" for path, value in values.items())
        if not shown:
            return "Some values are there more than once, so they cannot be kept unique."
        missing = " (a record without the field counts as null)" if None in values.values() else ""
        return f"More than one record has {shown}{missing}, so it cannot be kept unique."
    if error.code == CANNOT_INDEX_PARALLEL_ARRAYS:
        return "In some record two of the fields hold lists; at most one field of an index may."
    return f"The database refused to build it (code {error.code})."


def _shown(value: Any) -> str:
    text = f"“{value}”" if isinstance(value, str) else json.dumps(to_relaxed(value), ensure_ascii=False)
    return text if len(text) <= VALUE_LENGTH else f"{text[:VALUE_LENGTH]}…"
