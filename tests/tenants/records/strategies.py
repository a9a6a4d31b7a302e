"""Generated records: JSON values with every wrapper, and hostile ones that must be refused."""

import base64
import math
from datetime import datetime, timezone
from typing import Any

from bson import Decimal128, Int64, ObjectId
from hypothesis import strategies as st

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".\0"), min_size=1, max_size=8).filter(
    lambda name: name[0] != "$" and name not in {"_cls", "_ref", "_id"}
)
DATES = st.integers(-62_135_596_800_000, 253_402_300_799_999)


def double_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value) or repr(value)


def decimal_text() -> st.SearchStrategy[str]:
    finite = st.builds(
        lambda sign, digits, exponent: f"{sign}{digits}E{exponent}",
        st.sampled_from(["", "-"]),
        st.integers(0, 10**34 - 1),
        st.integers(-6176, 6111),
    )
    return finite.map(lambda text: str(Decimal128(text))) | st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "-0", "1.50", "0E+3"]
    )


WRAPPED = st.one_of(
    st.binary(min_size=12, max_size=12).map(lambda raw: {"$oid": str(ObjectId(raw))}),
    DATES.map(lambda ms: {"$date": {"$numberLong": str(ms)}}),
    st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
        lambda moment: {"$date": moment.replace(tzinfo=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)}
    ),
    INT32.map(lambda number: {"$numberInt": str(number)}),
    INT64.map(lambda number: {"$numberLong": str(number)}),
    st.floats().map(lambda number: {"$numberDouble": double_text(number)}),
    decimal_text().map(lambda text: {"$numberDecimal": text}),
    st.builds(
        lambda raw, subtype: {"$binary": {"base64": base64.b64encode(raw).decode(), "subType": f"{subtype:02x}"}},
        st.binary(max_size=20),
        st.integers(0, 255),
    ),
    st.uuids().map(lambda one: {"$uuid": str(one)}),
)
PLAIN = st.none() | st.booleans() | INT64 | INT32 | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN | WRAPPED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
DATA = st.dictionaries(NAMES, VALUES, max_size=5)

# Everything that JSON can say, most of it nothing that a record can hold.
HOSTILE_NAMES = st.sampled_from(
    ["", "$ne", "$where", "$date", "$oid", "$numberLong", "$binary", "$code", "$regularExpression", "$timestamp",
     "$minKey", "$undefined", "$ref", "a.b", ".", "\0", "a\0b", "_cls", "_ref", "_id", "x" * 128, "x" * 129, "ok"]
)  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    PLAIN | WRAPPED | st.sampled_from(["", "24", "NaN", "2024-13-01T00:00:00Z", "x" * 1000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE_NAMES | NAMES, inner, max_size=3),
    max_leaves=10,
)

# Few values of many types, so that equal ones, and equal ones of different types, meet.
FEW: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, 1, 2, -1, 1.0, 1.5, -0.0, float("nan"), float("inf"), float("-inf"),
        Int64(1), Int64(2**40), Decimal128("1"), Decimal128("1.5"), Decimal128("NaN"), "", "a", "ab", "b", "\u00e9",
        b"", b"a", b"ab", ObjectId("0" * 24), ObjectId("f" * 24), datetime(1970, 1, 1, tzinfo=timezone.utc),
        datetime(2024, 5, 1, tzinfo=timezone.utc),
    ]
)  # fmt: skip
FIELDS = st.sampled_from(["a", "b", "c"])
MIXED: st.SearchStrategy[Any] = st.recursive(
    FEW, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=2), max_leaves=5
)
DOCUMENTS = st.dictionaries(FIELDS, MIXED, max_size=3)
PATHS = st.sampled_from(["a", "b", "c", "a.b", "a.a", "b.c", "a.0", "b.1", "a.b.c"])
