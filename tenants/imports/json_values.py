"""One JSON document, fast: orjson reads it, and what it would not notice goes to the strict parser."""

import re
from typing import Any

import orjson

from orgportal import strict_json
from orgportal.database import Document
from tenants.imports.refusals import line_flaw
from tenants.records import values
from tenants.records.values import ID

# A record of 1 MiB has at most so many values; each costs the parser far more memory than its byte in the file.
MAX_VALUES = 400_000

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# To look for a run of digits this way takes a tenth of what a regular expression does.
_ALL_DIGITS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19


def parse(raw: bytes) -> Any:
    """The value of a JSON text. Raises PortalError as `strict_json.parse`, and 422 for too many values."""
    if len(raw) > MAX_VALUES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        _check_values(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return strict_json.parse(raw)
    # An integer over 64 bits would be rounded, and of a key that comes twice one would be lost: then there are
    # fewer colons in what was understood. With \u a colon can be written so that it does not count.
    if (
        b"\\u" in raw
        or _LONG_NUMBER in raw.translate(_ALL_DIGITS_ZERO)
        or raw.count(b":") != orjson.dumps(value).count(b":")
    ):
        return strict_json.parse(raw)
    return value


def document(raw: bytes) -> Document:
    """The BSON values by field, `_id` among them. Raises PortalError 400, 413, 422 with what is wrong."""
    value = parse(raw)
    if not isinstance(value, dict):
        raise line_flaw("Use a JSON object.")
    if ID not in value:
        return values.data_from_ejson(value, path="", json_bytes=len(raw))
    id = values.from_ejson(value.pop(ID), path=ID)
    return {ID: id, **values.data_from_ejson(value, path="", json_bytes=len(raw))}


def _check_values(raw: bytes) -> None:
    bare = _STRING.sub(b'""', raw)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MAX_VALUES:
        raise line_flaw("It has more values than a record can hold.")
