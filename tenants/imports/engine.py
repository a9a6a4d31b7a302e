"""The second reading of a file: its lines become records, batch by batch, while the next batch is read.

After each batch the import's document says how far it is. Whatever cuts the work off, it goes on from there, and
what was written of the batch behind it is recognised (`tenants.imports.writing`).
"""

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import structlog
from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.errors import PortalError, not_found
from tenants.access import Access
from tenants.documents import Organization
from tenants.imports import journal, writing
from tenants.imports.batches import batches
from tenants.imports.candidates import Batch
from tenants.imports.documents import ERRORS_KEPT, Counts, Import, LineError
from tenants.imports.matching import Matcher
from tenants.imports.parsers import Parser
from tenants.imports.sources import Source
from tenants.lifecycle import operation

log = structlog.get_logger(__name__)

# How long a batch is tried again while the organization is renamed, or the database is away.
PATIENCE_SECONDS = 120.0
LONGEST_PAUSE = 2.0
# What the database could not take in time may be too much at once.
LEAST_PART = 50

Result = TypeVar("Result")


class Stopped(Exception):
    """The process is about to end: somebody else goes on."""


class Engine:
    """One attempt at an import that its caller holds."""

    def __init__(self, access: Access, job: Import, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self._access = access
        self._job = job
        self._stopping = stopping
        self._counts = job.counts
        self._errors: list[LineError] = list(job.errors)
        self._matcher = Matcher(job.options.key)
        self._part = 0

    def run(self, parser: Parser, source: Source) -> None:
        """Write all lines behind the last checkpoint of a file that `parser` has scanned.

        Raises Stopped, `journal.Cancelled`, PortalError 409 `import_taken_over`, 404 when the organization is gone,
        503 when it or the database stays away; each time it may be gone on with.
        """
        under_way: Future[None] | None = None
        with journal.kept_alive(self._job), ThreadPoolExecutor(1, thread_name_prefix="import") as pool:
            for batch in batches(parser, source.chunks(), behind=self._job.counts.line):
                if under_way is not None:
                    under_way.result()
                if self._stopping():
                    raise Stopped
                under_way = self._begin(pool, batch)
            if under_way is not None:
                under_way.result()

    def _begin(self, pool: ThreadPoolExecutor, batch: Batch) -> "Future[None]":
        """Have a batch written; the caller goes on once the database has something to do.

        Before, reading the next batch would take the interpreter from the thread that prepares this one, and the
        database would wait for both.
        """
        sending = threading.Event()
        under_way = pool.submit(contextvars.copy_context().run, self._finish, batch, sending.set)
        under_way.add_done_callback(lambda _: sending.set())
        sending.wait()
        return under_way

    def _finish(self, batch: Batch, sending: Callable[[], None]) -> None:
        """Write a batch and say so; `sending` is called when the database is about to get it."""
        self._part = len(batch.candidates)
        outcome = self._patiently(lambda: self._write(batch, sending))
        errors = sorted([*batch.errors, *outcome.errors], key=lambda error: error.line)
        failed = batch.received - len(batch.candidates) + len(outcome.failed_lines)
        self._counts = Counts(
            line=batch.line,
            received=self._counts.received + batch.received,
            inserted=self._counts.inserted + outcome.inserted,
            updated=self._counts.updated + outcome.updated,
            failed=self._counts.failed + failed,
            bytes=batch.bytes,
        )
        news = len(self._errors) < ERRORS_KEPT and bool(errors)
        self._errors += errors[: ERRORS_KEPT - len(self._errors)] if news else []
        self._patiently(lambda: journal.checkpoint(self._job, self._counts, self._errors if news else None))

    def _write(self, batch: Batch, sending: Callable[[], None]) -> writing.Outcome:
        whole = writing.Outcome()
        for start in range(0, len(batch.candidates), max(self._part, 1)):
            part = batch.candidates[start : start + self._part]
            outcome = writing.write(self._access, self._job, self._matcher, part, sending)
            whole.inserted += outcome.inserted
            whole.updated += outcome.updated
            whole.errors += outcome.errors
            whole.failed_lines |= outcome.failed_lines
        return whole

    def _patiently(self, work: Callable[[], Result]) -> Result:
        until = time.monotonic() + PATIENCE_SECONDS
        pause = 0.1
        while True:
            try:
                return work()
            except (PortalError, PyMongoError) as error:
                if not _is_passing(error) or time.monotonic() > until or self._stopping():
                    raise
                log.info("import_waits", import_id=self._job.id, error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self._part = max(self._part // 2, LEAST_PART)
            self._look_again()

    def _look_again(self) -> None:
        """The organization as it is now: it may have another name, or demand other things of records."""
        read_at = time.monotonic()
        try:
            found: Organization | None = operation.load(self._access.organization.id)
        except PyMongoError as error:
            if not database.is_unavailable(error):
                raise
            return
        if found is None or not found.is_open:
            raise not_found()
        self._access = replace(self._access, organization=found, read_at=read_at)


def _is_passing(error: PortalError | PyMongoError) -> bool:
    if isinstance(error, PortalError):
        return error.code == "organization_busy"
    return database.is_unavailable(error)
