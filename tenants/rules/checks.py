"""The worker's part: holds all records of an organization against a schema, and brings what was begun to its end.

`due_at` in a schema's document is a lease, as with the organizations: whoever moves it on has the work. Killed
anywhere, the next one begins the reading anew, and repeats the steps after it.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.database import Document
from orgportal.errors import InputError
from tenants import upkeep
from tenants.documents import ACTIVE, now
from tenants.lifecycle import operation
from tenants.rules import compiled, documents, switching
from tenants.rules.documents import COLLECTION, KeptSchema, Report, WrongRecord

log = structlog.get_logger(__name__)

# Both bounds, because the embedded database scans the collection for a range with only one.
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)
BATCH = 20
REPORTED = 100
BEAT_SECONDS = 1.0
AGAIN_SECONDS = 1.0


class Lost(Exception):
    """Somebody else has the work now, or nobody wants it any more."""


class Lease:
    """The right to work on one schema's check, moved on while at it."""

    def __init__(self, kept: KeptSchema) -> None:
        self._id = kept.id
        self._until = kept.due_at
        self.keep({})

    def keep(self, fields: Document, *, due_at: datetime | None = None, finished: bool = False) -> None:
        """Store fields, and move the lease on (or to `due_at`, or with `finished` away). Raises Lost."""
        lease = now() + timedelta(seconds=settings.LEASE_SECONDS)
        # Never the same instant as before: whoever holds it is told apart by it.
        until = None if finished else due_at or max(lease, (self._until or lease) + timedelta(milliseconds=1))
        query = {"_id": self._id, "due_at": self._until}
        update = {"$set": {**fields, "due_at": until}}
        if database.collection(COLLECTION).update_one(query, update).matched_count != 1:
            raise Lost
        self._until = until


def run_due(stopping: threading.Event | None = None, *, at: datetime | None = None) -> int:
    """Advance every schema whose work is due at `at` (default: now); how many. One indexed query when none is."""
    stopping = stopping or threading.Event()
    query = {"due_at": {"$gte": LONG_AGO, "$lte": at or now()}}
    rows = list(database.collection(COLLECTION).find(query).sort("due_at", 1).limit(BATCH))
    return sum(_advance(documents.kept_from(row), stopping) for row in rows if not stopping.is_set())


def _advance(kept: KeptSchema, stopping: threading.Event) -> bool:
    context = {"org_id": str(kept.org_id), "schema_id": str(kept.id)}
    try:
        lease = Lease(kept)
        try:
            _go_on(kept, lease, stopping)
        except switching.NotSettled:
            lease.keep({}, due_at=now() + timedelta(seconds=AGAIN_SECONDS))
            return False
    except Lost:
        return False
    except PyMongoError as error:
        # The lease passes by itself, and then somebody tries again.
        log.warning("schema_not_advanced", error=type(error).__name__, **context)
        return False
    log.info("schema_advanced", **context)
    return True


def _go_on(kept: KeptSchema, lease: Lease, stopping: threading.Event) -> None:
    organization = operation.load(kept.org_id)
    wanted = organization is not None and kept.id in organization.schema.held_to
    step: str = kept.step
    if not kept.is_finished:
        step = _checked(kept, lease, stopping) if wanted or kept.purpose == "check" else "superseded"
        lease.keep({"step": step, "finished_at": now()})
    if kept.purpose == "switch_on":
        switching.conclude(kept, fits=step == "fits")
    switching.settle(kept.org_id)
    lease.keep({}, finished=True)


def _checked(kept: KeptSchema, lease: Lease, stopping: threading.Event) -> str:
    """Hold all records against the schema; how that ended. Raises NotSettled when it has to begin again."""
    organization = operation.load(kept.org_id)
    if organization is None or organization.status != ACTIVE:
        raise switching.NotSettled
    findings = _Findings(compiled.kept(kept.id, lambda: kept.text))
    beat = time.monotonic()
    until = beat + settings.SCHEMA_CHECK_SECONDS
    with database.deadline(settings.SCHEMA_CHECK_SECONDS + settings.LEASE_SECONDS):
        for row in upkeep.scan(organization.placement, projection={"data": 1}):
            findings.take(row)
            moment = time.monotonic()
            if moment - beat > BEAT_SECONDS:
                if stopping.is_set():
                    raise switching.NotSettled
                lease.keep({"step": "checking", "report": documents.as_document(findings.report())})
                beat = moment
            if moment > until:
                reason = f"Checking took longer than {settings.SCHEMA_CHECK_SECONDS:g} seconds."
                lease.keep({"report": documents.as_document(findings.report(reason))})
                return "failed"
    after = operation.load(kept.org_id)
    if after is None or after.epoch != organization.epoch:
        # What was read may have been left by then.
        raise switching.NotSettled
    lease.keep({"report": documents.as_document(findings.report())})
    return "misfit" if findings.wrong else "fits"


class _Findings:
    """What a check has found so far."""

    def __init__(self, schema: compiled.CompiledSchema) -> None:
        self._schema = schema
        self._errors: list[WrongRecord] = []
        self._checked = 0
        self.wrong = 0

    def take(self, row: Document) -> None:
        """Hold one record against the schema."""
        self._checked += 1
        faults = self._faults(row)
        if faults:
            self.wrong += 1
            room = REPORTED - len(self._errors)
            self._errors += [WrongRecord(str(row["_id"])[:128], fault.path, fault.message) for fault in faults[:room]]

    def _faults(self, row: dict[str, Any]) -> list[InputError]:
        data = row.get("data")
        if not isinstance(data, dict):
            return [InputError("data", "The record has no data.")]
        return self._schema.errors(data)

    def report(self, reason: str = "") -> Report:
        """As it stands."""
        return Report(self._checked, self.wrong, tuple(self._errors), reason)
