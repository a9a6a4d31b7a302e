"""The one use case of exports: an organization's records as a stream of bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, get_args

from orgportal.errors import invalid
from tenants import manager
from tenants.access import Access
from tenants.audit.records import exported
from tenants.documents import now
from tenants.exports.csv_file import csv_chunks
from tenants.exports.json_lines import json_chunks
from tenants.records.filters import query_of
from tenants.records.values import ID, MAX_KEYS, name_flaw

Format = Literal["ndjson", "csv", "ejson"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[str, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "ejson": "application/x-ndjson",
}
ENDINGS: dict[str, str] = {"ndjson": "ndjson", "csv": "csv", "ejson": "ejson"}


@dataclass(frozen=True)
class Export:
    """A file on its way. Reading `chunks` may raise: then what was read is a part, and must not pass for the whole."""

    file_name: str
    content_type: str
    chunks: Iterator[bytes]


def export(*, access: Access, format: str, filter: Any = None, fields: str | None = None) -> Export:
    """All records that match the filter, in constant memory.

    `fields` are the columns of a CSV file, by commas; without them they are found out in a first reading. Raises
    PortalError 422 for the input, 503 `organization_busy`; while it is read also 404 and 503 when the organization
    is deleted or renamed meanwhile.
    """
    if format not in FORMATS:
        raise invalid("format", f"Use one of {', '.join(FORMATS)}.")
    if fields is not None and format != "csv":
        raise invalid("fields", "Only format=csv has columns to choose.")
    query = query_of(filter or {})
    records = manager.bind(access)
    exported(access, {"format": format, "filtered": bool(filter)})
    if format == "csv":
        chunks = csv_chunks(records, query, _columns(fields))
    else:
        chunks = _begun(json_chunks(records, query, canonical=format == "ejson"))
    name = f"{access.organization.slug}-{now():%Y-%m-%d}.{ENDINGS[format]}"
    return Export(name, CONTENT_TYPES[format], chunks)


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, begun: what is wrong at the start can still be said."""
    first = next(chunks, None)
    return iter(()) if first is None else chain([first], chunks)


def _columns(fields: str | None) -> Sequence[str] | None:
    if fields is None:
        return None
    paths = [path for path in dict.fromkeys(word.strip() for word in fields.split(",")) if path and path != ID]
    for path in paths:
        if any(map(name_flaw, path.split("."))):
            raise invalid("fields", f"There is no field with the path {path[:200]}.")
    if len(paths) > MAX_KEYS:
        raise invalid("fields", f"Use at most {MAX_KEYS:,} fields.")
    return paths
