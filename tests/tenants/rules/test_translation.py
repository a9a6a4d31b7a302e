"""The database's validator lets through whatever the schema lets through: tried on the real wire protocol."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection
from pymongo.errors import WriteError

from orgportal import database
from tenants.refusals import DOCUMENT_VALIDATION_FAILURE
from tenants.rules.compiled import compile_schema
from tenants.rules.translation import translated

Records = Collection[dict[str, Any]]

# Values that relaxed Extended JSON writes as objects are the delicate ones.
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    5,
    17,
    18,
    -1,
    Int64(2**40),
    1.0,
    5.5,
    -0.0,
    float("nan"),
    float("inf"),
    "",
    "a",
    "abc",
    "ü" * 4,
    "2026-01-31",
    [],
    [1],
    [1, 1],
    [1, True],
    [1, "a", None],
    ["a", "b", "c"],
    {},
    {"a": 1},
    {"b": 1},
    {"a": "x", "b": 2},
    {"a": {"b": 3}},
    Decimal128("5"),
    Decimal128("1E+3"),
    ObjectId("0" * 24),
    Binary(b"x"),
    DatetimeMS(0),
    datetime(2026, 1, 31, tzinfo=timezone.utc),
]
INNER: list[dict[str, Any] | bool] = [
    True,
    {},
    {"type": "string"},
    {"type": "integer"},
    {"type": "number", "minimum": 5},
    {"type": "object"},
    {"type": "null"},
    {"type": ["integer", "null"], "maximum": 17},
    {"minimum": 5},
    {"type": "integer", "exclusiveMinimum": 5},
    {"type": "number", "exclusiveMaximum": 18},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer"}},
    {"enum": [1, "a", None]},
    {"enum": [True, 1]},
    {"const": 5},
    {"const": {"a": 1}},
    {"enum": []},
    {"minLength": 1, "maxLength": 3},
    {"minItems": 1, "maxItems": 2},
    {"minProperties": 1},
    {"maxProperties": 1},
    {"type": "object", "required": ["a"]},
    {"properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {"properties": {"a": False}},
    {"required": ["$date"]},
    {"properties": {"$date": {"type": "string"}}},
    {"additionalProperties": {"type": "integer"}},
    {"patternProperties": {"^a": {}}, "additionalProperties": False},
    {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
    {"prefixItems": [{}], "items": False},
    {"uniqueItems": True},
    {"contains": {"type": "string"}},
    {"pattern": "^a"},
    {"format": "date"},
    {"multipleOf": 5},
    {"allOf": [{"type": "integer"}, {"type": "number", "minimum": 1}]},
    {"anyOf": [{"type": "string"}, {"type": "object"}]},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    {"not": {"type": "string"}},
    {"not": {"type": "object"}},
    {"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"type": "integer"}},
    {"dependentRequired": {"a": ["b"]}},
    {"$ref": "#/$defs/number"},
    {"unevaluatedProperties": False},
    {"propertyNames": {"maxLength": 0}},
]


@pytest.fixture(scope="module")
def records(database_indexes: None) -> Iterator[Records]:
    """A collection of no organization's."""
    name = "validated"
    database.master().drop_collection(name)
    database.master().create_collection(name)
    yield database.master()[name]
    database.master().drop_collection(name)


def hold_to(records: Records, validator: dict[str, Any]) -> None:
    database.master().command("collMod", records.name, validator=validator, validationLevel="strict")


def is_taken(records: Records, data: dict[str, Any]) -> bool:
    try:
        records.replace_one({"_id": 1}, {"data": data}, upsert=True)
    except WriteError as error:
        if error.code != DOCUMENT_VALIDATION_FAILURE:
            raise
        return False
    return True


@pytest.mark.parametrize("inner", INNER, ids=str)
def test_the_database_refuses_nothing_that_the_schema_allows(records: Records, inner: Any) -> None:
    schema = {"type": "object", "properties": {"v": inner}, "$defs": {"number": {"type": "number"}}}
    validator, _ = translated(schema)
    hold_to(records, validator)
    compiled = compile_schema(schema)
    allowed = [value for value in VALUES if not compiled.errors({"v": value})]
    assert [value for value in allowed if not is_taken(records, {"v": value})] == []


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"required": ["a"]}, {"a": None}, {}),
        ({"properties": {"a": {"type": "string"}}}, {"a": "x"}, {"a": 5}),
        ({"properties": {"a": {"type": "integer", "minimum": 18}}}, {"a": 18}, {"a": 17}),
        ({"properties": {"a": {"type": "integer", "exclusiveMinimum": 18}}}, {"a": 19}, {"a": 18}),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "x"}, {"a": "z"}),
        ({"properties": {"a": {"maxLength": 2}}}, {"a": "ab"}, {"a": "abc"}),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x"]}, {"a": [5]}),
        ({"properties": {"a": {"prefixItems": [{}], "items": {"type": "string"}}}}, {"a": [5, "x"]}, {"a": [5, 5]}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}, {"c": 1}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"required": ["a"]}}}, {"a": 1}, {"b": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
        ({"properties": {"a": False}}, {"b": 1}, {"a": 1}),
        ({"minProperties": 1}, {"a": 1}, {}),
    ],
)
def test_what_has_words_in_mongodb_is_refused_by_the_database_too(
    records: Records, schema: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    validator, left_out = translated(schema)
    hold_to(records, validator)
    assert left_out == []
    assert is_taken(records, good)
    assert not is_taken(records, bad)


def test_what_has_no_words_is_left_out_and_named() -> None:
    schema = {
        "title": "People",
        "properties": {"a": {"pattern": "^(a+)+$", "format": "email"}, "b": {"oneOf": [{}, {}]}, "c": {"minimum": 5}},
        "patternProperties": {"^x": {}},
        "additionalProperties": False,
        "not": {"required": ["z"]},
    }
    validator, left_out = translated(schema)
    named = [
        "additionalProperties",
        "format",
        "minimum",
        "not",
        "oneOf (held to as anyOf)",
        "pattern",
        "patternProperties",
    ]
    assert left_out == named
    assert "(a+)+" not in str(validator), "the database would run it with backtracking"


def test_references_are_written_out_only_so_far() -> None:
    places: dict[str, Any] = {
        f"a{n}": {"properties": {f"p{m}": {"$ref": f"#/$defs/a{n + 1}"} for m in range(10)}} for n in range(8)
    }
    schema = {"$ref": "#/$defs/a0", "$defs": {**places, "a8": {"type": "string"}}}
    compile_schema(schema)
    validator, left_out = translated(schema)
    assert left_out == ["$ref"]
    assert len(str(validator)) < 1_000_000
    recursive = {
        "properties": {"child": {"$ref": "#"}, "sub": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"items": {"$ref": "#/$defs/n"}}},
    }
    assert translated(recursive)[1] == ["$ref"]
