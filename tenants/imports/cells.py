"""What a cell of a CSV file means: told from its text alone, and the other way round.

A text that would be taken for something else (a number, a formula of a spreadsheet) is marked by an apostrophe in
front, as spreadsheets do it; the mark is undone by whoever reads the cell. So every value that a cell can hold comes
back as what it was.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import orjson
from bson import Int64

from orgportal.errors import PortalError
from tenants.imports import json_values
from tenants.records import values, wrappers

MARK = "'"
# Spreadsheets take a cell that begins so for a formula, or pass over the character and then do
# (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA_STARTS = frozenset("=+-@\t\r\n")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}

INTEGER = re.compile(r"-?[1-9][0-9]{0,18}|0", re.ASCII)
# What has an exponent and no sign in it is rather a product code.
FRACTION = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-][0-9]+)", re.ASCII)
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z", re.ASCII)
LEADING_ZERO = re.compile(r"0[0-9]+", re.ASCII)
_NUMBER_STARTS = frozenset("-0123456789")
_JSON_STARTS = frozenset('{["')
_ESCAPED_NUL = "\\u0000"

# Stands for "a text"; `None` is a value.
TEXT = object()


def infer(cell: str) -> Any:
    """The BSON value that a cell which is not empty stands for.

    Raises PortalError 422 for JSON that no record can hold.
    """
    value = meaning(cell)
    return unmarked(cell) if value is TEXT else value


def meaning(cell: str) -> Any:
    """The value of a cell that is more than its text, else TEXT. Raises PortalError as `infer`."""
    first = cell[:1]
    if first in _NUMBER_STARTS and first:
        return _number_or_instant(cell)
    if first in _JSON_STARTS and first:
        return _json(cell)
    return WORDS.get(cell, TEXT)


def _number_or_instant(cell: str) -> Any:
    if INTEGER.fullmatch(cell):
        return integer(int(cell))
    if FRACTION.fullmatch(cell):
        number = float(cell)
        return number if math.isfinite(number) else TEXT
    if INSTANT.fullmatch(cell):
        return instant(cell)
    return TEXT


def integer(number: int) -> Any:
    """The integer in the type in which records keep it, TEXT where none is wide enough."""
    if number in values.INT32:
        return number
    return Int64(number) if number in values.INT64 else TEXT


def instant(text: str) -> Any:
    """The instant that an ISO 8601 text with a zone names, TEXT where there is no such one."""
    try:
        return wrappers.READERS["$date"](text)
    except ValueError:
        return TEXT


def _json(cell: str) -> Any:
    # A quoted text only in the form in which `written` makes one: elsewhere quotes belong to what people wrote.
    if cell[0] == '"' and _ESCAPED_NUL not in cell:
        return TEXT
    try:
        value = json_values.parse(cell.encode())
    except (PortalError, UnicodeError):
        return TEXT
    return values.from_ejson(value, path="")


def is_mistakable(text: str) -> bool:
    """Whether a text needs the mark, to come back as what it is and to be no formula."""
    bare = text.lstrip(MARK)
    if not bare:
        return True
    if bare[0] in FORMULA_STARTS or LEADING_ZERO.fullmatch(bare):
        return True
    try:
        return meaning(bare) is not TEXT
    except PortalError:
        return True


def unmarked(cell: str) -> str:
    """The text of a cell; an apostrophe that marks nothing stays."""
    return cell[1:] if cell[:1] == MARK and is_mistakable(cell[1:]) else cell


def written(value: Any) -> str:
    """The cell of a BSON value, out of which `infer` makes the same value."""
    return _WRITERS.get(type(value), _written_json)(value)


def _written_text(text: str) -> str:
    if "\0" in text:
        return orjson.dumps(text).decode()
    return MARK + text if is_mistakable(text) else text


def _written_instant(value: datetime) -> str:
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _written_json(value: Any) -> str:
    # What begins with a brace or bracket is no formula to any spreadsheet.
    return orjson.dumps(values.to_relaxed(value)).decode()


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _written_text,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    int: str,
    # A short one would come back with 32 bits.
    Int64: lambda value: _written_json(value) if int(value) in values.INT32 else str(int(value)),
    float: lambda value: repr(value) if math.isfinite(value) else _written_json(value),
    datetime: _written_instant,
}
