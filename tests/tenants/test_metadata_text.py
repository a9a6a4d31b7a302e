"""Metadata as lines of text in a form: what is shown is read back as the same value, of the same type."""

import pytest

from orgportal.errors import PortalError
from tenants.metadata_text import Value, metadata_from_rows, value_to_text

VALUES: list[Value] = [
    "pilot", "Österreich", "two words", "a=b", "it's", 'say "hi"', "42nd", "-", "1.", ".5", "01234", "+1", "1_000",
    "true", "false", "null", "True", "NULL", "0", "-7", "42", "0.5", "1e3", "", " padded ", "tab\there", "line\nbreak",
    '"', '"quoted"', '"half', "\\", "\u2028", "\u00a0", "😀", "[]", "{}", "NaN", "Infinity",
    0, 1, -1, 2**63 - 1, -(2**63), 0.0, 0.5, -1.25, 1e16, 1e-7, 1.7976931348623157e308, True, False, None,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was_shown(value: Value) -> None:
    line = value_to_text(value)
    assert "\n" not in line
    back = metadata_from_rows(["key"], [line])["key"]
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("25", 25),
        (" 25 ", 25),
        ("2.5", 2.5),
        ("true", True),
        ("null", None),
        ('"25"', "25"),
        ("25 kg", "25 kg"),
        ("007", "007"),
    ],
)
def test_a_line_means_what_it_looks_like(line: str, expected: Value) -> None:
    value = metadata_from_rows(["key"], [line])["key"]
    assert (value, type(value)) == (expected, type(expected))


def test_empty_rows_are_skipped_and_keys_are_trimmed() -> None:
    assert metadata_from_rows(["", " a ", "  "], ["", "1", " "]) == {"a": 1}


def test_a_key_without_a_value_is_an_empty_text() -> None:
    assert metadata_from_rows(["note"], [""]) == {"note": ""}


@pytest.mark.parametrize(
    ("keys", "lines", "path"),
    [
        ([""], ["lonely"], "metadata"),
        (["a", "b", "a"], ["1", "2", "3"], "metadata.a"),
        (["open"], ['"never closed'], "metadata.open"),
        (["more"], ['"text" and more'], "metadata.more"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_their_key(keys: list[str], lines: list[str], path: str) -> None:
    with pytest.raises(PortalError) as refused:
        metadata_from_rows(keys, lines)
    assert refused.value.status == 422
    assert [part.path for part in refused.value.errors] == [path]
