"""What can be done with imports: run one, leave one to the worker, look at them, end one.

A file is refused before anything of it is written, or it is imported line by line, where a line that is wrong holds
no other up. The same for pages, API and the worker.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import structlog
from bson import ObjectId
from django.conf import settings
from pymongo.errors import PyMongoError

from accounts.absentees import principal_of_absentee
from accounts.roles import Role
from orgportal.errors import PortalError, forbidden, not_found, organization_busy
from tenants.access import Access, organization_access
from tenants.audit.records import acting
from tenants.documents import ACTIVE
from tenants.imports import identity, journal
from tenants.imports.documents import Import, LineError, State
from tenants.imports.engine import Engine, Stopped
from tenants.imports.matching import check_key
from tenants.imports.options import Options, read_options
from tenants.imports.parsers import parser_for
from tenants.imports.refusals import REFUSALS, key_reused
from tenants.imports.sources import CHUNK_BYTES, Chunks, Source, Spool, check_size
from tenants.lifecycle import operation

__all__ = [
    "Import",
    "LineError",
    "Options",
    "Upload",
    "cancel",
    "list_recent",
    "progress",
    "read_options",
    "resume_waiting",
    "run_import",
    "start_upload",
]

log = structlog.get_logger(__name__)


def run_import(
    *,
    access: Access,
    options: Options,
    body: Iterable[bytes],
    total_bytes: int = 0,
    key: str | None = None,
    file_name: str = "",
) -> Import:
    """Import a file while it comes in; the result.

    With a key, a repetition gives the result again, or goes on where the first try was cut off. `total_bytes` is 0
    where it is not known before. Raises PortalError 413, 415, 422 for a file of which nothing was written, 409
    `import_running`, `import_taken_over`, 422 `idempotency_key_reused`, 503 when it may be repeated.
    """
    check_size(total_bytes)
    if access.organization.status != ACTIVE:
        raise organization_busy()
    import_id = identity.import_id(access.organization.id, key)
    job = journal.claim(access, import_id, options, state="receiving", total_bytes=total_bytes, file_name=file_name)
    if job.is_over:
        return _given_again(job, body)
    with Spool() as spool, _audited(access, job, options):
        return _guarded(job, lambda: _receive_and_run(access, job, spool, body))


def _audited(access: Access, job: Import, options: Options) -> AbstractContextManager[None]:
    details = {"format": options.format, "mode": options.mode, "dry_run": options.dry_run}
    return acting(access, "records.imported", details, target=f"import:{job.id}")


def _given_again(job: Import, body: Iterable[bytes]) -> Import:
    with Spool() as spool:
        for _ in spool.keeping(body, lambda size: None):
            continue
        # An import that was cancelled before its file was seen says nothing about the file.
        if job.digest and spool.digest != job.digest:
            raise key_reused()
    return job


def _receive_and_run(access: Access, job: Import, spool: Spool, body: Iterable[bytes]) -> Import:
    parser = parser_for(job.options)
    try:
        lines = parser.scan(spool.keeping(body, _beating(job, "receiving")))
    except PortalError as error:
        # The file that the first try began to write was not refused: this is another one.
        if job.digest and error.code in REFUSALS:
            raise key_reused() from None
        raise
    if job.digest and spool.digest != job.digest:
        raise key_reused()
    _check_key(access, job, lines)
    journal.begin_writing(job, digest=spool.digest, total_bytes=spool.size, total_lines=lines)
    Engine(access, job).run(parser, spool)
    return _finished(job)


def _check_key(access: Access, job: Import, lines: int) -> None:
    # Only before anything is written: what an earlier try has begun goes on, however much was stored since.
    if not job.total_lines:
        check_key(access, job.options, lines)


def _beating(job: Import, state: State) -> Callable[[int], None]:
    """Tells the journal how many bytes were seen, often enough to keep the lease."""
    told = time.monotonic()

    def seen(size: int) -> None:
        nonlocal told
        if time.monotonic() - told > settings.LEASE_SECONDS / 10:
            journal.seen(job, state, bytes=size)
            told = time.monotonic()

    return seen


def _guarded(job: Import, work: Callable[[], Import]) -> Import:
    """Whatever ends the work, the journal says so; what is only cut off may be gone on with at once."""
    try:
        return work()
    except journal.Cancelled:
        journal.end(job, "cancelled")
        return _reloaded(job)
    except PortalError as error:
        if error.code in REFUSALS:
            journal.end(job, "refused", error)
        else:
            _release(job)
        raise
    except BaseException:
        _release(job)
        raise


def _release(job: Import) -> None:
    try:
        journal.release(job)
    except PyMongoError as error:
        # Then its lease ends by itself.
        log.warning("import_not_released", import_id=job.id, error=type(error).__name__)


def _finished(job: Import) -> Import:
    journal.end(job, "finished")
    return _reloaded(job)


def _reloaded(job: Import) -> Import:
    found = journal.load(job.org_id, job.id)
    if found is None:
        raise not_found()
    return found


class Upload:
    """A file on its way from a browser, kept chunk by chunk until the worker imports it."""

    def __init__(self, access: Access, job: Import) -> None:
        self.job = job
        self._access = access
        self._chunks = Chunks(access.organization.id, job.id)
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._number = 0
        self._size = 0

    @property
    def id(self) -> str:
        return self.job.id

    def write(self, data: bytes) -> None:
        """Keep the next bytes of the file. Raises PortalError 413 for too many, and when the import was cancelled."""
        self._size += len(data)
        check_size(self._size)
        self._digest.update(data)
        self._pending += data
        while len(self._pending) >= CHUNK_BYTES:
            self._put(bytes(self._pending[:CHUNK_BYTES]))
            del self._pending[:CHUNK_BYTES]

    def _put(self, data: bytes) -> None:
        self._chunks.put(self._number, data)
        self._number += 1
        self._told()

    def _told(self) -> None:
        try:
            journal.seen(self.job, "receiving", bytes=self._size)
        except journal.Cancelled:
            raise PortalError("import_cancelled", 409, "The import was cancelled.") from None

    def finish(self, options: Options) -> Import:
        """The file is whole: the worker imports it in this way. The import as it then is."""
        if self._pending:
            self._put(bytes(self._pending))
        with _audited(self._access, self.job, options):
            journal.queue(self.job, options, digest=self._digest.hexdigest(), total_bytes=self._size)
        return _reloaded(self.job)

    def abort(self, refusal: PortalError | None = None) -> None:
        """Nothing comes of it."""
        self._chunks.forget()
        if refusal is None:
            journal.end(self.job, "cancelled")
        else:
            journal.end(self.job, "refused", refusal)


def start_upload(*, access: Access, file_name: str = "", total_bytes: int = 0, key: str | None = None) -> Upload:
    """Begin to take a file for the worker: `write` its bytes, then `finish`, or `abort`.

    `key` is what the page was given for this import, so that a form that is sent twice imports once. Raises
    PortalError 413 for what is known to be too large, 409 `import_running`, `import_exists` for a key whose file is
    here already.
    """
    check_size(total_bytes)
    import_id = identity.import_id(access.organization.id, key)
    # Looked at before it is claimed: what waits for the worker is not to be taken away from it.
    found = journal.load(access.organization.id, import_id)
    if found is None or not _was_sent(found):
        found = journal.claim(access, import_id, None, state="receiving", total_bytes=total_bytes, file_name=file_name)
    if _was_sent(found):
        raise PortalError("import_exists", 409, "This file was sent already.", data={"id": import_id})
    return Upload(access, found)


def _was_sent(job: Import) -> bool:
    return job.state != "refused" and (job.is_over or bool(job.digest))


def progress(*, access: Access, id: str) -> Import:
    """How far an import is, or its result. Raises PortalError 404."""
    found = journal.load(access.organization.id, id)
    if found is None:
        raise not_found()
    return found


def list_recent(*, access: Access, limit: int = 20, after: ObjectId | None = None) -> list[Import]:
    """The imports of the last 30 days, newest first; of those, the ones that began before `after` (`Import.begun`)."""
    return journal.recent(access.organization.id, limit=limit, after=after)


def cancel(*, access: Access, id: str) -> Import:
    """Ask for an import's end: at the latest after the batch that is under way. What is written stays.

    The import as it then is. One that is over stays as it is. Raises PortalError 404.
    """
    found = progress(access=access, id=id)
    if found.is_over:
        return found
    with acting(access, "records.import_cancelled", {}, target=f"import:{found.id}"):
        journal.cancel(access.organization.id, id)
    return progress(access=access, id=id)


def resume_waiting(stopping: Callable[[], bool]) -> int:
    """Import what browsers have sent, and go on with what a worker that died has left; how many were taken up."""
    taken = 0
    for found in journal.waiting():
        if stopping():
            break
        job = journal.take_waiting(found)
        if job is not None:
            _run_upload(job, stopping)
            taken += 1
    return taken


def _run_upload(job: Import, stopping: Callable[[], bool]) -> None:
    chunks = Chunks(job.org_id, job.id)
    try:
        _guarded(job, lambda: _check_and_run(job, chunks, stopping))
    except Stopped:
        return
    except PortalError as error:
        if error.status >= 500:
            raise
        log.info("import_ended", import_id=job.id, code=error.code)
    if (current := journal.load(job.org_id, job.id)) is None or current.is_over:
        chunks.forget()


def _check_and_run(job: Import, chunks: Chunks, stopping: Callable[[], bool]) -> Import:
    try:
        access = _access_of_sender(job)
    except PortalError as error:
        journal.end(job, "refused", error)
        return _reloaded(job)
    parser = parser_for(job.options)
    lines = parser.scan(_counting(chunks, _beating(job, "checking"), stopping))
    _check_key(access, job, lines)
    journal.begin_writing(job, digest=job.digest, total_bytes=job.total_bytes, total_lines=lines)
    Engine(access, job, stopping=stopping).run(parser, chunks)
    return _finished(job)


def _access_of_sender(job: Import) -> Access:
    """What whoever sent the file may do now. Raises PortalError 403, 404."""
    organization = operation.load(job.org_id)
    if organization is None or not organization.is_open:
        raise not_found()
    principal = principal_of_absentee(account_id=job.account_id, organization=organization)
    if principal is None:
        raise forbidden()
    return organization_access(principal=principal, needs=Role.EDITOR, scope="records:write")


def _counting(source: Source, seen: Callable[[int], None], stopping: Callable[[], bool]) -> Iterable[bytes]:
    size = 0
    for chunk in source.chunks():
        if stopping():
            raise Stopped
        size += len(chunk)
        seen(size)
        yield chunk
