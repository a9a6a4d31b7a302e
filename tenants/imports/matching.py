"""Which records are meant by lines that name them by a key: the id, or fields of the data.

Without an index a database goes through all records to find those of a key, and would for every batch. So then one
reading of the collection tells where the keys are, and batches ask by id.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants import manager, sizes
from tenants.access import Access
from tenants.bound import TenantCollection
from tenants.imports.candidates import Candidate, value_at
from tenants.imports.documents import Import
from tenants.imports.options import Options
from tenants.imports.refusals import key_needs_index, line_flaw
from tenants.records.values import ID

# So many records are looked at together; a key that several have is refused, so of each a few will do.
MOST_FOUND = 5000
FEW = 10
# Without an index: each takes some 200 bytes of this process's memory.
MOST_WITHOUT_INDEX = 150_000
_COMPARABLE = (str, bool, int, float, ObjectId, datetime, DatetimeMS)

Key = tuple[Any, ...]
Found = Document


def key_of(job: Import, candidate: Candidate) -> Key:
    """What tells the record of a line apart. Raises PortalError 422 when the line does not have it."""
    if job.options.key == (ID,):
        if not candidate.id:
            raise line_flaw("The line does not say which record is meant.", path=ID)
        return (candidate.id,)
    return tuple(_told_apart(_key_value(candidate.data, path)) for path in job.options.key)


def check_key(access: Access, options: Options, lines: int) -> None:
    """Raises PortalError 422 `key_needs_index` when a file of so many lines cannot be matched by its key."""
    if options.mode != "upsert" or options.key == (ID,):
        return
    if sizes.size_of(access.organization).records + lines <= MOST_WITHOUT_INDEX:
        return
    if not _is_indexed(manager.bind(access), options.key):
        raise key_needs_index(options.key[0], MOST_WITHOUT_INDEX)


def _is_indexed(records: TenantCollection, paths: Sequence[str]) -> bool:
    return not records.indexed_first().isdisjoint(f"data.{path}" for path in paths)


@dataclass
class Matcher:
    """Finds the records of one import's lines by their key, in one attempt at it."""

    paths: Sequence[str]
    # Where the keys are, by their hashes; None while it was not read, or an index makes it needless.
    _places: dict[int, list[str]] | None = field(default=None, init=False)
    _has_index: bool | None = field(default=None, init=False)

    def match(self, records: TenantCollection, wanted: Mapping[Key, Candidate]) -> dict[Key, list[Found]]:
        """The records that have one of the keys, by key; a line's own id counts where it names none that has.

        Without an index, those that others have stored since the first call may be missing.
        """
        if not wanted:
            return {}
        if tuple(self.paths) == (ID,):
            ids = [key[0] for key in wanted]
            return {(row["_id"],): [row] for row in records.find({"_id": {"$in": ids}}, limit=len(ids))}
        if self._has_index is None:
            self._has_index = _is_indexed(records, self.paths)
        rows = _rows_by_index(records, self.paths, wanted) if self._has_index else self._rows_by_place(records, wanted)
        return _by_key(rows, self.paths, wanted)

    def expect(self, key: Key, id: str) -> None:
        """A record of that id is about to be stored with the key."""
        if self._places is not None:
            _note(self._places, key, id)

    def _rows_by_place(self, records: TenantCollection, wanted: Mapping[Key, Candidate]) -> list[Document]:
        if self._places is None:
            self._places = _places(records, self.paths)
        ids = list(dict.fromkeys(id for key in wanted for id in self._places.get(hash(key), ())))
        return records.find({"_id": {"$in": ids}}, limit=len(ids)) if ids else []


def _places(records: TenantCollection, paths: Sequence[str]) -> dict[int, list[str]]:
    """Where which key is. Other keys may have the same hash: what is found there is compared."""
    places: dict[int, list[str]] = {}
    for batch in records.stream({}, projection={f"data.{path}": 1 for path in paths}):
        for row in batch:
            key = _key_of_row(row, paths)
            if key is not None:
                _note(places, key, row["_id"])
    return places


def _note(places: dict[int, list[str]], key: Key, id: str) -> None:
    ids = places.setdefault(hash(key), [])
    if len(ids) < FEW and id not in ids:
        ids.append(id)


def _rows_by_index(records: TenantCollection, paths: Sequence[str], wanted: Mapping[Key, Candidate]) -> list[Document]:
    rows = records.find(_with_any_of(paths, wanted), limit=MOST_FOUND + 1)
    if len(rows) <= MOST_FOUND:
        return rows
    # Each field alone says little; so the lines are looked up one by one.
    return [row for candidate in wanted.values() for row in records.find(_with(paths, candidate), limit=FEW)]


def _by_key(rows: Sequence[Document], paths: Sequence[str], wanted: Mapping[Key, Candidate]) -> dict[Key, list[Found]]:
    found: dict[Key, dict[str, Found]] = {}
    for row in rows:
        key = _key_of_row(row, paths)
        if key is not None and key in wanted:
            found.setdefault(key, {})[row["_id"]] = row
    return {key: list(same.values()) for key, same in found.items()}


def _with_any_of(paths: Sequence[str], wanted: Mapping[Key, Candidate]) -> Document:
    """Matches every record that has one of the keys, and those that have a mixture of them."""
    query: Document = {}
    for path in paths:
        values = [_key_value(candidate.data, path) for candidate in wanted.values()]
        query[f"data.{path}"] = {"$in": list({_told_apart(value): value for value in values}.values())}
    return query


def _with(paths: Sequence[str], candidate: Candidate) -> Document:
    return {f"data.{path}": _key_value(candidate.data, path) for path in paths}


def _key_value(data: Mapping[str, Any], path: str) -> Any:
    try:
        value = value_at(data, path)
    except LookupError:
        raise line_flaw("The line lacks this field of the key.", path=path) from None
    if not isinstance(value, _COMPARABLE) or (isinstance(value, float) and math.isnan(value)):
        raise line_flaw("A field of the key is a text, a number, true, false, a date or an ObjectId.", path=path)
    return value


def _key_of_row(row: Mapping[str, Any], paths: Sequence[str]) -> Key | None:
    try:
        return tuple(_told_apart(_key_value(row["data"], path)) for path in paths)
    except PortalError:
        return None


def _told_apart(value: Any) -> tuple[str, Any]:
    """Numbers are equal across their types, as MongoDB has it; true is not 1, as Python has it."""
    kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    return kind, value
