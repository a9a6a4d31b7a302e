"""The columns of a CSV file: where in a record their cells go, and how they are read."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.imports import cells, json_values
from tenants.imports.options import Options
from tenants.imports.refusals import file_refused, line_flaw
from tenants.records import values
from tenants.records.values import ID, name_flaw

REMEMBERED = 20_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SPACED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9:.]{5,12})(Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


@dataclass(frozen=True)
class Column:
    """`read` makes the value of a cell that is not empty, or TEXT for none; it raises PortalError 422."""

    name: str
    path: tuple[str, ...]
    kind: str
    read: Callable[[str], Any]
    missing: frozenset[str] = frozenset()

    @property
    def is_nested(self) -> bool:
        return len(self.path) > 1

    def put(self, document: Document, value: Any) -> None:
        """Put the value where the column's name says; no other column leads to the same place."""
        for name in self.path[:-1]:
            document = document.setdefault(name, {})
        document[self.path[-1]] = value

    def of_codes(self) -> "Column":
        """The same, of texts, unless the sender said what it is."""
        return replace(self, read=_reader("string", self.missing)) if self.kind == "auto" else self


def columns_from(header: list[str], options: Options) -> list[Column]:
    """The columns of a header. Raises PortalError 422 for one that cannot be."""
    if len(header) > settings.IMPORT_MAX_COLUMNS:
        most = settings.IMPORT_MAX_COLUMNS
        raise file_refused(f"The header has {len(header):,} columns, and may have {most:,}.", line=1)
    names = [cells.unmarked(name) for name in header]
    _check_names(names)
    unknown = [name for name in options.types if name not in names]
    if unknown:
        raise file_refused(f"There is no column {unknown[0][:200]}, which types names.", line=1)
    return [_column(name, options) for name in names]


def _column(name: str, options: Options) -> Column:
    missing = frozenset(options.missing)
    kind = "string" if name == ID else options.types.get(name, "auto" if options.infer else "string")
    return Column(name, tuple(name.split(".")), kind, _reader(kind, missing), missing)


def _check_names(names: list[str]) -> None:
    taken: set[tuple[str, ...]] = set()
    for number, name in enumerate(names, start=1):
        path = tuple(name.split("."))
        flaw = None if name == ID else next(filter(None, map(name_flaw, path)), None)
        if not name:
            flaw = "It has no name."
        elif path[0] == ID and len(path) > 1:
            flaw = "The record's id has no fields."
        elif path in taken:
            flaw = "There is another column of that name."
        elif len(path) > values.MAX_DEPTH:
            flaw = f"Nest at most {values.MAX_DEPTH} levels."
        if flaw:
            raise file_refused(f"Column {number:,}, {name[:200]!r}: {flaw}", line=1)
        taken.add(path)
    for path in taken:
        if any(path[:length] in taken for length in range(1, len(path))):
            raise file_refused(f"The column {'.'.join(path)[:200]!r} lies within another column.", line=1)


def _reader(kind: str, missing: frozenset[str]) -> Callable[[str], Any]:
    read = _READERS[kind]
    if kind == "json":
        return lambda cell: cells.TEXT if cell in missing else read(cell)
    remembered: dict[str, Any] = {}

    def reading(cell: str) -> Any:
        # Cells repeat themselves. What could be changed is never given out twice.
        if cell in remembered:
            return remembered[cell]
        value = cells.TEXT if cell in missing else read(cell)
        if type(value) not in (dict, list):
            if len(remembered) >= REMEMBERED:
                remembered.clear()
            if len(cell) < 100:
                remembered[cell] = value
        return value

    return reading


def _number(cell: str) -> Any:
    if re.fullmatch(r"[+-]?[0-9]{1,19}", cell, re.ASCII):
        whole = cells.integer(int(cell))
        if whole is not cells.TEXT:
            return whole
    try:
        number = float(cell) if re.fullmatch(r"[0-9eE+.-]{1,400}", cell, re.ASCII) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise line_flaw("Use a number.")
    return number


def _integer(cell: str) -> Any:
    number = cells.integer(int(cell)) if re.fullmatch(r"[+-]?[0-9]{1,19}", cell, re.ASCII) else cells.TEXT
    if number is cells.TEXT:
        raise line_flaw("Use an integer of at most 64 bits.")
    return number


def _boolean(cell: str) -> bool:
    try:
        return _TRUTH[cell.strip().lower()]
    except KeyError:
        raise line_flaw("Use true or false, yes or no, 1 or 0.") from None


def _date(cell: str) -> Any:
    """A day, which begins in UTC, or a time of it; without a zone in UTC."""
    text = f"{cell}T00:00:00Z" if _DAY.fullmatch(cell) else cell
    found = _SPACED.fullmatch(text)
    if found:
        clock = f"{found[2]}:00" if found[2].count(":") == 1 else found[2]
        value = cells.instant(f"{found[1]}T{clock}{found[3] or 'Z'}")
        if isinstance(value, datetime):
            return value
    raise line_flaw("Use a date such as 2024-05-01, or 2024-05-01T12:00:00Z.")


def _json(cell: str) -> Any:
    try:
        value = json_values.parse(cell.encode())
    except UnicodeError:
        raise line_flaw("The text is not valid Unicode.") from None
    except PortalError as error:
        raise error if error.errors else line_flaw(error.message) from None
    return values.from_ejson(value, path="")


_READERS: dict[str, Callable[[str], Any]] = {
    "auto": cells.infer,
    "string": cells.unmarked,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "json": _json,
}
