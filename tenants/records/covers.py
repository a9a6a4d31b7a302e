"""Queries that find the records of a stretch of an order by fields, each of them a range of an index over those fields.

They may find more than the stretch, and some of it twice; never less. So nothing here depends on how exactly a
database compares: who asks puts every record into its place himself (`tenants.records.sorting`). It is the
ranges' ends that make them cheap: on a real MongoDB as well as on the embedded database, which takes a range from an
index only when it has two ends, and objects not at all (see `companions_of`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal

from bson import Binary, Decimal128, MaxKey, ObjectId

from orgportal.database import Document
from tenants.records.ordering import EmptyArray, key_of
from tenants.records.sorting import SortKey
from tenants.records.values import MAX_BYTES

Place = tuple[Any, ...]

# The kinds of values in their order: the first member of their keys (`tenants.records.ordering`).
EMPTY_ARRAY, NULL, NUMBER, TEXT, OBJECT, ARRAY, BINARY, ID, TRUTH, DATE = range(1, 11)
# What the portal does not store, and no range here would find.
UNKNOWN = 11
FIRST_ID, LAST_ID = "", "\x7f"
# Above every text and every binary value that a record has room for.
LAST_TEXT = "\U0010ffff" * (MAX_BYTES // 4 + 1)
LAST_BINARY = Binary(b"\xff" * (MAX_BYTES + 1), 0xFF)
ENDS: dict[int, tuple[Any, Any]] = {
    NUMBER: (-math.inf, math.inf),
    TEXT: ("", LAST_TEXT),
    ARRAY: ([], [MaxKey()]),
    BINARY: (b"", LAST_BINARY),
    ID: (ObjectId("0" * 24), ObjectId("f" * 24)),
    TRUTH: (False, True),
    DATE: (datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc)),
}
# What dates are counted in.
MILLISECOND = timedelta(milliseconds=1)
# From here on a floating point number is not every integer, and its shortest notation no longer its value.
EXACT = 2**53
# Numbers of a wider range lie in the embedded database's indexes behind all others of their sign.
SMALLEST, SMALLEST_NEGATIVE = Decimal128("1E-6176"), Decimal128("-1E-6176")
LEAST_MARK = 1e-100
LONGEST_MARK = 100


def kind_of(value: Any) -> int:
    """Which of the kinds above a sort value is of."""
    return int(key_of(value)[0])


def can_part(value: Any) -> bool:
    """Whether a stretch can begin at a value: whether a range of an index can begin there, the same everywhere."""
    if isinstance(value, str):
        return len(value) < LONGEST_MARK
    if isinstance(value, bool | datetime | ObjectId) or value is None or value is EmptyArray:
        return True
    if not isinstance(value, int | float | Decimal128):
        return False
    number = _float_of(value)
    return math.isfinite(number) and (value == 0 or LEAST_MARK < abs(number) < 1 / LEAST_MARK)


@dataclass(frozen=True)
class Companion:
    """A path of which an order by fields must know, cheaply, which records hold an array or an object there."""

    path: str
    kind: Literal["array", "object"]

    def query(self) -> Document:
        """Finds them: those of an index over `rev` that holds no others (`partial`)."""
        return {"rev": {"$gte": 0}, **self.partial()}

    def partial(self) -> Document:
        """The condition of that index."""
        return {self.path: {"$gte": [] if self.kind == "array" else {}}}


def companions_of(path: str) -> list[Companion]:
    """What an order by `path` (in `data`) needs to know: objects at the path, arrays on the way to it.

    What lies behind an array on the way, conditions and orders do not see alike.
    """
    names = path.split(".")
    arrays = [Companion(".".join(["data", *names[:count]]), "array") for count in range(1, len(names))]
    return [Companion(f"data.{path}", "object"), *arrays]


def cover(keys: Sequence[SortKey], start: Place | None, end: Place | None, *, embedded: bool) -> list[Document]:
    """Queries that together find every record whose place is from `start` on and not behind `end`.

    A place has the sort values of the keys, in their order, and the id; None is the order's own end. Every value of
    a place is one that `can_part`. `embedded` tells whose the indexes are.
    """
    found = list(_Cover(keys, embedded).stretch(0, {}, start, end))
    for key in keys:
        found += [companion.query() for companion in companions_of(key.path)[1:]]
    return [query for index, query in enumerate(found) if query not in found[:index]]


class _Cover:
    """One cover. `level` counts the keys that `equal` has fixed."""

    def __init__(self, keys: Sequence[SortKey], embedded: bool) -> None:
        self._keys = keys
        self._embedded = embedded

    def stretch(self, level: int, equal: Document, start: Place | None, end: Place | None) -> Iterator[Document]:
        if level == len(self._keys):
            first, last = (start or (FIRST_ID,))[0], (end or (LAST_ID,))[0]
            yield {**equal, "_id": {"$gte": first, "$lte": last}} if start or end else equal
            return
        if equal and start is None and end is None:
            yield equal
            return
        if start and end and key_of(start[0]) == key_of(end[0]):
            yield from self._tie(level, equal, start[0], start[1:], end[1:])
            return
        if start:
            yield from self._tie(level, equal, start[0], start[1:], None)
        if end:
            yield from self._tie(level, equal, end[0], None, end[1:])
        first, last = (end, start) if self._keys[level].descending else (start, end)
        yield from self._between(level, equal, first, last)

    def _tie(
        self, level: int, equal: Document, value: Any, start: Place | None, end: Place | None
    ) -> Iterator[Document]:
        """Those that have this value, from one place on and to another of what comes behind it in the order."""
        path = f"data.{self._keys[level].path}"
        around = _around(value)
        if around is not None and abs(_float_of(value)) >= EXACT:
            yield {**equal, path: {"$gte": around[0], "$lte": around[1]}}
            return
        if around is not None and not self._embedded:
            # What is equal by its shortest notation is not so by its value, and this one goes by the value.
            yield {**equal, path: {"$gte": around[0], "$lt": value}}
            yield {**equal, path: {"$gt": value, "$lte": around[1]}}
        yield from self.stretch(level + 1, {**equal, path: [] if value is EmptyArray else value}, start, end)

    def _between(self, level: int, equal: Document, first: Place | None, last: Place | None) -> Iterator[Document]:
        """Those with a value between two others; a bound that is None is the end of all values."""
        path = f"data.{self._keys[level].path}"
        lowest, highest = kind_of(first[0]) if first else 0, kind_of(last[0]) if last else UNKNOWN
        for kind in range(max(EMPTY_ARRAY, lowest), min(DATE, highest) + 1):
            lower = _behind(first[0]) if first and kind == lowest else None
            upper = {"$lt": last[0]} if last and kind == highest else None
            if kind == OBJECT:
                # No range of an index finds objects everywhere: all that have one, whatever the other fields hold.
                yield Companion(path, "object").query()
            else:
                for condition in self._of_kind(kind, lower, upper):
                    yield {**equal, path: condition}

    def _of_kind(self, kind: int, lower: Document | None, upper: Document | None) -> Iterator[Any]:
        """Conditions for the values of a kind between two of them; None is the kind's own end."""
        if kind in {EMPTY_ARRAY, NULL}:
            if lower is None and upper is None:
                yield [] if kind == EMPTY_ARRAY else None
            return
        least, greatest = ENDS[kind]
        yield {**(lower or {"$gte": least}), **(upper or {"$lte": greatest})}
        if kind == NUMBER and lower is None:
            yield math.nan
        if kind == NUMBER and self._embedded:
            yield {"$gte": SMALLEST, "$lte": math.inf}
            yield {"$gte": -math.inf, "$lte": SMALLEST_NEGATIVE}


