"""A CSV file with a header, out of which an import makes the same data.

A column is a field of the records; objects and arrays are JSON in their cell, and what a cell cannot say plainly is
Extended JSON. An empty cell is a field that the record does not have.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.bound import TenantCollection
from tenants.exports.reading import read_ahead
from tenants.imports.candidates import value_at
from tenants.imports.cells import FORMULA_STARTS, MARK, written
from tenants.records.values import ID

# Records whose fields are that many are no table; whoever wants one chooses the fields.
MAX_COLUMNS = 10_000
ABSENT = ""


def csv_chunks(records: TenantCollection, query: Document, fields: Sequence[str] | None) -> Iterator[bytes]:
    """The header and the rows of one batch after the other.

    Raises PortalError 409 `columns_changed` when a record has come to have a field that the header lacks: its values
    must not just be missing.
    """
    # The first byte goes out before the columns are found, for that takes a reading of everything.
    yield ID.encode()
    columns = list(fields) if fields is not None else _columns(records, query)
    yield b"," + _text([[written(name) for name in columns]]) if columns else b"\r\n"
    known = None if fields is not None else frozenset(columns)
    for batch in read_ahead(records.stream(query)):
        rows = [_row(row, columns, known) for row in batch]
        yield _text(rows)


def _columns(records: TenantCollection, query: Document) -> list[str]:
    columns: dict[str, None] = {}
    shapes: set[tuple[str, ...]] = set()
    for batch in read_ahead(records.stream(query)):
        for row in batch:
            shape = tuple(row["data"])
            if shape not in shapes:
                columns |= dict.fromkeys(shape)
                if len(shapes) < MAX_COLUMNS:
                    shapes.add(shape)
        if len(columns) > MAX_COLUMNS:
            raise PortalError("too_many_columns", 422, f"There are over {MAX_COLUMNS:,} columns. Choose the fields.")
    return list(columns)


def _row(row: Document, columns: Sequence[str], known: frozenset[str] | None) -> list[str]:
    data = row["data"]
    if known is None:
        return [_id(row[ID]), *(_cell_at(data, path) for path in columns)]
    if not known.issuperset(data):
        raise PortalError("columns_changed", 409, "Somebody added a field meanwhile. Export again.")
    return [_id(row[ID]), *(written(data[name]) if name in data else ABSENT for name in columns)]


def _cell_at(data: Document, path: str) -> str:
    try:
        value: Any = value_at(data, path)
    except LookupError:
        return ABSENT
    return written(value)


def _id(id: str) -> str:
    # Ids are read as texts whatever they look like; only formulas need their mark.
    return MARK + id if id[0] in FORMULA_STARTS else id


def _text(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()
