"""What a value looks like in a cell of the grid: its kind, and a short text that cannot harm the page. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

SHORT = 60
LONG = 1000
_PREVIEWED_ITEMS = 8
# Control characters, and those that turn the direction of what follows or cannot be seen at all.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_SIGNS = {"\n": "↵", "\r": "", "\t": "⇥"}


class Missing:
    """The type of MISSING, which stands for a field that a record does not have."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True)
class Cell:
    """`kind` is the value's type in a word, `text` what fits a cell, `title` more of it where the text is cut."""

    kind: str
    text: str
    title: str = ""


def cell_of(value: Any) -> Cell:
    """The cell for a value as the database gave it, or for MISSING."""
    kind = kind_of(value)
    full = _text_of(value, kind)
    short = full if len(full) <= SHORT else f"{full[: SHORT - 1]}…"
    return Cell(kind, short, full[:LONG] if short != full or kind == "date" else "")


def kind_of(value: Any) -> str:  # noqa: PLR0911 - one line for each type reads best
    """missing, null, boolean, number, decimal, text, date, id, binary, object, array; else the type's name."""
    if isinstance(value, Missing):
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "object"
    for kind, types in _KINDS.items():
        if isinstance(value, types):
            return kind
    return type(value).__name__.lower()


_KINDS: dict[str, tuple[type, ...]] = {
    "array": (list, tuple),
    "decimal": (Decimal128,),
    "date": (datetime, DatetimeMS),
    "id": (ObjectId, UUID),
    "binary": (Binary, bytes),
}


def value_at(data: Mapping[str, Any], path: str) -> Any:
    """What a record has at a dotted path, MISSING where nothing is; a path through an array of objects gives a list."""
    return _walk(data, path.split("."))


def _walk(value: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return value
    if isinstance(value, Mapping):
        return _walk(value[steps[0]], steps[1:]) if steps[0] in value else MISSING
    if isinstance(value, list):
        if steps[0].isascii() and steps[0].isdigit():
            index = int(steps[0]) if len(steps[0]) < 7 else len(value)
            return _walk(value[index], steps[1:]) if index < len(value) else MISSING
        found = [inner for item in value if isinstance(item, Mapping) and (inner := _walk(item, steps)) is not MISSING]
        return found or MISSING
    return MISSING


def plain(text: str) -> str:
    """The text on one line, with what cannot be seen, or would turn the direction of writing, spelled out."""
    return _UNSEEN.sub(lambda found: _SIGNS.get(found[0], f"\\u{ord(found[0]):04x}"), text)


def _text_of(value: Any, kind: str) -> str:
    if kind == "text":
        return plain(value[: LONG + 1])
    if kind == "date":
        return date_text(value)
    if kind == "binary":
        return f"{len(value):,} byte{'' if len(value) == 1 else 's'}"
    if kind == "array":
        return f"[{', '.join(_items(value))}]"
    if kind == "object":
        return f"{{{', '.join(_members(value))}}}"
    return plain(_scalar(value))


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Int64):
        return str(int(value))
    return "" if isinstance(value, Missing) else str(value)


def date_text(value: datetime | DatetimeMS) -> str:
    """A moment in UTC, as precise as it is: 2024-05-01, 2024-05-01 12:30:00, with milliseconds where it has them."""
    if isinstance(value, DatetimeMS):
        return f"{int(value)} ms since 1970"
    moment = value.astimezone(timezone.utc) if value.tzinfo else value
    day = moment.date().isoformat()
    if moment.microsecond:
        return f"{day} {moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
    return f"{day} {moment:%H:%M:%S}" if moment.hour or moment.minute or moment.second else day


def _items(values: Sequence[Any]) -> list[str]:
    shown = [_inner(item) for item in values[:_PREVIEWED_ITEMS]]
    return [*shown, f"… {len(values) - len(shown):,} more"] if len(values) > len(shown) else shown


def _members(value: Mapping[str, Any]) -> list[str]:
    keys = list(value)
    shown = [f"{plain(key[:SHORT])}: {_inner(value[key])}" for key in keys[:_PREVIEWED_ITEMS]]
    return [*shown, f"… {len(keys) - len(shown):,} more"] if len(keys) > len(shown) else shown


def _inner(value: Any) -> str:
    """A value within a preview: of an object its first member, of an array how long it is. No nesting makes it long."""
    kind = kind_of(value)
    if kind == "object":
        return _glimpse(value)
    if kind == "array":
        return f"[{len(value)}]"
    if kind == "text":
        return plain(json.dumps(value[:SHORT], ensure_ascii=False))
    return _text_of(value, kind)


def _glimpse(value: Mapping[str, Any]) -> str:
    for key, first in value.items():
        inner = f"{{{len(first)}}}" if kind_of(first) == "object" else _inner(first)
        return f"{{{plain(key[:SHORT])}: {inner}{', …' if len(value) > 1 else ''}}}"
    return "{}"
