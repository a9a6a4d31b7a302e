"""The use cases of single records: create, read, replace, patch, delete.

All of them raise PortalError 503 `organization_busy` while the organization is renamed: then nothing is
promised, and nothing lost. `data` holds BSON values that went through `tenants.records.values`.
"""

import hashlib
import time
from collections.abc import Callable, Collection

from pymongo.errors import DuplicateKeyError

from orgportal.database import Document
from orgportal.errors import PortalError, not_found
from tenants import manager
from tenants.access import Access
from tenants.bound import TenantCollection
from tenants.documents import now
from tenants.records import marks, sort_marks, values
from tenants.records.documents import (
    Record,
    author_of,
    check_id,
    is_id,
    new_id,
    new_row,
    record_exists,
    record_from,
    stale,
)
from tenants.records.merge import merged
from tenants.rules import enforcement as rules

# How long a change is tried again while others change the same record.
CONTENTION_SECONDS = 3.0


def create_record(*, access: Access, data: Document, id: str | None = None, origin: str | None = None) -> Record:
    """Store a new record, under `id` where the caller chose one.

    `origin` identifies the request (`conventions.origin_of`): repeated with the same one, also after a crash, the
    record that the first one made is given again. Raises PortalError 409 `record_exists`, 422 for the id.
    """
    chosen = check_id(id) if id is not None else _id_from(origin)
    row = new_row(id=chosen, data=data, created_by=author_of(access.principal))
    if origin is not None:
        row["origin"] = origin
    rules.check(access=access, data=data)
    marks.note(access, [row["created_at"]])
    records = manager.bind(access)
    try:
        records.insert_one(row)
    except DuplicateKeyError:
        there = records.find_one({"_id": chosen})
        if origin is None or there is None or there.get("origin") != origin:
            raise record_exists(chosen) from None
        return record_from(there)
    sort_marks.note(access, [row])
    return record_from(row)


def _id_from(origin: str | None) -> str:
    """The same for the same request: the unique `_id` keeps a repeated one from storing twice."""
    return hashlib.sha256(f"record {origin}".encode()).hexdigest()[:24] if origin is not None else new_id()


def get_record(*, access: Access, id: str) -> Record:
    """One record. Raises PortalError 404."""
    return _load(manager.bind(access), id)


def replace_record(*, access: Access, id: str, data: Document, expected: Collection[str] | None = None) -> Record:
    """Give a record other data.

    `expected` holds the versions (`Record.version`) that it may be in, None for any. Raises PortalError 404, 412
    `stale`, 409 `contended` when others keep changing it.
    """
    return _change(access, id, expected, lambda _: data)


def patch_record(*, access: Access, id: str, patch: Document, expected: Collection[str] | None = None) -> Record:
    """Apply a merge patch (RFC 7396) of BSON values; two at once both land. Raises as `replace_record`, and 422
    or 413 when the result cannot be a record's data."""

    def patched(data: Document) -> Document:
        result: Document = merged(data, patch)
        values.check_data(result)
        return result

    return _change(access, id, expected, patched)


def delete_record(*, access: Access, id: str, expected: Collection[str] | None = None) -> None:
    """Remove a record. Raises PortalError as `replace_record`."""
    records = manager.bind(access)
    if expected is None:
        if not is_id(id):
            raise not_found()
        with sort_marks.outdated(records, [id]):
            gone = records.delete_one({"_id": id}).deleted_count
        if not gone:
            raise not_found()
        return
    before = _load(records, id)
    if before.version not in expected:
        raise stale()
    with sort_marks.outdated(records, [id]):
        gone = records.delete_one(_state(before)).deleted_count
    if not gone:
        raise stale()


def _load(records: TenantCollection, id: str) -> Record:
    row = records.find_one({"_id": id}) if is_id(id) else None
    if row is None:
        raise not_found()
    return record_from(row)


def _state(record: Record) -> Document:
    """Matches the record only while it is as it was read."""
    return {"_id": record.id, "rev": record.rev, "created_at": record.created_at}


def _change(
    access: Access, id: str, expected: Collection[str] | None, changed: Callable[[Document], Document]
) -> Record:
    """Read, decide, and write if nobody was faster; else again."""
    records = manager.bind(access)
    until = time.monotonic() + CONTENTION_SECONDS
    while True:
        before = _load(records, id)
        if expected is not None and before.version not in expected:
            raise stale()
        data = changed(before.data)
        rules.check(access=access, data=data)
        after = Record(id, data, before.rev + 1, before.created_at, now(), before.created_by)
        update = {"$set": {"data": after.data, "updated_at": after.updated_at}, "$inc": {"rev": 1}}
        with sort_marks.outdated(records, [id]):
            changed_it = records.update_one(_state(before), update).matched_count
        if changed_it:
            return after
        if time.monotonic() > until:
            raise PortalError("contended", 409, "Others keep changing this record. Try again.", retry_after=1)
