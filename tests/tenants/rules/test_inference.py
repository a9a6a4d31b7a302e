"""A draft fits the records that it was made from, whatever they are, and says what they have in common."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tenants.rules import service as rules
from tenants.rules.compiled import accepted_text, compile_schema
from tenants.rules.inference import draft_from
from tests.tenants.rules.people import acme

NAMES = st.sampled_from(["a", "b", "email", "$date", "ünï", "x y", "kind"])
TEXTS = st.one_of(
    st.text(max_size=20),
    st.emails(),
    st.dates().map(str),
    st.sampled_from(["red", "green", "2026-02-30", "a@b", "x@y.z"]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
RECORDS = st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=8)


def holds_for(records: list[dict[str, Any]]) -> None:
    draft = draft_from(records)
    accepted_text(draft)
    validator = compile_schema(draft).validator
    assert [record for record in records if not validator.is_valid(record)] == []


@settings(max_examples=25, deadline=None)
@given(RECORDS)
@example([{"a": "0@0.00--0"}] * 3)
def test_every_record_fits_the_draft_made_from_it(records: list[dict[str, Any]]) -> None:
    holds_for(records)


@pytest.mark.long
@settings(max_examples=3000, deadline=None)
@given(RECORDS)
def test_every_record_fits_the_draft_made_from_it_at_length(records: list[dict[str, Any]]) -> None:
    holds_for(records)


def test_a_draft_says_types_what_none_lacks_choices_and_formats() -> None:
    records = [
        {
            "n": number,
            "share": number / 3,
            "maybe": None if number % 2 else "text",
            "colour": ["red", "green"][number % 2],
            "email": f"user{number}@example.org",
            "born": f"2001-01-{number % 28 + 1:02}",
            "note": f"note {number}",
            "tags": ["a", 5],
            "home": {"zip": "x", **({"city": "Oslo"} if number else {})},
            "seen": {"$date": "2026-01-31T00:00:00Z"},
            **({} if number else {"rare": True}),
        }
        for number in range(20)
    ]
    draft = draft_from(records)
    fields = draft["properties"]
    assert "rare" not in draft["required"]
    assert len(draft["required"]) == 10
    assert fields["n"] == {"type": "integer"}
    assert fields["share"] == {"type": "number"}
    assert fields["maybe"] == {"type": ["null", "string"]}
    assert fields["colour"] == {"type": "string", "enum": ["green", "red"]}
    assert (fields["email"]["format"], fields["born"]["format"]) == ("email", "date")
    assert fields["note"] == {"type": "string"}
    assert fields["tags"]["items"] == {"type": ["integer", "string"]}
    assert fields["home"]["required"] == ["zip"]
    assert fields["seen"] == {"type": "object", "properties": {"$date": {"type": "string"}}, "required": ["$date"]}


def test_one_text_of_another_kind_is_enough_to_drop_a_format() -> None:
    texts = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-02-30"]
    assert "format" not in draft_from([{"d": text} for text in texts])["properties"]["d"]
    assert draft_from([{"d": text} for text in texts[:4]])["properties"]["d"]["format"] == "date"
    assert "format" not in draft_from([{"d": "2026-01-01"}])["properties"]["d"], "one is no witness"


def test_a_draft_of_nothing_allows_everything() -> None:
    assert draft_from([])["type"] == "object"
    assert compile_schema(draft_from([])).errors({"anything": 1}) == []


def test_very_many_names_do_not_make_a_draft_that_is_too_large() -> None:
    draft = draft_from([{f"name {number}": number for number in range(1000)} for _ in range(3)])
    assert len(draft["properties"]) == 200
    accepted_text(draft)


@pytest.mark.usefixtures("clean_database")
def test_the_draft_of_an_organization_comes_from_its_records() -> None:
    access = acme({"a": 1}, {"a": 2, "b": "x"})
    assert rules.draft(access=access)["required"] == ["a"]
