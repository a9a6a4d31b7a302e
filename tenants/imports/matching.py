"""Which records are meant by lines that name them by a key: the id, or fields of the data."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.bound import TenantCollection
from tenants.imports.candidates import Candidate, value_at
from tenants.imports.documents import Import
from tenants.imports.refusals import line_flaw
from tenants.records.values import ID

# So many records are looked at together; a key that several have is refused, so of each a few will do.
MOST_FOUND = 5000
FEW = 10
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


def match(records: TenantCollection, paths: Sequence[str], wanted: Mapping[Key, Candidate]) -> dict[Key, list[Found]]:
    """The records that have one of the keys, by key; a line's own id counts where it names none that has."""
    if not wanted:
        return {}
    if tuple(paths) == (ID,):
        ids = [key[0] for key in wanted]
        return {(row["_id"],): [row] for row in records.find({"_id": {"$in": ids}}, limit=len(ids))}
    rows = records.find(_with_any_of(paths, wanted), limit=MOST_FOUND + 1)
    if len(rows) > MOST_FOUND:
        # Each field alone says little; so the lines are looked up one by one.
        rows = [row for candidate in wanted.values() for row in records.find(_with(paths, candidate), limit=FEW)]
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
