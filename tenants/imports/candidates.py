"""From one line of a file to a record that may be written: the one place where a line is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from bson.binary import UUID_SUBTYPE, Binary

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.access import Access
from tenants.imports.documents import LineError
from tenants.imports.refusals import line_flaw
from tenants.records.documents import is_id
from tenants.records.values import ID
from tenants.rules import service as rules

ERRORS_PER_LINE = 5


@dataclass(frozen=True)
class Candidate:
    """A line that can become a record; `id` is empty when the line names none."""

    line: int
    id: str
    data: Document


@dataclass(frozen=True)
class Batch:
    """Consecutive lines: what can be written of them and what is wrong with the others. `line` is the last one."""

    line: int
    received: int
    bytes: int
    candidates: Sequence[Candidate]
    errors: Sequence[LineError]


def candidate_from(line: int, document: Document) -> Candidate:
    """The record that a line's document (BSON values, `_id` among them) may become. Raises PortalError 422."""
    return Candidate(line, _id_from(document.pop(ID)) if ID in document else "", document)


def checked_record(access: Access, candidate: Candidate) -> None:
    """Hold a line to what its organization demands of records. Raises PortalError 422 with what is wrong."""
    rules.check(access=access, data=candidate.data, path="")


def line_errors(line: int, error: PortalError) -> list[LineError]:
    """What is reported of a refused line."""
    if not error.errors:
        in_line = error.data.get("line") == 1 and "column" in error.data
        return [LineError(line, "", f"Column {error.data['column']} is not valid JSON." if in_line else error.message)]
    return [LineError(line, wrong.path, wrong.message) for wrong in error.errors[:ERRORS_PER_LINE]]


def value_at(data: Mapping[str, Any], path: str) -> Any:
    """The value that a dotted path leads to through objects. Raises LookupError where there is none."""
    value: Any = data
    for name in path.split("."):
        if not isinstance(value, Mapping):
            raise LookupError(path)
        value = value[name]
    return value


def _id_from(value: Any) -> str:
    """The record id that a file's `_id` stands for: a text as it is, an ObjectId or UUID as such, an integer."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    text = str(value) if whole or isinstance(value, str | ObjectId) else ""
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE:
        text = str(value.as_uuid())
    if not is_id(text):
        raise line_flaw(
            "Use a text of 1 to 128 of A-Z, a-z, 0-9 and . _ ~ : @ -, an integer, an ObjectId or a UUID.", path=ID
        )
    return text
