"""The rows of the filter builder: what they become, and how a filter becomes rows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgportal.errors import PortalError
from tenants.records import filters
from tenants.records.conditions import OPERATORS, Row, compose, decompose
from tenants.records.typed_values import KINDS, read_value, write_value

TYPES = {
    "title": frozenset({"text"}),
    "year": frozenset({"number"}),
    "placed": frozenset({"date"}),
    "ref": frozenset({"id"}),
    "price": frozenset({"decimal"}),
    "mixed": frozenset({"text", "number"}),
}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row("year", "eq", "1990"), {"year": {"$eq": 1990}}),
        (Row("year", "gte", " -1.5e2 "), {"year": {"$gte": -150.0}}),
        (Row("title", "eq", "1990"), {"title": {"$eq": "1990"}}),
        (Row("title", "eq", "1990", "number"), {"title": {"$eq": 1990}}),
        (Row("title", "eq", "null"), {"title": {"$eq": None}}),
        (Row("title", "eq", "true"), {"title": {"$eq": "true"}}),
        (Row("title", "eq", '"null"'), {"title": {"$eq": "null"}}),
        (Row("mixed", "eq", '"42"'), {"mixed": {"$eq": "42"}}),
        (Row("mixed", "eq", "42", "text"), {"mixed": {"$eq": "42"}}),
        (Row("unknown", "eq", "true"), {"unknown": {"$eq": True}}),
        (Row("unknown", "eq", "2024-05-01"), {"unknown": {"$eq": "2024-05-01"}}),
        (Row("unknown", "lt", "2024-05-01", "date"), {"unknown": {"$lt": {"$date": "2024-05-01T00:00:00Z"}}}),
        (Row("placed", "gte", "2024-05-01"), {"placed": {"$gte": {"$date": "2024-05-01T00:00:00Z"}}}),
        (Row("placed", "lt", "2024-05-01 12:30"), {"placed": {"$lt": {"$date": "2024-05-01T12:30:00Z"}}}),
        (Row("placed", "lt", "2024-05-01T12:30:10.250+02:00"),
         {"placed": {"$lt": {"$date": "2024-05-01T12:30:10.250+02:00"}}}),
        (Row("ref", "eq", "65F0C0FFEE65F0C0FFEE65F0"), {"ref": {"$eq": {"$oid": "65f0c0ffee65f0c0ffee65f0"}}}),
        (Row("price", "gt", "19.90"), {"price": {"$gt": {"$numberDecimal": "19.90"}}}),
        (Row("title", "prefix", "Star ("), {"title": {"$prefix": "Star ("}}),
        (Row("year", "in", "1, 2 ,3,"), {"year": {"$in": [1, 2, 3]}}),
        (Row("title", "nin", 'a, "b, c"'), {"title": {"$nin": ["a", "b, c"]}}),
        (Row("title", "exists", "ignored"), {"title": {"$exists": True}}),
        (Row("title", "missing"), {"title": {"$exists": False}}),
        (Row("a", "eq", '{"$binary": {"base64": "AQ==", "subType": "00"}}', "json"),
         {"a": {"$eq": {"$binary": {"base64": "AQ==", "subType": "00"}}}}),
        (Row("a", "eq", ""), {"a": {"$eq": ""}}),
    ],
    ids=str,
)  # fmt: skip
def test_a_row_becomes_a_condition_of_the_api(row: Row, expected: dict[str, Any]) -> None:
    made = compose([row], match_any=False, types=TYPES)
    assert made == expected
    filters.query_of(made)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (Row("a", "$where", "1"), "Choose"),
        (Row("a", "regex", "1"), "Choose"),
        (Row("a", "eq", "1", "code"), "Choose"),
        (Row("", "eq", "1"), "field"),
        (Row("a", "eq", "abc", "number"), "number"),
        (Row("a", "eq", "1e999", "number"), "too large"),
        (Row("a", "eq", "9" * 400, "number"), "too large"),
        (Row("a", "eq", "yesterday", "date"), "date"),
        (Row("a", "eq", "12", "id"), "id"),
        (Row("a", "eq", "ten", "decimal"), "decimal"),
        (Row("a", "eq", "{", "json"), "JSON"),
        (Row("a", "eq", '"open'), "JSON"),
        (Row("a", "in", " , "), "values"),
        (Row("a", "prefix", ""), "begins"),
        (Row("a" * 2000, "eq", "1"), "long"),
        (Row("a", "eq", "x" * 3000), "long"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_read_is_refused_by_its_number(row: Row, word: str) -> None:
    with pytest.raises(PortalError) as refused:
        compose([Row("fine", "eq", "1"), row], match_any=False, types={})
    assert [error.path for error in refused.value.errors] == ["rows.1"]
    assert word in refused.value.errors[0].message


def test_several_rows_join_in_the_shortest_way_that_says_it() -> None:
    both = [Row("year", "gte", "1990"), Row("year", "lt", "2000")]
    assert compose(both, match_any=False, types=TYPES) == {"year": {"$gte": 1990, "$lt": 2000}}
    twice = [Row("title", "ne", "a"), Row("title", "ne", "b")]
    assert compose(twice, match_any=False, types=TYPES) == {"$and": [{"title": {"$ne": "a"}}, {"title": {"$ne": "b"}}]}
    assert compose(both, match_any=True, types=TYPES) == {"$or": [{"year": {"$gte": 1990}}, {"year": {"$lt": 2000}}]}
    assert compose(both[:1], match_any=True, types=TYPES) == {"year": {"$gte": 1990}}
    assert compose([], match_any=True, types=TYPES) == {}


ROWS = st.builds(
    Row,
    field=st.sampled_from([*TYPES, "other", "a.b"]),
    operator=st.sampled_from(list(OPERATORS)),
    value=st.text(st.sampled_from("ab1290.-,\"'[]{} \u202eüeE+:TZ"), max_size=12)
    | st.sampled_from(["1990", "-1.50", "true", "null", "2024-05-01", "65f0c0ffee65f0c0ffee65f0", "1e3", '"x"', "1.0"]),
    kind=st.sampled_from(list(KINDS)),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(ROWS, max_size=4), st.booleans())
def test_what_rows_say_comes_back_as_rows_that_say_the_same(rows: list[Row], match_any: bool) -> None:
    try:
        made = compose(rows, match_any=match_any, types=TYPES)
    except PortalError:
        return
    said = decompose(made, types=TYPES)
    if said is not None:
        again = compose(said[0], match_any=said[1], types=TYPES)
        assert again == made
        assert repr(again) == repr(made)


@pytest.mark.parametrize(
    "filter_",
    [
        {"$not": {"a": 1}},
        {"a": {"$not": {"$gt": 1}}},
        {"$or": [{"a": 1}]},
        {"$or": [{"a": 1}, {"$and": [{"b": 1}]}]},
        {"$or": [{"a": 1, "b": 2}, {"c": 3}]},
        {"$and": "nonsense"},
        {"$and": [5]},
        {"a": {"$in": []}},
        {"a": {"$in": [1, "b"], "$exists": "maybe"}},
        {"a": {"$prefix": 5}},
        {"$and": [{"a": 1}] * 30},
    ],
    ids=str,
)
def test_what_rows_cannot_say_is_left_to_the_json_box(filter_: dict[str, Any]) -> None:
    assert decompose(filter_, types={}) is None


def test_a_filter_written_by_hand_becomes_rows_where_it_can() -> None:
    said = decompose({"year": 1990, "title": {"$prefix": "S"}, "at": {"$date": "2024-05-01T00:00:00Z"}}, types=TYPES)
    assert said == (
        [Row("year", "eq", "1990"), Row("title", "prefix", "S"), Row("at", "eq", "2024-05-01", "date")],
        False,
    )


@pytest.mark.parametrize(
    "value", ["", "42", "true", '"', "a,b", " x ", 5, 5.0, -0.5, True, None, [], {"a": 1}, {"$oid": "x"}]
)
@pytest.mark.parametrize(
    "types", [frozenset(), frozenset({"text"}), frozenset({"number", "date"})], ids=["none", "text", "number or date"]
)
def test_every_value_can_be_written_and_read(value: Any, types: frozenset[str]) -> None:
    text, kind = write_value(value, types)
    again = read_value(text, kind, types)
    assert (again, type(again)) == (value, type(value))
