"""The text of a record in the editor, and where things are in it."""

from typing import Any

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from orgportal.errors import InputError, PortalError
from tenants.records import editor
from tenants.records.document_text import excerpt, place_of, places, text_of
from tests.effort import effort

DATA: dict[str, Any] = {
    "name": "Ada",
    "small": 5,
    "long": Int64(5),
    "longer": Int64(2**60),
    "double": 5.0,
    "negative": -0.0,
    "nothing": float("nan"),
    "price": Decimal128("19.90"),
    "ref": ObjectId("65f0c0ffee65f0c0ffee65f0"),
    "raw": b"\x00\xff",
    "kind": Binary(b"x", 5),
    "list": [1, 2, [3], {"a": []}],
    "empty": {},
    "turned": "a\u202eb\u200b",
    "emoji": "😀 ü",
}


def test_the_text_reads_back_as_the_same_bytes() -> None:
    assert bson.encode(editor.read(text_of(DATA))) == bson.encode(DATA)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1).map(lambda n: n if abs(n) < 2**31 else Int64(n))
    | st.floats(allow_nan=False) | st.just(float("nan")) | st.text(st.characters(blacklist_categories=["Cs"]))
    | st.binary() | st.builds(ObjectId)
    | st.integers(-(2**31), 2**31 - 1).map(Int64),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z ,\"\\ü]{1,8}", fullmatch=True), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=effort(short=50, full=80), deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b c", 'd"', "e\n"]), VALUES))
def test_whatever_a_record_holds_reads_back_from_its_text(data: dict[str, Any]) -> None:
    assert bson.encode(editor.read(text_of(data))) == bson.encode(data)


def test_short_lists_and_wrappers_stay_on_one_line() -> None:
    text = text_of(
        {"tags": ["a", "b"], "at": ObjectId("65f0c0ffee65f0c0ffee65f0"), "in": {"x": 1}, "no": [], "none": {}}
    )
    assert text == (
        '{\n  "tags": ["a", "b"],\n  "at": {"$oid": "65f0c0ffee65f0c0ffee65f0"},\n'
        '  "in": {\n    "x": 1\n  },\n  "no": [],\n  "none": {}\n}'
    )


def test_what_turns_or_hides_text_is_spelled_out() -> None:
    assert '"a\\u202eb\\u200b"' in text_of(DATA)
    assert '"😀 ü"' in text_of(DATA)


def test_every_path_of_a_text_has_its_place() -> None:
    text = '{\n  "a": 1,\n  "b": {"c": [10,\n    {"d": "x,]}\\""}]},\n  "": 2\n}'
    found = {path: (place.line, place.column) for path, place in places(text).items()}
    assert found == {
        "": (1, 1),
        "a": (2, 3),
        "b": (3, 3),
        "b.c": (3, 9),
        "b.c.0": (3, 15),
        "b.c.1": (4, 5),
        "b.c.1.d": (4, 6),
    } | {"": (5, 3)}


def test_the_nearest_place_stands_for_a_path_that_is_not_in_the_text() -> None:
    found = places('{\n"a": {\n"$date": 5}}')
    assert place_of("a.$date.$numberLong", found).line == 3
    assert place_of("b", found).line == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[[[", '{"a"', '{"a":', "]]]}", "nonsense", '"', "{,,,}", '{"a":1,"a":2', "\\"]
)
def test_text_that_is_not_json_breaks_nothing(text: str) -> None:
    assert place_of("a.b", places(text)).line >= 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "It is empty"),
        ("{\n", 2, "ends too early"),
        ('{\n  "a": 1,\n}', 3, "comma behind the last entry"),
        ("{\n  'a': 1}", 2, "double quotes"),
        ('{\n  "a": "x"\n  "b": 2}', 3, "comma or a colon is missing"),
        ("{\n  a: 1}", 2, "not valid JSON"),
    ],
)
def test_a_mistake_in_the_form_is_placed_and_explained(text: str, line: int, message: str) -> None:
    with pytest.raises(PortalError) as refused:
        editor.read(text)
    (problem,) = editor.problems(text, refused.value)
    assert message in problem.message
    assert problem.line in {line, line - 1, line + 1}


def test_a_value_that_cannot_be_taken_is_placed_by_its_path() -> None:
    text = '{\n  "a": {"$date": "no"},\n  "b": [1,\n    {"$oid": 5}],\n  "$c": 1\n}'
    with pytest.raises(PortalError) as refused:
        editor.read(text)
    found = [(problem.line, problem.path) for problem in editor.problems(text, refused.value)]
    assert found == [(2, "a.$date"), (4, "b.1.$oid"), (5, "$c")]


def test_a_key_that_stands_twice_is_complained_about_where_it_stands_again() -> None:
    text = '{\n  "a": 1,\n  "b": 2,\n  "a": 3\n}'
    with pytest.raises(PortalError) as refused:
        editor.read(text)
    (problem,) = editor.problems(text, refused.value)
    assert (problem.line, problem.path) == (4, "a")


def test_paths_of_a_schema_are_placed_too() -> None:
    refused = PortalError("schema", 422, "No.", errors=[InputError("data.b.1", "Use a text.")])
    (problem,) = editor.problems('{\n"b": [\n1,\n2]}', refused)
    assert problem.line == 4


def test_an_excerpt_shows_the_lines_around() -> None:
    text = "\n".join("abcdefg")
    assert list(excerpt(text, 2)) == [(1, "a", False), (2, "b", True), (3, "c", False), (4, "d", False)]
    assert list(excerpt("", 1)) == []
