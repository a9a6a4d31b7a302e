"""One organization's collection, bound to a verified access, that stays right while the organization changes.

The rule that keeps acknowledged writes: a write counts only if the organization's epoch is still the same
*after* it. A rename or deletion raises the epoch before it touches anything, so a write that sees its own
epoch again happened before, and is part of what is moved. One that does not is answered with 503 and has no
promise. A read that finds nothing asks again too: the data may just have moved.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import BulkWriteError, OperationFailure, WriteError
from pymongo.operations import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.results import BulkWriteResult, DeleteResult, InsertManyResult, InsertOneResult, UpdateResult

from orgportal import database
from orgportal.database import Document
from orgportal.errors import not_found, organization_busy
from tenants.access import Access
from tenants.documents import ACTIVE, RENAMING, Organization, Placement, organization_from
from tenants.refusals import DOCUMENT_VALIDATION_FAILURE, refusal_of

Outcome = TypeVar("Outcome")
Write = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne

# An operation begins at most so long after its organization was read; with the database's deadline this bounds
# when the last one of an older epoch can arrive (`tenants.lifecycle.operation.quarantine_seconds`), and only
# after that can the collection's name be another organization's.
BINDING_SECONDS = 2.0
# CursorNotFound, QueryPlanKilled, CursorKilled: what a rename or a drop does to a running read.
CURSOR_GONE = frozenset({43, 175, 237})
READ_TRIES = 3
STREAM_BATCH = 1000
STREAM_SECONDS = 3600.0


class TenantCollection:
    """Reads and writes on the collection of one organization.

    Filters and updates are PyMongo's; whoever calls has checked the types of everything in them. Every
    method raises PortalError 503 `organization_busy` while the organization is being renamed, and 404
    once it is gone. Writes raise it also when the data has come to be held to a schema that the access did not
    know of, and the refusals of `tenants.refusals` (in bulk writes, BulkWriteError).
    """

    def __init__(self, access: Access, resolve: "Callable[[Placement], Collection[Document]]") -> None:
        self._organization = access.organization
        # What was written here was held to the schemas of that picture.
        self._held_to = frozenset(access.organization.schema.held_to)
        self._read_at = access.read_at
        self._resolve = resolve

    @property
    def organization(self) -> Organization:
        """The organization as it was read last: once a write has counted, that was after the write."""
        return self._organization

    def find_one(self, query: Mapping[str, Any], projection: Mapping[str, Any] | None = None) -> Document | None:
        """The one document, or None."""
        return self._read(lambda collection: collection.find_one(query, projection))

    def find(
        self,
        query: Mapping[str, Any],
        *,
        limit: int,
        projection: Mapping[str, Any] | None = None,
        sort: Sequence[tuple[str, int]] = (),
    ) -> list[Document]:
        """At most `limit` documents."""

        def page(collection: "Collection[Document]") -> list[Document]:
            cursor = collection.find(query, projection, limit=limit)
            return list(cursor.sort(list(sort)) if sort else cursor)

        return self._read(page)

    def stream(
        self, query: Mapping[str, Any], *, projection: Mapping[str, Any] | None = None, batch_size: int = STREAM_BATCH
    ) -> Iterator[list[Document]]:
        """Every document that matches, in batches, none of them empty, in the collection's own order.

        A cursor knows a collection's name and not whose it is; so the epoch is looked at after a batch came and
        before it is handed out. Raises PortalError 503 `organization_busy` when it has changed: what was handed out
        so far is then a part of the whole.
        """
        self._look_again_if_old()
        began = self._organization
        if began.status == RENAMING:
            raise organization_busy()
        # The first deadline is also that of all the server's work on the cursor.
        seconds, count = STREAM_SECONDS, batch_size
        with closing(self._resolve(began.placement).find(query, projection, batch_size=batch_size)) as cursor:
            while count == batch_size:
                batch = self._next_batch(cursor, batch_size, seconds)
                self._check_epoch(began)
                seconds, count = settings.DATABASE_DEADLINE, len(batch)
                if batch:
                    yield batch

    def _next_batch(self, cursor: "Cursor[Document]", size: int, seconds: float) -> list[Document]:
        try:
            with database.deadline(seconds):
                return list(islice(cursor, size))
        except OperationFailure as error:
            if error.code in CURSOR_GONE:
                raise organization_busy() from error
            raise

    def count(self, query: Mapping[str, Any]) -> int:
        """How many documents match."""
        if not query and database.copies_on_rename(self._organization.placement.cluster):
            # The embedded database's estimate is exact, and takes half the time.
            return self._read(lambda collection: collection.estimated_document_count())
        return self._read(lambda collection: collection.count_documents(query))

    def indexed_first(self) -> frozenset[str]:
        """The fields that an index begins with, by their paths in the stored document."""
        indexes = self._read(lambda collection: collection.index_information())
        return frozenset(index["key"][0][0] for index in indexes.values())

    def insert_one(self, document: Document) -> InsertOneResult:
        """Store a new document."""
        return self._write(lambda collection: collection.insert_one(document))

    def insert_many(self, documents: Sequence[Document]) -> InsertManyResult:
        """Store new documents, in any order; raises BulkWriteError with those that could not be."""
        return self._write(lambda collection: collection.insert_many(documents, ordered=False))

    def update_one(self, query: Mapping[str, Any], update: Mapping[str, Any]) -> UpdateResult:
        """Change one existing document."""
        return self._write(lambda collection: collection.update_one(query, update))

    def replace_one(self, query: Mapping[str, Any], document: Mapping[str, Any]) -> UpdateResult:
        """Replace one existing document."""
        return self._write(lambda collection: collection.replace_one(query, document))

    def delete_one(self, query: Mapping[str, Any]) -> DeleteResult:
        """Remove one document."""
        return self._write(lambda collection: collection.delete_one(query))

    def delete_many(self, query: Mapping[str, Any]) -> DeleteResult:
        """Remove every document that matches."""
        return self._write(lambda collection: collection.delete_many(query))

    def bulk_write(self, requests: Sequence[Write], *, ordered: bool = False) -> BulkWriteResult:
        """Several writes in one round trip; raises BulkWriteError with those that could not be."""
        return self._write(lambda collection: collection.bulk_write(requests, ordered=ordered))

    def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """All results of a pipeline that reads this collection only and ends with few rows."""
        return self._read(lambda collection: list(collection.aggregate(pipeline)))

    def _read(self, operation: "Callable[[Collection[Document]], Outcome]") -> Outcome:
        self._look_again_if_old()
        for _ in range(READ_TRIES):
            try:
                with database.deadline(settings.DATABASE_DEADLINE):
                    outcome = operation(self._resolve(self._organization.placement))
            except OperationFailure as error:
                if error.code not in CURSOR_GONE:
                    raise
                self._has_moved()
                continue
            if outcome or not self._has_moved():
                return outcome
        raise organization_busy()

    def _has_moved(self) -> bool:
        before = self._organization.epoch
        self._reload()
        if self._organization.status == RENAMING:
            raise organization_busy()
        return self._organization.epoch != before

    def _write(self, operation: "Callable[[Collection[Document]], Outcome]") -> Outcome:
        self._look_again_if_old()
        if self._organization.status != ACTIVE:
            self._reload()
        before = self._organization
        if before.status != ACTIVE or not self._held_to.issuperset(before.schema.held_to):
            raise organization_busy()
        try:
            with database.deadline(settings.DATABASE_DEADLINE):
                outcome = operation(self._resolve(before.placement))
        except WriteError as error:
            raise self._refusal(error) from error
        except BulkWriteError:
            # The part that was written counts by the same rule.
            self._check_epoch(before)
            raise
        self._check_epoch(before)
        return outcome

    def _check_epoch(self, before: Organization) -> None:
        self._reload()
        if self._organization.epoch != before.epoch:
            raise organization_busy()

    def _refusal(self, error: WriteError) -> Exception:
        """What the organization's own rules say about it; else the error itself."""
        refused = refusal_of(error.details or {})
        if error.code == DOCUMENT_VALIDATION_FAILURE:
            self._reload()
            # A schema was just switched off, and its copy in the database is about to go.
            if self._organization.schema.on is None:
                return organization_busy()
        return refused or error

    def _look_again_if_old(self) -> None:
        """An old picture could name a collection that is another organization's by now."""
        if time.monotonic() - self._read_at > BINDING_SECONDS:
            self._reload()

    def _reload(self) -> None:
        read_at = time.monotonic()
        row = database.collection("organizations").find_one({"_id": self._organization.id})
        fresh: Organization | None = organization_from(row) if row else None
        if fresh is None or not fresh.is_open:
            raise not_found()
        self._organization, self._read_at = fresh, read_at
