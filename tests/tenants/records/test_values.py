"""What a record may hold: whatever is accepted reads back as the same BSON, the rest is refused with its path."""

import json
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given, settings

from orgportal import strict_json
from orgportal.errors import PortalError
from tenants.records import values
from tenants.records.lines import canonical_line, relaxed_line
from tests.effort import effort
from tests.tenants.records.strategies import ANYTHING, DATA

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


def refusals(data: Any) -> list[str]:
    """The paths that a refusal names."""
    with pytest.raises(PortalError) as refused:
        values.data_from_ejson(data)
    assert refused.value.status in {413, 422}
    assert refused.value.errors
    return [wrong.path for wrong in refused.value.errors]


def outcome_of(data: Any) -> tuple[dict[str, Any], PortalError | None]:
    """What it comes to, or why not."""
    try:
        return values.data_from_ejson(data), None
    except PortalError as refused:
        return {}, refused


def nested(levels: int, *, array: bool = False) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if array else {"a": value}
    return value


@settings(max_examples=effort(short=80, full=150), deadline=None)
@given(data=DATA)
def test_what_is_accepted_reads_back_equal(data: dict[str, Any]) -> None:
    stored = values.data_from_ejson(data)
    back = bson.decode(bson.encode(stored), OPTIONS)
    line = canonical_line(stored)
    assert canonical_line(back) == line
    assert line == json.dumps(values.to_canonical(back), ensure_ascii=False, separators=(",", ":")).encode()
    for written in (line, relaxed_line(back), json.dumps(values.to_relaxed(back)).encode()):
        again = values.data_from_ejson(strict_json.parse(written, max_depth=values.MAX_JSON_DEPTH))
        assert bson.encode(again) == bson.encode(stored)
    values.check_data(back)


@settings(max_examples=effort(short=100, full=200), deadline=None)
@given(data=ANYTHING)
def test_anything_else_is_refused_with_a_path(data: Any) -> None:
    stored, refused = outcome_of(data)
    if refused is not None:
        assert refused.status == 422
        assert [wrong.path for wrong in refused.errors if not wrong.path.startswith("data")] == []
        assert refused.errors
    else:
        assert canonical_line(bson.decode(bson.encode(stored), OPTIONS)) == canonical_line(stored)


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ({"a": {"$ne": 1}}, ["data.a.$ne"]),
        ({"$where": "1"}, ["data.$where"]),
        ({"a": [{"b": {"$gt": 1}}, {"$oid": "x"}]}, ["data.a.0.b.$gt", "data.a.1.$oid"]),
        ({"a.b": 1, "": 2, "_cls": 3, "_ref": 4}, ["data.a.b", "data.", "data._cls", "data._ref"]),
        ({"x\0y": 5}, ["data.x\0y"]),
        ({"x" * 129: 1}, ["data." + "x" * 129]),
        ({"_id": 1}, ["data._id"]),
        ({"a": {"$oid": "66f0c0ffee0123456789abcd", "b": 1}}, ["data.a.$oid"]),
        ({"a": {"$timestamp": {"t": 1, "i": 1}}}, ["data.a.$timestamp"]),
        ({"a": {"$code": "x"}}, ["data.a.$code"]),
        ({"a": {"$regularExpression": {"pattern": "x", "options": ""}}}, ["data.a.$regularExpression"]),
        ({"a": {"$date": 1}}, ["data.a.$date"]),
        ({"a": {"$date": {"$numberLong": "253402300800000"}}}, ["data.a.$date"]),
        ({"a": {"$date": "2024-05-01T12:00:00.1234Z"}}, ["data.a.$date"]),
        ({"a": {"$date": "0001-01-01T00:00:00+01:00"}}, ["data.a.$date"]),
        ({"a": {"$date": "2024-05-01"}}, ["data.a.$date"]),
        ({"a": {"$numberLong": "9223372036854775808"}}, ["data.a.$numberLong"]),
        ({"a": {"$numberLong": 5}}, ["data.a.$numberLong"]),
        ({"a": {"$numberInt": "2147483648"}}, ["data.a.$numberInt"]),
        ({"a": {"$numberInt": "1\n"}}, ["data.a.$numberInt"]),
        ({"a": {"$numberDouble": "1e400"}}, ["data.a.$numberDouble"]),
        ({"a": {"$numberDouble": "nan"}}, ["data.a.$numberDouble"]),
        ({"a": {"$numberDecimal": "1" * 35}}, ["data.a.$numberDecimal"]),
        ({"a": {"$numberDecimal": "sNaN"}}, ["data.a.$numberDecimal"]),
        ({"a": {"$numberDecimal": "1E99999"}}, ["data.a.$numberDecimal"]),
        ({"a": {"$binary": "AAEC"}}, ["data.a.$binary"]),
        ({"a": {"$binary": {"base64": "A", "subType": "00"}}}, ["data.a.$binary"]),
        ({"a": {"$binary": {"base64": "", "subType": "100"}}}, ["data.a.$binary"]),
        ({"a": {"$uuid": "12345678123412341234123456789abc"}}, ["data.a.$uuid"]),
        ({"a": 2**63}, ["data.a"]),
        ({f"k{number}": 1 for number in range(1001)}, ["data"]),
        ({"a": {f"k{number}": 1 for number in range(1001)}}, ["data.a"]),
        ({"a": "x" * 1_048_577}, ["data"]),
        (nested(33), ["data" + ".a" * 32]),
        ({"a": nested(32, array=True)}, ["data.a" + ".0" * 31]),
        ([], ["data"]),
        (None, ["data"]),
        ("x", ["data"]),
        ({"$oid": "66f0c0ffee0123456789abcd"}, ["data"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(data: Any, paths: list[str]) -> None:
    assert refusals(data) == paths


def test_the_limits_themselves_are_accepted() -> None:
    values.data_from_ejson(nested(32))
    values.data_from_ejson(nested(31) | {"d": {"$date": {"$numberLong": "1"}}})
    values.data_from_ejson({"x" * 128: 1})
    values.data_from_ejson({f"k{number}": 1 for number in range(1000)})
    text = "x" * (values.MAX_BYTES - len(bson.encode({"a": ""})))
    values.data_from_ejson({"a": text})
    assert refusals({"a": text + "x"}) == ["data"]


def test_a_short_text_is_not_measured_but_never_too_large() -> None:
    worst: dict[str, Any] = {"a": [[]] * 30_000}
    text = json.dumps(worst, separators=(",", ":")).encode()
    growth = len(bson.encode(values.data_from_ejson(worst))) / len(text)
    assert growth < values._WORST_GROWTH


def test_merged_data_is_held_to_the_same_rules() -> None:
    for wrong in ({"a": object()}, {"a": {1, 2}}, {"a.b": 1}, nested(33), {"a": 2**63}, {"_id": 1}, {"a": "\ud800"}):
        with pytest.raises(PortalError):
            values.check_data(wrong)


def test_equal_instants_are_the_same_date() -> None:
    texts = [
        "2024-05-01T12:00:00Z",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01T06:30:00.000-0530",
        "2024-05-01T13:00:00+01",
    ]
    read = [values.data_from_ejson({"a": {"$date": text}}) for text in texts]
    assert all(one == read[0] for one in read)


def test_relaxed_is_what_people_would_write() -> None:
    data = {"a": 1, "b": 2**40, "c": 1.5, "d": {"$date": "2024-05-01T12:00:00Z"}, "e": None, "f": [True, "x"]}
    assert values.to_relaxed(values.data_from_ejson(data)) == data
