"""Every change of an import's document: each is a compare-and-set on who holds it.

Two processes may believe that they are at the same import; only the one that took it last can write here, and
records that the other still writes are the same records.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError

from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, not_found
from tenants.access import Access
from tenants.documents import now
from tenants.imports.documents import (
    ERRORS_KEPT,
    IMPORTS,
    KEPT,
    Counts,
    Import,
    LineError,
    State,
    import_from,
    refusal_document,
)
from tenants.imports.identity import new_holder
from tenants.imports.options import Options
from tenants.imports.refusals import import_running, key_reused, taken_over
from tenants.lifecycle.operation import lease_end
from tenants.records.documents import author_of

log = structlog.get_logger(__name__)

UPLOAD = "upload"
ATTEMPTS = 5


class Cancelled(Exception):
    """Somebody asked for the import to end."""


def load(org_id: ObjectId, import_id: str) -> Import | None:
    """The organization's import of that id, unless it has expired."""
    row = database.collection(IMPORTS).find_one({"_id": import_id})
    if row is None or row["org_id"] != org_id or row["expires_at"] <= now():
        return None
    return import_from(row)


def recent(org_id: ObjectId, *, limit: int, after: ObjectId | None = None) -> list[Import]:
    """The organization's imports, newest first, those that began before `after`."""
    query: Document = {"org_id": org_id} | ({"begun": {"$lt": after}} if after else {})
    rows = database.collection(IMPORTS).find(query).sort("begun", -1).limit(limit)
    return [import_from(row) for row in rows if row["expires_at"] > now()]


def claim(
    access: Access, import_id: str, options: Options | None, *, state: State, total_bytes: int, file_name: str = ""
) -> Import:
    """Begin an import, or go on with the one of that id; either way it is ours, and no other one runs.

    One that is over is given as it is. `options` is None where they are not known yet. Raises PortalError 409
    `import_running`, 422 `idempotency_key_reused` for other options.
    """
    holder = new_holder()
    for _ in range(ATTEMPTS):
        row = _new_row(access, import_id, options or Options(), holder, state, total_bytes, file_name)
        if _insert(row):
            return import_from(row)
        found = load(access.organization.id, import_id)
        if found is None:
            _free_slot(access.organization.id)
            continue
        if found.state == "refused":
            database.collection(IMPORTS).delete_one({"_id": import_id, "holder": found.holder})
            continue
        if options is not None and found.options != options:
            raise key_reused()
        if found.is_over:
            return found
        if _take(found, holder):
            return _held(import_id, holder)
        _free_slot(access.organization.id)
    raise import_running(1)


def _new_row(
    access: Access, import_id: str, options: Options, holder: str, state: State, total_bytes: int, file_name: str
) -> Document:
    moment = now()
    return {
        "_id": import_id,
        "org_id": access.organization.id,
        "slot": str(access.organization.id),
        "begun": ObjectId(),
        "state": state,
        "queue": None,
        "options": options.as_document(),
        "counts": asdict(Counts()),
        "errors": [],
        "total_bytes": total_bytes,
        "total_lines": 0,
        "digest": "",
        "holder": holder,
        "lease_until": lease_end(),
        "overtaken": False,
        "cancel": False,
        "file_name": file_name[:200],
        "account_id": access.principal.account_id,
        "created_by": author_of(access.principal),
        "created_at": moment,
        "finished_at": None,
        "refusal": None,
        "expires_at": moment + KEPT,
    }


def _insert(row: Document) -> bool:
    """Whether the row is stored. After a lost reply the next attempt finds it, and takes it over."""
    try:
        database.collection(IMPORTS).insert_one(row)
    except (DuplicateKeyError, AutoReconnect):
        return False
    return True


def _take(found: Import, holder: str) -> bool:
    """Become the holder of an import that is not over; False when another import has the slot, or it changed.

    From a holder who seems to be alive it is taken once, since a process that was killed seems so for a while. Two
    senders that took it from each other again and again would both come to nothing.
    """
    alive = found.lease_until > now()
    query: Document = {"_id": found.id, "holder": found.holder} | ({"overtaken": False} if alive else {})
    fields = {"holder": holder, "slot": str(found.org_id), "lease_until": lease_end(), "overtaken": alive}
    try:
        return _update(query, {"$set": fields})
    except DuplicateKeyError:
        return False


def _free_slot(org_id: ObjectId, *, but: str = "") -> None:
    """Take the slot from an import that nobody is at any more. Raises PortalError 409 while somebody is."""
    row = database.collection(IMPORTS).find_one({"slot": str(org_id)}, {"lease_until": 1, "holder": 1})
    if row is None or row["_id"] == but:
        return
    left = (row["lease_until"] - now()).total_seconds()
    if left > 0:
        raise import_running(max(1, min(int(left) + 1, int(settings.LEASE_SECONDS))))
    _update({"_id": row["_id"], "holder": row["holder"]}, {"$set": {"slot": row["_id"], "holder": new_holder()}})


