"""How one process at a time works on an organization's unfinished operation.

`due_at` in the document is a lease: until then the holder alone may go on, and it moves the time on while it
works; after that the reconciler of any process takes over. Every transition is a compare-and-set on the
holder, so one that was taken over finds out at its next step.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.database import Document
from tenants.bound import BINDING_SECONDS
from tenants.documents import Organization, now, organization_from

log = structlog.get_logger(__name__)

# What a message may need on its way when its sender has given up on it.
LATE_ARRIVAL_SECONDS = 1.0


class TakenOver(Exception):
    """Another process has the operation now, or it is finished: stop here."""


def quarantine_seconds() -> float:
    """How long after a fence a write of the epoch before it can still arrive."""
    return BINDING_SECONDS + float(settings.DATABASE_DEADLINE) + LATE_ARRIVAL_SECONDS


def new_holder() -> str:
    """A name for whoever holds an operation, never used twice."""
    return secrets.token_hex(8)


def lease_end() -> datetime:
    """Until when a lease taken now lasts."""
    return now() + timedelta(seconds=settings.LEASE_SECONDS)


def pending(op: str, step: str, holder: str, target: Mapping[str, Any] | None = None) -> Document:
    """The description of an unfinished operation as it is stored."""
    return {"op": op, "step": step, "holder": holder, "since": now(), "target": dict(target or {})}


def load(org_id: ObjectId) -> Organization | None:
    """The organization as it is now."""
    row = database.collection("organizations").find_one({"_id": org_id})
    return organization_from(row) if row else None


def change(organization: Organization, update: Mapping[str, Any], **expected: Any) -> bool:
    """Compare-and-set on the organization's epoch (and `expected`); whether it took place."""
    query = {"_id": organization.id, "epoch": organization.epoch, **expected}
    return database.collection("organizations").update_one(query, update).matched_count == 1


def step(organization: Organization, holder: str, update: Mapping[str, Any]) -> None:
    """One transition of the operation that `holder` has. Raises TakenOver when it has it no longer."""
    query = {"_id": organization.id, "pending.holder": holder}
    if database.collection("organizations").update_one(query, update).matched_count != 1:
        raise TakenOver(str(organization.id))


def claim(organization: Organization, at: datetime) -> str:
    """Take over an operation whose lease had passed at `at`; the new holder.

    Raises TakenOver when somebody else did, or it was moved on or finished.
    """
    holder = new_holder()
    query = {
        "_id": organization.id,
        "pending.holder": organization.work.holder,
        "due_at": {"$lte": at},
    }
    update = {"$set": {"pending.holder": holder, "due_at": lease_end()}}
    if database.collection("organizations").update_one(query, update).matched_count != 1:
        raise TakenOver(str(organization.id))
    return holder


@contextmanager
def kept_alive(organization: Organization, holder: str) -> Iterator[None]:
    """Move the lease on every third of its length while the body runs."""
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(settings.LEASE_SECONDS / 3):
            query = {"_id": organization.id, "pending.holder": holder}
            try:
                database.collection("organizations").update_one(query, {"$set": {"due_at": lease_end()}})
            except PyMongoError as error:
                log.warning("lease_not_moved", org_id=str(organization.id), error=type(error).__name__)

    thread = threading.Thread(target=beat, name=f"lease-{organization.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def finish_at_once(organization: Organization, holder: str, resume: Callable[[Organization, str], None]) -> bool:
    """Try to bring a fenced operation to its end within this request.

    False when the database took longer than the request may: nothing is lost, the outcome is just not known yet,
    and the worker goes on when the lease has passed (not before, for what was sent may still arrive).
    """
    try:
        with kept_alive(organization, holder):
            resume(organization, holder)
    except PyMongoError as error:
        if not database.is_unavailable(error):
            raise
        log.warning("operation_left_to_the_worker", org_id=str(organization.id), error=type(error).__name__)
        return False
    return True
