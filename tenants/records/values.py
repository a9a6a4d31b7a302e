"""What a record may hold, and how it goes between JSON and BSON without loss.

Values come in as strict JSON in which MongoDB's Extended JSON v2 wrappers stand for what JSON has no word for
(`{"$date": …}`, `{"$oid": …}`), and go out the same way. Whatever is accepted reads back as the same BSON.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import bson
from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidBSON, InvalidDocument, InvalidStringData

from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants.records import wrappers

MAX_DEPTH = 32
# The deepest wrapper, {"$date": {"$numberLong": …}}, stands for one value and takes two levels.
MAX_JSON_DEPTH = MAX_DEPTH + 2
MAX_KEYS = 1000
MAX_NAME = 128
MAX_BYTES = 1_048_576
MAX_ERRORS = 100
# Only for plain integers: for a subclass such as Int64, `in` counts through the range.
INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)

# MongoEngine, which other programs may read the collection with, takes these for classes and references.
RESERVED_NAMES = frozenset({"_cls", "_ref"})
# In a flat document (a line of an import or export) this is the record's id.
ID = "_id"

_SCALARS = (str, bool, int, float, ObjectId, Decimal128, bytes, DatetimeMS, datetime, type(None))
# What JSON and BSON have alike.
_SAME = frozenset({str, bool, float, type(None)})
_WORST_GROWTH = 8


def from_ejson(value: Any, *, path: str = "data") -> Any:
    """The BSON value of a JSON value with Extended JSON v2 wrappers.

    `value` is what `orgportal.strict_json.parse` or another strict parser gave. Integers become int32 or, where
    they do not fit, int64; other types than JSON's come of their wrappers alone. Raises PortalError 422 with the
    path of everything that cannot be taken: unknown wrappers, names that MongoDB could misread, over 1,000 keys
    in one object, over 32 levels.
    """
    errors: list[InputError] = []
    converted = _convert(value, path, 1, errors)
    if errors:
        raise _invalid(errors)
    return converted


def data_from_ejson(value: Any, *, path: str = "data", json_bytes: int | None = None) -> Document:
    """The data of a record from its JSON object, as `from_ejson`; also checked as a whole.

    `json_bytes` is the length of the strict JSON text that it was parsed from, where known: with a short one the
    size needs no look. Raises PortalError 422 also for what is no object and for `_id` at the top, 413
    `record_too_large` for over 1 MiB of BSON.
    """
    if not isinstance(value, dict) or (len(value) == 1 and next(iter(value)) in wrappers.READERS):
        raise _invalid([InputError(path, "Use a JSON object.")])
    data: Document = from_ejson(value, path=path)
    _refuse_id(data, path)
    if json_bytes is None or json_bytes * _WORST_GROWTH > MAX_BYTES:
        _check_size(data, path)
    return data


def check_data(data: Document, *, path: str = "data") -> None:
    """Hold BSON values that were made otherwise (merged, read from CSV) to the same rules.

    Raises PortalError as `data_from_ejson`.
    """
    errors = list(_wrong(data, path, 1))
    if errors:
        raise _invalid(errors)
    _refuse_id(data, path)
    _check_size(data, path)


def to_relaxed(value: Any) -> Any:
    """The value as JSON has it, with wrappers only where JSON alone would lose the type."""
    kind = type(value)
    if kind is dict:
        return {name: to_relaxed(inner) for name, inner in value.items()}
    if kind is list:
        return [to_relaxed(inner) for inner in value]
    if kind is float:
        return value if math.isfinite(value) else wrappers.double(value)
    if kind in (str, int, bool, type(None)):
        return value
    return wrappers.relaxed(value)


def to_canonical(value: Any) -> Any:
    """The value in canonical Extended JSON v2: every number says which type it is."""
    kind = type(value)
    if kind is dict:
        return {name: to_canonical(inner) for name, inner in value.items()}
    if kind is list:
        return [to_canonical(inner) for inner in value]
    if kind in (str, bool, type(None)):
        return value
    return wrappers.canonical(value)


def join(path: str, name: str | int) -> str:
    """The path of a member, fit to be shown."""
    shown = str(name).encode("utf-8", "backslashreplace").decode()[:200]
    return f"{path}.{shown}" if path else shown


def name_flaw(name: str) -> str | None:
    """Why a field cannot have this name, or None."""
    if not name:
        return "A name may not be empty."
    if name[0] == "$":
        return "A name may not begin with $; of MongoDB's types, those that the documentation lists are known."
    if "." in name or "\0" in name:
        return "A name may not hold a dot or NUL."
    if len(name) > MAX_NAME:
        return f"A name has at most {MAX_NAME} characters."
    if name in RESERVED_NAMES:
        return "This name is reserved."
    return None


def _convert(value: Any, path: str, level: int, errors: list[InputError]) -> Any:
    kind = type(value)
    if kind in _SAME:
        return value
    if kind is int:
        return _integer(value, path, errors)
    if kind is dict:
        return _convert_object(value, path, level, errors)
    if kind is list:
        if _too_deep(level, path, errors):
            return None
        return [_convert(inner, f"{path}.{index}", level + 1, errors) for index, inner in enumerate(value)]
    errors.append(InputError(path, "This is not a JSON value."))
    return None


def _integer(value: int, path: str, errors: list[InputError]) -> int | None:
    if -(2**31) <= value < 2**31:
        return value
    if value in INT64:
        return Int64(value)
    errors.append(InputError(path, "Use an integer of at most 64 bits."))
    return None


def _convert_object(value: dict[str, Any], path: str, level: int, errors: list[InputError]) -> Any:
    if len(value) == 1:
        name = next(iter(value))
        reader = wrappers.READERS.get(name)
        if reader is not None:
            try:
                return reader(value[name])
            except ValueError as wrong:
                errors.append(InputError(join(path, name), str(wrong)))
                return None
    if _too_deep(level, path, errors):
        return None
    if len(value) > MAX_KEYS:
        errors.append(InputError(path, f"Use at most {MAX_KEYS:,} keys."))
        return None
    converted, above = {}, f"{path}." if path else ""
    for name, inner in value.items():
        flaw = _short_name_flaw(name) if len(name) <= MAX_NAME else name_flaw(name)
        if flaw:
            errors.append(InputError(join(path, name), flaw))
        elif type(inner) in _SAME or (type(inner) is int and -(2**31) <= inner < 2**31):
            # Most values are such; a call for each is what an import would spend most time on.
            converted[name] = inner
        else:
            converted[name] = _convert(inner, above + name, level + 1, errors)
    return converted


# The lines of a file repeat their names.
_short_name_flaw = lru_cache(maxsize=10_000)(name_flaw)


def _too_deep(level: int, path: str, errors: list[InputError]) -> bool:
    if level > MAX_DEPTH:
        errors.append(InputError(path, f"Nest at most {MAX_DEPTH} levels."))
    return level > MAX_DEPTH


def _wrong(value: Any, path: str, level: int) -> Iterator[InputError]:
    if isinstance(value, dict | list):
        if level > MAX_DEPTH:
            yield InputError(path, f"Nest at most {MAX_DEPTH} levels.")
            return
        if isinstance(value, dict):
            yield from _wrong_members(value, path, level)
        else:
            for index, inner in enumerate(value):
                yield from _wrong(inner, f"{path}.{index}", level + 1)
    elif not isinstance(value, _SCALARS) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        yield InputError(path, "This is not a value that a record can hold.")


def _wrong_members(value: Mapping[str, Any], path: str, level: int) -> Iterator[InputError]:
    if len(value) > MAX_KEYS:
        yield InputError(path, f"Use at most {MAX_KEYS:,} keys.")
    for name, inner in value.items():
        flaw = name_flaw(name)
        if flaw:
            yield InputError(join(path, name), flaw)
        yield from _wrong(inner, join(path, name), level + 1)


def _refuse_id(data: Document, path: str) -> None:
    if ID in data:
        raise _invalid([InputError(join(path, ID), "The record's id is not part of its data.")])


def _check_size(data: Document, path: str) -> None:
    try:
        size = len(bson.encode(data))
    except (InvalidBSON, InvalidDocument, InvalidStringData, UnicodeError, OverflowError):
        raise _invalid([InputError(path, "It holds text that is not valid Unicode.")]) from None
    if size > MAX_BYTES:
        message = "A record holds at most 1 MiB."
        raise PortalError("record_too_large", 413, message, errors=[InputError(path, f"{size:,} bytes are too many.")])


def _invalid(errors: list[InputError]) -> PortalError:
    return PortalError("invalid_input", 422, "Some of the input is not acceptable.", errors=errors[:MAX_ERRORS])
