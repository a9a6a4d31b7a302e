"""MongoDB's order of values of any type, as keys that Python compares, and small enough to travel in a cursor.

Source: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/. A missing field counts as null,
an array by its least element (its greatest one where the order descends), an empty array comes before null.
Beyond MongoDB: only the beginning of long values counts, so that a position in the order has a bounded size; a
floating point number counts as its shortest notation says, so that 0.1 and the decimal number 0.1 are equal; and of
an array on the way to a field, what is no object is passed over, because a database that is asked for the field alone
leaves it out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import bson
from bson import Binary, Decimal128, Int64, ObjectId

from tenants.records.wrappers import milliseconds_of

# Of a text, so many characters count, and of an object or array inside an array so many members.
SHOWN_TEXT = 100
SHOWN_MEMBERS = 20
SHOWN_DEPTH = 4
MAX_BYTES = 450

Key = tuple[Any, ...]

EMPTY_ARRAY: Key = (1,)
NULL: Key = (2,)


class Descending:
    """A key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __lt__(self, other: "Descending") -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


class EmptyArray:
    """Stands for the value of an empty array, which has no element to sort by."""


def sort_value(document: Any, path: Sequence[str], *, descending: bool) -> Any:
    """The one value that a document sorts by, shortened; None where the field is missing."""
    found = [shortened(value) for value in _reached(document, path)]
    if not found:
        return None
    return found[0] if len(found) == 1 else (max if descending else min)(found, key=key_of)


def key_of(value: Any) -> Key:
    """The key of a value: keys compare as MongoDB compares the values."""
    if value is None:
        return NULL
    kind = _KINDS.get(type(value))
    # What other programs wrote is kept together, behind everything else.
    return kind(value) if kind else (11, type(value).__name__)


def shortened(value: Any) -> Any:
    """The beginning of a value, of at most some hundred bytes; the same for the same value."""
    if isinstance(value, str):
        return value[:SHOWN_TEXT] if len(value) > SHOWN_TEXT else value
    if not isinstance(value, dict | list | bytes):
        return value
    short = _cut(value, 1)
    if len(bson.encode({"": short})) <= MAX_BYTES:
        return short
    return value[:SHOWN_TEXT] if isinstance(value, bytes) else type(value)()


def _cut(value: Any, level: int) -> Any:
    if isinstance(value, str):
        return value[:SHOWN_TEXT]
    if isinstance(value, dict):
        return (
            {name: _cut(value[name], level + 1) for name in list(value)[:SHOWN_MEMBERS]} if level < SHOWN_DEPTH else {}
        )
    if isinstance(value, list):
        return [_cut(inner, level + 1) for inner in value[:SHOWN_MEMBERS]] if level < SHOWN_DEPTH else []
    return value


def _number(value: float) -> Key:
    if math.isnan(value):
        return (3, 0)
    # Below that, integers are what they are written as.
    return (3, 1, value if value.is_integer() and abs(value) < 2**53 else Decimal(repr(value)))


def _decimal(value: Decimal128) -> Key:
    number = value.to_decimal()
    return (3, 0) if number.is_nan() else (3, 1, number)


def _binary(value: bytes) -> Key:
    return (7, len(value), value.subtype if isinstance(value, Binary) else 0, bytes(value))


_KINDS: Mapping[type, Callable[[Any], Key]] = {
    type: lambda _: EMPTY_ARRAY,
    int: lambda value: (3, 1, value),
    Int64: lambda value: (3, 1, int(value)),
    float: _number,
    Decimal128: _decimal,
    str: lambda value: (4, value),
    dict: lambda value: (5, *((key_of(inner)[0], name, key_of(inner)) for name, inner in value.items())),
    list: lambda value: (6, *(key_of(inner) for inner in value)),
    bytes: _binary,
    Binary: _binary,
    ObjectId: lambda value: (8, value.binary),
    bool: lambda value: (9, value),
    datetime: lambda value: (10, milliseconds_of(value)),
}


def _reached(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at a path; arrays on the way count by their elements, as in a MongoDB index."""
    if not path:
        if not isinstance(value, list):
            yield value
        elif not value:
            yield EmptyArray
        else:
            yield from value
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _reached(value[path[0]], path[1:])
        else:
            yield None
    elif isinstance(value, list) and value:
        yield from _reached_through(value, path)
    else:
        yield None


def _reached_through(array: list[Any], path: Sequence[str]) -> Iterator[Any]:
    if path[0].isdigit() and int(path[0][:6]) < len(array):
        yield from _reached(array[int(path[0][:6])], path[1:])
        return
    for element in array:
        if isinstance(element, dict):
            yield from _reached(element, path)
