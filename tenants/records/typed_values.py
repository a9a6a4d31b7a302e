"""Values as people type them, and the JSON values (with Extended JSON wrappers) that they stand for. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from orgportal import strict_json
from orgportal.errors import PortalError

KINDS: Mapping[str, str] = {
    "auto": "auto",
    "text": "text",
    "number": "number",
    "date": "date",
    "id": "id",
    "decimal": "decimal",
    "json": "JSON",
}

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,3})?)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_ID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


def read_value(text: str, kind: str, types: frozenset[str] = frozenset()) -> Any:
    """The JSON value (with Extended JSON wrappers) that a typed text stands for.

    As "auto": quoted is text, true, false, null and numbers are what they look like, also dates and ids where the
    field is known to hold such; whatever a field of texts alone is compared with is text. Raises ValueError with a
    sentence when it cannot be read as its kind.
    """
    if kind != "auto":
        return _READERS[kind](text)
    if text.startswith('"'):
        return _json(text)
    bare = text.strip()
    if types == {"text"} and bare != "null":
        return text
    if bare in _WORDS:
        return _WORDS[bare]
    for candidate, pattern in (("decimal", _DECIMAL), ("date", _DATE), ("id", _ID)):
        if candidate in types and "number" not in types and pattern.fullmatch(bare):
            return _READERS[candidate](bare)
    return _number(bare) if _NUMBER.fullmatch(bare) else text


def _number(text: str) -> Any:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError("This is not a number. Write it like 42 or -1.5.")
    try:
        return strict_json.parse(text.strip().encode())
    except PortalError:
        raise ValueError("The number is too large.") from None


def _json(text: str) -> Any:
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except PortalError:
        raise ValueError('This is not JSON. A text in it stands in "quotes".') from None


def _date(text: str) -> dict[str, str]:
    found = _DATE.fullmatch(text.strip())
    if not found:
        raise ValueError("This is not a date. Write it like 2024-05-01 or 2024-05-01T12:30:00Z.")
    day, minutes, seconds, zone = found.groups()
    return {"$date": f"{day}T{minutes or '00:00'}{seconds or ':00'}{zone or 'Z'}"}


def _id(text: str) -> dict[str, str]:
    if not _ID.fullmatch(text.strip()):
        raise ValueError("This is not an id. It has 24 of 0-9 and a-f.")
    return {"$oid": text.strip().lower()}


def _decimal(text: str) -> dict[str, str]:
    if not _DECIMAL.fullmatch(text.strip()):
        raise ValueError("This is not a decimal number. Write it like 19.90.")
    return {"$numberDecimal": text.strip()}


_READERS: Mapping[str, Callable[[str], Any]] = {
    "text": lambda text: text,
    "number": _number,
    "date": _date,
    "id": _id,
    "decimal": _decimal,
    "json": _json,
}


def write_value(value: Any, types: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Text and kind that `read_value` makes this value of; "auto" where that is enough."""
    text, kind = _written(value)
    try:
        if read_value(text, "auto", types) == value and type(read_value(text, "auto", types)) is type(value):
            return text, "auto"
    except ValueError:
        pass
    return text, kind


def _written(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return value, "text"
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, inner),) = value.items()
        kind = {"$date": "date", "$oid": "id", "$numberDecimal": "decimal"}.get(name)
        if kind and isinstance(inner, str):
            try:
                if _READERS[kind](inner) == value:
                    return inner.removesuffix("T00:00:00Z") if kind == "date" else inner, kind
            except ValueError:
                pass
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value), "number"
    return json.dumps(value, ensure_ascii=False), "json"