def _held(import_id: str, holder: str) -> Import:
    row = database.collection(IMPORTS).find_one({"_id": import_id, "holder": holder})
    if row is None:
        raise taken_over()
    return import_from(row)


def _update(query: Document, update: Document) -> bool:
    return database.collection(IMPORTS).update_one(query, update).matched_count == 1


def _set(held: Import, **fields: Any) -> None:
    """Change an import that we hold, and move its lease on. Raises PortalError 404, 409 when we hold it no longer."""
    fields = {"lease_until": lease_end(), **fields}
    query = {"_id": held.id, "holder": held.holder, "cancel": False}
    if _update(query, {"$set": fields}):
        return
    row = database.collection(IMPORTS).find_one({"_id": held.id}, {"holder": 1, "cancel": 1})
    if row is None:
        raise not_found()
    if row["holder"] != held.holder:
        raise taken_over()
    raise Cancelled


def seen(held: Import, state: State, *, bytes: int, total_bytes: int = 0) -> None:
    """Say how many bytes of the file were seen so far. Raises as `checkpoint`."""
    more = {"total_bytes": total_bytes} if total_bytes else {}
    _set(held, state=state, **{"counts.bytes": bytes, **more})


def begin_writing(held: Import, *, digest: str, total_bytes: int, total_lines: int) -> None:
    """The whole file was seen, and can be taken. Raises as `checkpoint`."""
    _set(held, state="importing", digest=digest, total_bytes=total_bytes, total_lines=total_lines)


def checkpoint(held: Import, counts: Counts, errors: list[LineError] | None) -> None:
    """What became of the lines so far; `errors` where there are new ones.

    Raises Cancelled, PortalError 409 `import_taken_over`, 404 when it went with its organization.
    """
    more = {} if errors is None else {"errors": [error.as_document() for error in errors[:ERRORS_KEPT]]}
    _set(held, counts=asdict(counts), **more)


def queue(held: Import, options: Options, *, digest: str, total_bytes: int) -> None:
    """Leave it to the worker, all of whose chunks are stored. Raises as `checkpoint`."""
    size = {"total_bytes": total_bytes, "counts.bytes": 0}
    _set(held, state="waiting", queue=UPLOAD, options=options.as_document(), digest=digest, lease_until=now(), **size)


def end(held: Import, state: State, refusal: PortalError | None = None) -> None:
    """It is over; safe to repeat. Nothing happens when somebody else has it."""
    fields: Document = {"state": state, "slot": held.id, "queue": None, "lease_until": now(), "finished_at": now()}
    if refusal is not None:
        fields["refusal"] = refusal_document(refusal)
    _update({"_id": held.id, "holder": held.holder}, {"$set": fields})


@contextmanager
def kept_alive(held: Import) -> Iterator[None]:
    """Move the lease on while the body runs, however long one of its steps takes."""
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(settings.LEASE_SECONDS / 3):
            try:
                _update({"_id": held.id, "holder": held.holder}, {"$set": {"lease_until": lease_end()}})
            except PyMongoError as error:
                log.warning("import_lease_not_moved", import_id=held.id, error=type(error).__name__)

    thread = threading.Thread(target=beat, name=f"import-{held.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def release(held: Import) -> None:
    """Stop, so that whoever wants to may go on at once."""
    _update({"_id": held.id, "holder": held.holder}, {"$set": {"lease_until": now()}})


def cancel(org_id: ObjectId, import_id: str) -> None:
    """Ask for its end; whoever is at it looks after every batch. What nobody is at ends at once."""
    found = load(org_id, import_id)
    if found is None:
        raise not_found()
    if found.is_over:
        return
    _update({"_id": import_id, "state": found.state}, {"$set": {"cancel": True}})
    if found.state == "waiting" or found.is_interrupted:
        fields = {"state": "cancelled", "slot": import_id, "queue": None, "finished_at": now(), "holder": new_holder()}
        _update({"_id": import_id, "holder": found.holder, "lease_until": {"$lte": now()}}, {"$set": fields})


def waiting() -> list[Import]:
    """Uploads that the worker has to see to, and that nobody is at, oldest first."""
    rows = database.collection(IMPORTS).find({"queue": UPLOAD}).sort("begun", 1).limit(100)
    return [found for found in map(import_from, rows) if found.lease_until <= now()]


def take_waiting(found: Import) -> Import | None:
    """Become the holder of a waiting upload; None when another process or another import was faster."""
    holder = new_holder()
    try:
        _free_slot(found.org_id, but=found.id)
    except PortalError:
        return None
    return _held(found.id, holder) if _take(found, holder) else None
