"""MongoDB's Extended JSON v2: the wrappers that stand for values which JSON has no word for.

Source: https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md. Known are
the types that hold data; those that hold code, patterns or the server's own marks are not.
"""

import base64
import binascii
import decimal
import math
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MS = (datetime.min.replace(tzinfo=timezone.utc) - EPOCH) // _MILLISECOND
_LAST_MS = (datetime.max.replace(tzinfo=timezone.utc) - EPOCH) // _MILLISECOND

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_DOUBLE = re.compile(r"-?[0-9]{1,400}(\.[0-9]{0,1100})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]{1,100}(\.[0-9]{0,100})?|\.[0-9]{1,100})([eE][+-]?[0-9]{1,5})?", re.ASCII)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,3}))?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2})?)",
    re.ASCII,
)
_OID = re.compile(r"[0-9a-fA-F]{24}", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_SUBTYPE = re.compile(r"[0-9a-fA-F]{1,2}", re.ASCII)
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def date_from(milliseconds: int) -> datetime:
    """The instant so many milliseconds after 1970 in UTC.

    Raises ValueError outside of the years 1 to 9999: the embedded database refuses such dates, and few
    programs can read them.
    """
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        raise ValueError("Use a date in the years 1 to 9999.")
    return EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(value: "datetime | DatetimeMS") -> int:
    """Milliseconds after 1970 in UTC."""
    return int(value) if isinstance(value, DatetimeMS) else (value - EPOCH) // _MILLISECOND


def _text(value: object, pattern: "re.Pattern[str]", message: str) -> "re.Match[str]":
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(message)
    return found


def _read_oid(value: object) -> ObjectId:
    return ObjectId(_text(value, _OID, "Use a text of 24 hexadecimal digits.")[0])


def _read_int(value: object) -> int:
    number = int(_text(value, _INTEGER, 'Use an integer as a text, such as "42".')[0])
    if not -(2**31) <= number < 2**31:
        raise ValueError("The number has more than 32 bits.")
    return number


def _read_long(value: object) -> Int64:
    number = int(_text(value, _INTEGER, 'Use an integer as a text, such as "42".')[0])
    if not -(2**63) <= number < 2**63:
        raise ValueError("The number has more than 64 bits.")
    return Int64(number)


def _read_double(value: object) -> float:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    number = float(
        _text(value, _DOUBLE, 'Use a number as a text, such as "1.5", or "NaN", "Infinity", "-Infinity".')[0]
    )
    if number - number != 0:
        raise ValueError("The number is too large.")
    return number


def _read_decimal(value: object) -> Decimal128:
    message = 'Use a decimal number as a text, such as "1.50", or "NaN", "Infinity", "-Infinity".'
    text = value if isinstance(value, str) and value in _SPECIAL else _text(value, _DECIMAL, message)[0]
    try:
        return Decimal128(text)
    except (decimal.DecimalException, ValueError):
        raise ValueError("The number has more than 34 digits, or its exponent is out of range.") from None


def _read_date(value: object) -> datetime:
    if isinstance(value, dict):
        if list(value) != ["$numberLong"]:
            raise ValueError('Use {"$date": {"$numberLong": "…"}} or an ISO 8601 text.')
        return date_from(_read_long(value["$numberLong"]))
    parts = _text(value, _ISO, "Use ISO 8601 with at most milliseconds and a zone, such as 2024-05-01T12:00:00.250Z.")
    year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
    try:
        instant = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        offset = timedelta(hours=int(parts[9] or 0), minutes=int(parts[10] or 0))
        if offset >= timedelta(hours=24) or int(parts[10] or 0) > 59:
            raise ValueError
    except ValueError:
        raise ValueError("There is no such date or time.") from None
    milliseconds = (instant - EPOCH) // _MILLISECOND + int((parts[7] or "0").ljust(3, "0"))
    return date_from(milliseconds - (offset // _MILLISECOND) * (-1 if parts[8] == "-" else 1))


def _read_binary(value: object) -> bytes:
    if not isinstance(value, Mapping) or set(value) != {"base64", "subType"}:
        raise ValueError('Use {"base64": "…", "subType": "00"}.')
    subtype = int(_text(value["subType"], _SUBTYPE, "The subType is one or two hexadecimal digits.")[0], 16)
    try:
        if not isinstance(value["base64"], str):
            raise ValueError
        raw = base64.b64decode(value["base64"], validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("The base64 text is not valid.") from None
    return Binary(raw, subtype) if subtype else raw


def _read_uuid(value: object) -> bytes:
    text = _text(value, _UUID, "Use a UUID with its hyphens.")[0]
    binary: bytes = Binary(uuid.UUID(text).bytes, UUID_SUBTYPE)
    return binary


READERS: Mapping[str, Callable[[Any], Any]] = {
    "$oid": _read_oid,
    "$date": _read_date,
    "$numberInt": _read_int,
    "$numberLong": _read_long,
    "$numberDouble": _read_double,
    "$numberDecimal": _read_decimal,
    "$binary": _read_binary,
    "$uuid": _read_uuid,
}


def double(value: float) -> dict[str, str]:
    """The wrapper of a 64-bit floating point number."""
    if math.isnan(value):
        return {"$numberDouble": "NaN"}
    return {"$numberDouble": {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value) or repr(value)}


def _date(value: "datetime | DatetimeMS") -> dict[str, Any]:
    return {"$date": {"$numberLong": str(milliseconds_of(value))}}


def _relaxed_date(value: datetime) -> dict[str, Any]:
    if value.year < 1970:
        return _date(value)
    text = value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    milliseconds = value.microsecond // 1000
    return {"$date": f"{text}.{milliseconds:03}Z" if milliseconds else f"{text}Z"}


def _binary(value: bytes) -> dict[str, Any]:
    subtype = value.subtype if isinstance(value, Binary) else 0
    return {"$binary": {"base64": base64.b64encode(value).decode(), "subType": f"{subtype:02x}"}}


def _relaxed_binary(value: bytes) -> dict[str, Any]:
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == 16:
        return {"$uuid": str(uuid.UUID(bytes=bytes(value)))}
    return _binary(value)


def _relaxed_long(value: int) -> Any:
    # A reader would take a short one for 32 bits.
    return {"$numberLong": str(value)} if -(2**31) <= value < 2**31 else int(value)


def _canonical_integer(value: int) -> dict[str, str]:
    fits = -(2**31) <= value < 2**31
    return {"$numberInt" if fits else "$numberLong": str(value)}


_CANONICAL: Mapping[type, Callable[[Any], Any]] = {
    int: _canonical_integer,
    Int64: lambda value: {"$numberLong": str(int(value))},
    float: double,
    datetime: _date,
    DatetimeMS: _date,
    ObjectId: lambda value: {"$oid": str(value)},
    Decimal128: lambda value: {"$numberDecimal": str(value)},
    bytes: _binary,
    Binary: _binary,
}
_RELAXED: Mapping[type, Callable[[Any], Any]] = {
    **_CANONICAL,
    Int64: _relaxed_long,
    datetime: _relaxed_date,
    bytes: _relaxed_binary,
    Binary: _relaxed_binary,
}


def canonical(value: Any) -> Any:
    """The canonical wrapper of a value that is no text, truth value, null, object or array."""
    return _CANONICAL[type(value)](value)


def relaxed(value: Any) -> Any:
    """As `canonical`, but in the shortest form that keeps the type; finite numbers never come here."""
    return _RELAXED[type(value)](value)
