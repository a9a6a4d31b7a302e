"""What two JSON readers could understand differently is refused, and refusals say where."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgportal.errors import PortalError
from orgportal.strict_json import MAX_DEPTH, parse

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def refusal(body: bytes) -> PortalError:
    with pytest.raises(PortalError) as caught:
        parse(body)
    return caught.value


def wrong_paths(body: bytes) -> list[str]:
    error = refusal(body)
    assert (error.status, error.code) == (422, "invalid_input")
    return [wrong.path for wrong in error.errors]


@given(VALUES)
def test_whatever_json_can_say_comes_back_as_it_was(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(body: bytes) -> None:
    try:
        parse(body)
    except PortalError as error:
        status = error.status
    else:
        status = 200
    assert status in {200, 400, 422}


@given(st.text(alphabet='{}[]",:\\u0d8aeE+-.1 tnf\n', max_size=60))
def test_anything_that_looks_like_json_is_read_as_the_standard_library_reads_it_or_refused(text: str) -> None:
    try:
        mine = parse(text.encode())
    except PortalError:
        return
    assert mine == json.loads(text)


def test_the_types_are_those_of_json() -> None:
    value = parse(b'{"a": [1, 1.0, -0.5, true, false, null, "x"], "b": {}}')
    assert value == {"a": [1, 1.0, -0.5, True, False, None, "x"], "b": {}}
    assert [type(item) for item in value["a"]] == [int, float, float, bool, bool, type(None), str]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"[1, 2",
        b'{"a": 1,}',
        b"[1,]",
        b"{'a': 1}",
        b"{a: 1}",
        b'{"a" 1}',
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x10",
        b"1_000",
        b"True",
        b"undefined",
        b'"tab\tinside"',
        b'"line\ninside"',
        b'"nul\x00inside"',
        b'"unfinished',
        b'"bad \\x escape"',
        b'"\\u12"',
        b"1 2",
        b"{} {}",
        b"// comment\n1",
        b"/* comment */ 1",
        b"\x00",
        b"\x0b1",
        "\u00a01".encode(),
    ],
    ids=repr,
)
def test_what_is_no_json_is_400(body: bytes) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xe2\x82"',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"\xfe\xff\x00{\x00}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": "ü"}'.encode("utf-16-le"),
        '{"a": "ü"}'.encode("utf-16-be"),
        '{"a": "ü"}'.encode("utf-32"),
        '{"a": "ü"}'.encode("latin-1"),
    ],
    ids=repr,
)
def test_only_plain_utf_8_is_read(body: bytes) -> None:
    assert refusal(body).status == 400


def test_a_refusal_says_where_but_repeats_nothing_of_the_body() -> None:
    error = refusal(b'{"password": "hunter2hunter2",\n oops}')
    assert error.message == "Line 2, column 2 is not valid JSON."
    assert "hunter2" not in repr(error.errors) + error.message


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"a": 1, "a": 1}', "a"),
        (b'{"a": 1, "b": 2, "a": {"$ne": null}}', "a"),
        (b'{"a": 1, "\\u0061": 2}', "a"),
        (b'{"": 1, "": 2}', ""),
        (b'{"outer": [{"x": 1}, {"y": 1, "y": 2}]}', "outer.1.y"),
        (b'{"a": {"b": {"c": 1, "c": 2}}}', "a.b.c"),
    ],
)
def test_a_key_that_appears_twice_is_refused_with_its_path(body: bytes, path: str) -> None:
    assert wrong_paths(body) == [path]


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_python_alone_calls_a_number_is_refused(word: bytes) -> None:
    assert wrong_paths(b'{"a": [0, ' + word + b"]}") == ["a.1"]
    assert wrong_paths(word) == [""]


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1e999999999", b"9" * 400 + b".0", b"123456789e301"])
def test_a_number_that_no_double_holds_is_refused(number: bytes) -> None:
    assert wrong_paths(b'{"n": ' + number + b"}") == ["n"]


@pytest.mark.parametrize(
    "number",
    [
        b"9223372036854775808",
        b"-9223372036854775809",
        b"1" + b"0" * 19,
        b"9" * 5000,
        b"-" + b"9" * 5000,
        b"9" * 500_000,
    ],
    ids=lambda number: f"{len(number)} digits",
)
def test_an_integer_beyond_64_bits_is_refused(number: bytes) -> None:
    assert wrong_paths(b'{"n": ' + number + b"}") == ["n"]


def test_the_widest_integers_are_read() -> None:
    assert parse(b"[9223372036854775807, -9223372036854775808, -0]") == [2**63 - 1, -(2**63), 0]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"a": "\\ud800"}', "a"),
        (b'{"a": "\\uDFFF"}', "a"),
        (b'{"a": "\\udc00\\ud800"}', "a"),
        (b'{"a": ["fine", "x\\ud83dx"]}', "a.1"),
        (b'{"\\ud800": 1}', ""),
        (b'"\\ud800"', ""),
    ],
)
def test_half_a_surrogate_pair_is_refused(body: bytes, path: str) -> None:
    assert wrong_paths(body) == [path]


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'["\\ud83d\\ude00", "\xf0\x9f\x98\x80"]') == ["\U0001f600", "\U0001f600"]


def test_an_escaped_backslash_before_a_u_is_text() -> None:
    assert parse(b'"\\\\ud800"') == "\\ud800"


def test_paths_of_refused_keys_can_be_sent_as_utf_8() -> None:
    for path in wrong_paths(b'{"\\ud800": {"x": NaN, "y": "\\ud800"}}'):
        path.encode()


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


def test_nesting_is_read_to_32_levels_and_refused_beyond() -> None:
    assert MAX_DEPTH == 32
    assert parse(nested(32)) is not None
    assert wrong_paths(nested(33)) == [""]
    assert parse(b'{"a":' * 32 + b"1" + b"}" * 32) is not None
    assert wrong_paths(b'{"a":' * 33 + b"1" + b"}" * 33) == [""]


def test_many_shallow_values_are_not_deep() -> None:
    assert len(parse(b"[" + b",".join([b"[{}]"] * 1000) + b"]")) == 1000


def test_an_object_has_at_most_a_thousand_keys() -> None:
    def with_keys(count: int) -> bytes:
        return json.dumps({"a": {f"k{number}": 1 for number in range(count)}}).encode()

    assert len(parse(with_keys(1000))["a"]) == 1000
    assert wrong_paths(with_keys(1001)) == ["a"]


def test_brackets_inside_texts_are_not_nesting() -> None:
    assert parse(b'["' + b"[" * 1000 + b'", "\\"' + b"{" * 1000 + b'"]') is not None


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, nested(100_000), b'[{"a":' * 50_000, b'"\\"' + b"[" * 100_000],
    ids=["arrays", "objects", "closed", "mixed", "unfinished text"],
)
def test_a_hundred_thousand_brackets_are_refused_without_a_recursion_error(body: bytes) -> None:
    assert refusal(body).status in {400, 422}


def test_depth_is_judged_before_the_recursion_limit_matters() -> None:
    limit = sys.getrecursionlimit()

    def deep_down(levels: int) -> None:
        if levels:
            deep_down(levels - 1)
        else:
            assert refusal(b"[" * 100_000).status == 422

    deep_down(limit // 2)


def test_many_mistakes_are_listed_up_to_a_hundred() -> None:
    assert len(refusal(b"[" + b",".join([b"NaN"] * 500) + b"]").errors) == 100
