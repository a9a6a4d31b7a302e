"""What MongoDB would find and in which order, in plain Python: written from its manual, not from the portal."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import cmp_to_key
from typing import Any

from bson import Binary, Decimal128, ObjectId

MISSING = object()


NUMBERS = (int, float, Decimal128)
# The empty place is that of truth values, which Python takes for numbers.
KINDS: list[tuple[type, ...]] = [
    (type(None),), NUMBERS, (str,), (dict,), (list,), (bytes, Binary), (ObjectId,), (), (datetime,),
]  # fmt: skip


def rank(value: Any) -> int:
    """The place of a value's type in the comparison order."""
    if isinstance(value, bool):
        return 7
    for place, kinds in enumerate(KINDS):
        if isinstance(value, kinds):
            return place
    raise AssertionError(f"{value!r} has no place")


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1, over all types."""
    if rank(one) != rank(other):
        return -1 if rank(one) < rank(other) else 1
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=False)
        for (name, left), (second, right) in pairs:
            steps = (rank(left) - rank(right), (name > second) - (name < second), compare(left, right))
            if any(steps):
                return next(step for step in steps if step)
        return len(one) - len(other)
    if isinstance(one, list):
        for left, right in zip(one, other, strict=False):
            if compare(left, right):
                return compare(left, right)
        return len(one) - len(other)
    left, right = _plain(one), _plain(other)
    return int(left > right) - int(left < right)


def _plain(value: Any) -> Any:
    if value is None:
        return 0
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, bytes):
        return (len(value), value)
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()
    if rank_of_number(value) and math.isnan(value):
        return (0, 0)
    return (1, value) if rank_of_number(value) else value


def rank_of_number(value: Any) -> bool:
    return not isinstance(value, bool | str | ObjectId | tuple)


def equal(one: Any, other: Any) -> bool:
    return rank(one) == rank(other) and compare(one, other) == 0


class Placed(list[Any]):
    """An array that the last step of a path reached by its place: an operator looks at it, not at its elements."""


def reached(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Every value that a query's path leads to, through arrays; MISSING where it leads to nothing."""
    if not path:
        yield value
    elif isinstance(value, dict):
        yield from reached(value[path[0]], path[1:]) if path[0] in value else iter([MISSING])
    elif isinstance(value, list):
        if path[0].isdigit():
            place = int(path[0])
            if place >= len(value):
                yield MISSING
            elif len(path) == 1 and isinstance(value[place], list):
                yield Placed(value[place])
            else:
                yield from reached(value[place], path[1:])
        for element in value:
            if isinstance(element, dict):
                yield from reached(element, path)
    else:
        yield MISSING


def candidates(data: Any, path: Sequence[str]) -> list[Any]:
    """The values that an operator looks at: those reached, and the elements of those that are arrays."""
    found: list[Any] = []
    for value in reached(data, path):
        found.append(value)
        if isinstance(value, list) and not isinstance(value, Placed):
            found += value
    return found


def matches(data: dict[str, Any], filter_: dict[str, Any]) -> bool:
    """Whether a record with this data is found by a filter (of BSON values)."""
    return all(_condition(data, name, test) for name, test in filter_.items())


def _condition(data: dict[str, Any], name: str, test: Any) -> bool:
    if name in {"$and", "$or"}:
        parts = [matches(data, part) for part in test]
        return all(parts) if name == "$and" else any(parts)
    if name == "$not":
        return not matches(data, test)
    return _test(data, name.split("."), test)


def _test(data: Any, path: list[str], test: Any) -> bool:
    if not isinstance(test, dict) or not any(name.startswith("$") for name in test):
        return _equals(data, path, test)
    return all(_operator(data, path, name, operand) for name, operand in test.items())


def _operator(data: Any, path: list[str], name: str, operand: Any) -> bool:
    if name == "$not":
        return not _test(data, path, operand)
    if name in {"$ne", "$nin"}:
        return not _operator(data, path, {"$ne": "$eq", "$nin": "$in"}[name], operand)
    if name in {"$eq", "$in"}:
        return any(_equals(data, path, value) for value in ([operand] if name == "$eq" else operand))
    if name == "$exists":
        return any(value is not MISSING for value in reached(data, path)) is operand
    found = [value for value in candidates(data, path) if value is not MISSING]
    if name == "$prefix":
        return any(isinstance(value, str) and value.startswith(operand) for value in found)
    return any(rank(value) == rank(operand) and _ordered(value, name, operand) for value in found)


def _ordered(value: Any, name: str, operand: Any) -> bool:
    nan = [_is_nan(value), _is_nan(operand)]
    if any(nan):
        return all(nan) and name in {"$gte", "$lte"}
    sign = compare(value, operand)
    return {"$gt": sign > 0, "$gte": sign >= 0, "$lt": sign < 0, "$lte": sign <= 0}[name]


def _is_nan(value: Any) -> bool:
    if isinstance(value, Decimal128):
        return value.to_decimal().is_nan()
    return isinstance(value, float) and math.isnan(value)


def _equals(data: Any, path: list[str], operand: Any) -> bool:
    found = candidates(data, path)
    if operand is None and any(value is MISSING for value in found):
        return True
    return any(value is not MISSING and equal(value, operand) for value in found)


def sort_key(data: dict[str, Any], path: str, *, descending: bool) -> Any:
    """What a record sorts by: the least element of an array, or the greatest; None for nothing."""
    found = list(_sorted_by(data, path.split(".")))
    key = cmp_to_key(_with_empty)
    found = found or [None]
    return (max if descending else min)(map(key, found))


EMPTY = object()


def _with_empty(one: Any, other: Any) -> int:
    """An empty array comes before everything."""
    if one is EMPTY or other is EMPTY:
        return (one is not EMPTY) - (other is not EMPTY)
    return compare(one, other)


def _sorted_by(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if not path:
        yield from (value or [EMPTY]) if isinstance(value, list) else [value]
    elif isinstance(value, dict):
        yield from _sorted_by(value[path[0]], path[1:]) if path[0] in value else [None]
    elif isinstance(value, list) and value:
        if path[0].isdigit() and int(path[0]) < len(value):
            yield from _sorted_by(value[int(path[0])], path[1:])
        else:
            for element in value:
                yield from _sorted_by(element, path) if isinstance(element, dict) else []
    else:
        yield None