def _behind(value: Any) -> Document:
    """What finds the values of the same kind that lie behind one, where possible by the very next one.

    From `$gt` on, the embedded database walks over every entry of an index that has the value itself. Numbers have no
    next one: its indexes do not tell those apart that differ behind the 28th digit.
    """
    if isinstance(value, str):
        return {"$gte": value + "\0"}
    if value is False:
        return {"$gte": True}
    if isinstance(value, datetime) and value < ENDS[DATE][1] - MILLISECOND:
        return {"$gte": value + MILLISECOND}
    if isinstance(value, ObjectId) and value < ENDS[ID][1]:
        return {"$gte": ObjectId((int(str(value), 16) + 1).to_bytes(12, "big"))}
    return {"$gt": value}


def _float_of(value: Any) -> float:
    return float(value.to_decimal()) if isinstance(value, Decimal128) else float(value)


def _around(value: Any) -> tuple[Any, Any] | None:
    """The nearest floating point numbers below and above, where databases differ about what equals a number.

    The embedded database compares floating point numbers by their shortest notation, a real MongoDB by their
    value; for such as 0.5, or an integer of at most 53 bits, it is the same.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal128):
        return None
    number = _float_of(value)
    exact = value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
    if abs(number) < EXACT and Decimal(repr(number)) == exact == Decimal(number):
        return None
    below, above = math.nextafter(number, -math.inf), math.nextafter(number, math.inf)
    return math.nextafter(below, -math.inf), math.nextafter(above, math.inf)
