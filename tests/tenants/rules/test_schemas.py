"""Which schemas are taken, which are refused and where, and that none of them can hold a process up."""

import time
from typing import Any

import pytest

from orgportal.errors import PortalError
from tenants.rules import compiled
from tenants.rules.compiled import accepted_text, compile_schema
from tenants.rules.weight import MAX_WEIGHT, weight_of


def refused_at(schema: Any) -> list[str]:
    """Where a schema is refused."""
    with pytest.raises(PortalError) as refused:
        accepted_text(schema)
    assert (refused.value.status, refused.value.code) == (422, "invalid_schema")
    assert all(0 < len(error.message) < 300 for error in refused.value.errors)
    return [error.path for error in refused.value.errors]


def chain(links: int, *, width: int) -> dict[str, Any]:
    """A schema that asks the same of one value `width` to the power of `links` times."""
    places: dict[str, Any] = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * width} for n in range(links)}
    places[f"a{links}"] = {"type": "string"}
    return {"$ref": "#/$defs/a0", "$defs": places}


TREE = {"$defs": {"node": {"type": "object", "properties": {}}}, "$ref": "#/$defs/node"}
TREE["$defs"]["node"]["properties"] = {side: {"$ref": "#/$defs/node"} for side in ("left", "right")}  # type: ignore[index]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": compiled.DIALECT, "$id": "https://example.org/people", "type": "object"},
        {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}},
        {"properties": {"when": {"$ref": "#/$defs/date"}}, "$defs": {"date": {"required": ["$date"]}}},
        {"$defs": {"a b/c~": {}}, "properties": {"x": {"$ref": "#/$defs/a%20b~1c~0"}}},
        {"properties": {"x": {"$ref": "#here"}, "y": {"$anchor": "here", "type": "string"}}},
        {"oneOf": [{"const": name, "title": name.upper()} for name in map(str, range(250))]},
        {"properties": {"name": {"pattern": r"^\p{L}[\p{L} '-]{1,60}$"}}},
        {"properties": {"name": {"pattern": "^.{1,500}$"}, "zip": {"pattern": "^[0-9]{5}$"}}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "unevaluatedProperties": False},
        {"properties": {"format": {"type": "string"}, "$schema": {"type": "string"}}},
        TREE,
    ],
)
def test_what_people_write_is_taken(schema: dict[str, Any]) -> None:
    assert accepted_text(schema)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (5, ""),
        ([], ""),
        (True, ""),
        (None, ""),
        ({"type": "strin"}, "type"),
        ({"properties": 5}, "properties"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum"),
        ({"properties": {"a": {"items": [{}]}}}, "properties.a.items"),
        ({"required": ["a", "a"]}, "required"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema"),
        ({"$schema": 5}, "$schema"),
        ({"properties": {"a": {"$id": "https://example.org/other"}}}, "properties.a.$id"),
        ({"allOf": [{"$schema": "http://json-schema.org/draft-04/schema#"}]}, "allOf.0.$schema"),
        ({"format": "sort-of-a-date"}, "format"),
        ({"properties": {"a": {"format": "regex"}}}, "properties.a.format"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(schema: Any, path: str) -> None:
    assert refused_at(schema) == [path]


@pytest.mark.parametrize(
    "reference",
    [
        "https://json-schema.org/draft/2020-12/schema",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "other.json",
        "//example.org/x",
        "urn:example:x",
        "#/nowhere",
        "#nowhere",
        "#/properties/a/$ref",
        "",
        5,
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_no_reference_leads_out_of_the_schema(reference: Any, keyword: str) -> None:
    assert refused_at({"properties": {"a": {keyword: reference}}}) == [f"properties.a.{keyword}"]


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        r"(a)\1",
        "(",
        "a{1000}{1000}",
        "(?:a{0,1000}){0,1000}",
        r"(\p{L}{0,1000}){0,1000}",
    ],
)
def test_patterns_that_are_not_linear_or_too_large_are_refused(pattern: str) -> None:
    assert refused_at({"properties": {"a": {"pattern": pattern}}}) == ["properties.a.pattern"]
    assert refused_at({"patternProperties": {pattern: {}}}) == [f"patternProperties.{pattern}"]


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", r"^(\w+\s?)*$", "(x+x+)+y", r"^([a-zA-Z0-9])+@(([a-z]+)+\.)+$"]
)
def test_patterns_that_backtracking_engines_choke_on_run_at_once(pattern: str) -> None:
    schema = compile_schema({"properties": {"a": {"pattern": pattern}}})
    begun = time.thread_time()
    schema.errors({"a": "a" * 50_000 + "!"})
    # With backtracking it would take longer than the universe has existed, so that any bound will do.
    assert time.thread_time() - begun < 5


@pytest.mark.parametrize(
    "schema",
    [
        chain(30, width=2),
        chain(12, width=3),
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"},
        {"$defs": {"n": {"items": {"allOf": [{"$ref": "#/$defs/n"}] * 2}}}, "$ref": "#/$defs/n"},
        {"$defs": {"n": {"items": {"$ref": "#/$defs/n"}, "contains": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"},
        {
            "$defs": {"n": {"patternProperties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}}},
            "$ref": "#/$defs/n",
        },
        {"not": {"not": {"items": {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}}}},
        {"unevaluatedProperties": {"$ref": "#"}, "allOf": [{"additionalProperties": {"$ref": "#"}}]},
        {"anyOf": [{"const": number} for number in range(2000)]},
    ],
    ids=range(11),
)
def test_schemas_that_ask_too_much_of_a_value_are_refused_at_once(schema: dict[str, Any]) -> None:
    begun = time.thread_time()
    assert len(refused_at(schema)) == 1
    assert time.thread_time() - begun < 5


def test_a_schema_costs_what_it_asks_of_one_value() -> None:
    assert weight_of({}) == 1
    assert weight_of({"properties": {name: {"type": "string"} for name in "abcdefgh"}}) == 2
    assert weight_of({"allOf": [{}, {}, {"anyOf": [{}, {}]}]}) == 6
    assert weight_of({"pattern": "x"}) > weight_of({"maxLength": 5})
    assert weight_of(TREE) < MAX_WEIGHT / 10
    assert weight_of(chain(6, width=2)) > 64


def test_deep_large_and_many_patterned_schemas_are_refused() -> None:
    assert refused_at({"description": "x" * 70_000}) == [""]
    assert refused_at({"properties": {f"p{n}": {"pattern": f"^{n}"} for n in range(41)}}) == [""]
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"not": deep}
    assert refused_at(deep)


def test_a_large_record_and_a_heavy_schema_together_are_refused_rather_than_worked_through() -> None:
    heavy = compile_schema({"properties": {"n": {"items": {"anyOf": [{"const": n} for n in range(900)]}}}})
    begun = time.thread_time()
    (error,) = heavy.errors({"n": list(range(200_000))})
    assert "too much to be checked" in error.message
    assert heavy.errors({"n": [5, 899]}) == []
    assert time.thread_time() - begun < 5


def test_of_a_record_with_very_many_faults_a_few_are_told() -> None:
    schema = compile_schema({"properties": {"n": {"items": {"type": "string"}}}})
    assert len(schema.errors({"n": list(range(100))})) == 20
    assert [error.path for error in schema.errors({"n": list(range(50_000))})] == ["data.n.0"]


def test_errors_name_the_place_in_the_data_and_stay_short() -> None:
    schema = compile_schema(
        {
            "required": ["name"],
            "properties": {
                "address": {"type": "object", "required": ["zip"]},
                "tags": {"items": {"type": "string", "maxLength": 5}},
                "email": {"format": "email"},
                "when": {"properties": {"$date": {"format": "date-time"}}},
            },
            "additionalProperties": False,
        }
    )
    data = {"address": {}, "tags": ["fine", "x" * 100_000, 5], "email": "nobody", "other": 1}
    errors = {error.path: error.message for error in schema.errors(data)}
    assert set(errors) == {"data", "data.name", "data.address.zip", "data.tags.1", "data.tags.2", "data.email"}
    assert errors["data.address.zip"] == "This field is required."
    assert all(len(message) < 220 for message in errors.values())


def test_what_is_checked_is_relaxed_extended_json() -> None:
    from datetime import datetime, timezone

    from bson import Decimal128, Int64, ObjectId

    data = {
        "when": datetime(2026, 1, 31, tzinfo=timezone.utc),
        "price": Decimal128("1.50"),
        "id": ObjectId(),
        "big": Int64(2**60),
        "none": float("nan"),
    }
    wrapped = {"when": "$date", "price": "$numberDecimal", "id": "$oid", "none": "$numberDouble"}
    schema = compile_schema(
        {"properties": {**{name: {"required": [key]} for name, key in wrapped.items()}, "big": {"type": "integer"}}}
    )
    assert schema.errors(data) == []
    assert len(compile_schema({"properties": {key: {"type": "string"} for key in data}}).errors(data)) == 5


def test_compiled_schemas_are_kept_and_let_go() -> None:
    from bson import ObjectId

    ids = [ObjectId() for _ in range(compiled.KEPT_SCHEMAS + 1)]
    first = compiled.kept(ids[0], lambda: "{}")
    assert compiled.kept(ids[0], lambda: pytest.fail("asked again")) is first
    for schema_id in ids[1:]:
        compiled.kept(schema_id, lambda: "{}")
    assert compiled.kept(ids[0], lambda: "{}") is not first
