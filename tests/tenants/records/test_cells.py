"""What values look like in the grid."""

from datetime import datetime, timezone
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from tenants.records.cells import LONG, MISSING, SHORT, cell_of, value_at

NOON = datetime(2024, 5, 1, 12, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (MISSING, "missing", ""),
        (None, "null", "null"),
        (True, "boolean", "true"),
        (False, "boolean", "false"),
        (0, "number", "0"),
        (1990, "number", "1990"),
        (Int64(2**53 + 1), "number", "9007199254740993"),
        (-0.5, "number", "-0.5"),
        (float("nan"), "number", "nan"),
        (Decimal128("19.90"), "decimal", "19.90"),
        ("", "text", ""),
        ("true", "text", "true"),
        ("two\nlines\tand\x00more", "text", "two↵lines⇥and\\u0000more"),
        ("<b>bold</b>", "text", "<b>bold</b>"),
        (NOON, "date", "2024-05-01 12:30:00"),
        (datetime(2024, 5, 1, tzinfo=timezone.utc), "date", "2024-05-01"),
        (NOON.replace(microsecond=250_000), "date", "2024-05-01 12:30:00.250"),
        (DatetimeMS(-(2**60)), "date", f"{-(2**60)} ms since 1970"),
        (ObjectId("65f0c0ffee65f0c0ffee65f0"), "id", "65f0c0ffee65f0c0ffee65f0"),
        (Binary(b"abc", 4), "binary", "3 bytes"),
        (b"a", "binary", "1 byte"),
        ([], "array", "[]"),
        ([1, "a", None, {"b": 1}, [2, 3]], "array", '[1, "a", null, {b: 1}, [2]]'),
        ({}, "object", "{}"),
        ({"city": "Zürich", "at": {"lat": 1}}, "object", '{city: "Zürich", at: {lat: 1}}'),
        ([{"a": {"b": 1}, "c": 2}, {}], "array", "[{a: {1}, …}, {}]"),
        (list(range(10)), "array", "[0, 1, 2, 3, 4, 5, 6, 7, … 2 more]"),
    ],
    ids=repr,
)
def test_a_cell_says_its_kind_and_a_short_text(value: Any, kind: str, text: str) -> None:
    cell = cell_of(value)
    assert (cell.kind, cell.text) == (kind, text)


@pytest.mark.parametrize("value", ["x" * 5000, ["y" * 5000], {"k" * 120: "z" * 5000}])
def test_a_long_value_is_cut_and_its_title_says_more(value: Any) -> None:
    cell = cell_of(value)
    assert len(cell.text) == SHORT
    assert cell.text.endswith("…")
    assert SHORT < len(cell.title) <= LONG


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x1b", "\x85", "\u2028"])
def test_what_turns_or_hides_text_is_spelled_out(character: str) -> None:
    for value in (f"a{character}b", [f"a{character}b"], {f"a{character}b": 1}):
        assert character not in cell_of(value).text
        assert f"\\u{ord(character):04x}" in cell_of(value).text.replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", "Ada"),
        ("address.city", "Bern"),
        ("lines.0.price", 1),
        ("lines.price", [1, 2]),
        ("lines.7", MISSING),
        ("lines.99999999999999999999", MISSING),
        ("lines.nothing", MISSING),
        ("name.first", MISSING),
        ("nothing", MISSING),
        ("empty", None),
        ("", MISSING),
        ("...", MISSING),
    ],
)
def test_a_path_leads_into_objects_and_arrays(path: str, expected: object) -> None:
    data = {"name": "Ada", "address": {"city": "Bern"}, "lines": [{"price": 1}, {"price": 2}, 5], "empty": None}
    assert value_at(data, path) == expected
