"""Cursors are opaque: only what the portal gave out comes back."""

import string

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from orgportal.conventions import cursor_after, read_cursor
from orgportal.errors import PortalError

LAST = ObjectId("66f0c0ffee0123456789abcd")


def refused(cursor: str, listing: str = "organizations") -> bool:
    with pytest.raises(PortalError) as caught:
        read_cursor(cursor, listing=listing)
    return (caught.value.status, caught.value.errors[0].path) == (422, "cursor")


def test_a_cursor_leads_back_to_where_it_was_made() -> None:
    assert read_cursor(cursor_after(LAST, listing="organizations"), listing="organizations") == LAST


def test_no_cursor_means_from_the_beginning() -> None:
    assert read_cursor(None, listing="organizations") is None


def test_a_cursor_needs_no_escaping_in_a_url() -> None:
    assert set(cursor_after(LAST, listing="organizations")) <= set(string.ascii_letters + string.digits + "-_~.")


def test_a_cursor_of_one_listing_is_refused_by_another() -> None:
    assert refused(cursor_after(LAST, listing="organizations"), listing="records")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        str(LAST),
        f"{LAST}~",
        f"{LAST}~x",
        "~",
        "\x00",
        "é",
        "🐘",
        '{"$gt":""}',
        "9" * 201,
        "a~b~c",
        "../..",
        "null",
    ],
)
def test_what_was_not_given_out_is_refused(cursor: str) -> None:
    assert refused(cursor)


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_a_cursor_with_one_character_changed_is_refused(position: int, character: str) -> None:
    cursor = cursor_after(LAST, listing="organizations")
    position %= len(cursor)
    changed = cursor[:position] + character + cursor[position + 1 :]
    # A colon is what stands for the tilde inside, so it reads the same.
    if changed.replace("~", ":") != cursor.replace("~", ":"):
        assert refused(changed)


def test_an_extended_cursor_is_refused() -> None:
    cursor = cursor_after(LAST, listing="organizations")
    assert refused(cursor + "A")
    assert refused("A" + cursor)
    assert refused(cursor[:-1])
