"""One document to a line: the record's fields with `_id` before them, in relaxed or canonical Extended JSON."""

from collections.abc import Iterator

from orgportal.database import Document
from tenants.bound import TenantCollection
from tenants.exports.reading import read_ahead
from tenants.records.lines import canonical_line, relaxed_line
from tenants.records.values import ID


def json_chunks(records: TenantCollection, query: Document, *, canonical: bool) -> Iterator[bytes]:
    """The lines of one batch after the other."""
    line = canonical_line if canonical else relaxed_line
    for batch in read_ahead(records.stream(query)):
        lines = [line({ID: row[ID], **row["data"]}) for row in batch]
        lines.append(b"")
        yield b"\n".join(lines)
