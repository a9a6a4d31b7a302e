"""The grid's state in the address."""

from dataclasses import replace
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.records.grid import (
    FIRST,
    MAX_BACK,
    MAX_COLUMNS,
    GridState,
    SortKey,
    join_paths,
    read_sort,
    read_state,
    split_paths,
)
from tests.effort import effort


def state_of(query: str) -> GridState:
    state, errors = read_state(QueryDict(query.removeprefix("?")))
    assert errors == []
    return state


def wrong_in(query: str) -> list[str]:
    return [error.path for error in read_state(QueryDict(query))[1]]


def test_nothing_in_the_address_is_the_grid_as_it_opens() -> None:
    assert state_of("") == GridState()
    assert GridState().query == ""


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
PATH = TEXT.map(str.strip).filter(bool)
STATES = st.builds(
    GridState,
    columns=st.lists(PATH, max_size=5, unique=True).map(tuple),
    sort=st.lists(
        st.builds(SortKey, st.from_regex(r"[a-z][a-z0-9 .ü]{0,6}", fullmatch=True), st.booleans()),
        max_size=3, unique_by=lambda key: key.path,
    ).map(tuple),
    filter=st.none() | st.dictionaries(TEXT, st.integers(0, 9) | TEXT, min_size=1, max_size=3),
    limit=st.sampled_from([10, 25, 50, 100]),
    cursor=st.from_regex(r"[A-Za-z0-9~_-]{0,20}", fullmatch=True),
    page=st.integers(1, 10**6),
    back=st.lists(st.from_regex(r"[A-Za-z0-9~_-]{1,20}", fullmatch=True), max_size=4).map(tuple),
)  # fmt: skip


@settings(max_examples=effort(short=60, full=120), deadline=None)
@given(STATES)
def test_the_address_says_all_of_the_state(state: GridState) -> None:
    assert state_of(state.query) == state


def test_search_and_filter_are_one_filter_for_the_api() -> None:
    state = state_of("search_field=title&search=Sta&filter=%7B%22year%22%3A1977%7D")
    assert state.effective_filter == {"$and": [{"year": 1977}, {"title": {"$prefix": "Sta"}}]}
    assert replace(state, filter=None).effective_filter == {"title": {"$prefix": "Sta"}}
    assert replace(state, search="").effective_filter == {"year": 1977}
    assert GridState().effective_filter == {}


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=1000000", "limit"),
        ("limit=-5", "limit"),
        ("limit=٣", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("page=0", "page"),
        ("page=x", "page"),
        ("filter=%5B%5D", "filter"),
        ("filter=5", "filter"),
        ("filter=%7B", "filter"),
        ("filter=" + "%7B%22a%22%3A" * 40, "filter"),
        ("filter=%7B%22a%22%3A1%2C%22a%22%3A2%7D", "filter.a"),
        ("columns=" + ",".join(f"c{number}" for number in range(MAX_COLUMNS + 1)), "columns"),
        ("columns=" + "x" * 3000, "columns"),
    ],
)
def test_what_cannot_be_read_is_named_and_has_its_default(query: str, path: str) -> None:
    assert wrong_in(query) == [path]
    state, _ = read_state(QueryDict(query))
    assert state == GridState()


def test_a_click_on_a_head_sorts_up_then_down_then_not() -> None:
    by_year = state_of("cursor=c&page=4&back=x").sorted_by("year")
    assert by_year.sort == (SortKey("year"),)
    assert (by_year.cursor, by_year.page, by_year.back) == ("", 1, ())
    assert by_year.sorted_by("year").sort == (SortKey("year", descending=True),)
    assert by_year.sorted_by("year").sorted_by("year").sort == ()


def test_the_last_head_clicked_counts_most_and_three_are_kept() -> None:
    state = GridState()
    for path in ("a", "b", "c", "d"):
        state = state.sorted_by(path)
    assert state.sort_text == "d,c,b"
    assert [state.direction_of(path) for path in "abcd"] == ["none", "ascending", "ascending", "ascending"]
    assert state.sorted_by("b").sort_text == "b,d,c"


def test_pages_know_the_way_back() -> None:
    first = state_of("limit=10")
    third = first.next_page("two").next_page("three")
    assert (third.cursor, third.page, third.back) == ("three", 3, (FIRST, "two"))
    second = third.previous_page()
    assert second == first.next_page("two")
    assert second.previous_page() == first
    assert first.previous_page() is None
    assert third.first_page() == first


def test_the_way_back_is_kept_as_far_as_an_address_can_hold_it() -> None:
    state = GridState()
    for number in range(100):
        state = state.next_page(f"{number:0>150}")
    assert sum(map(len, state.back)) <= MAX_BACK
    assert len(state.query) < 2000
    assert state_of(state.query) == state


@given(st.lists(PATH, max_size=6))
def test_paths_with_commas_and_backslashes_survive(paths: list[str]) -> None:
    assert split_paths(join_paths(paths)) == paths


@pytest.mark.parametrize("text", [",,,", " , ", "\\", "a\\", "-", "--", "-,-"])
def test_odd_lists_break_nothing(text: str) -> None:
    paths: Any = split_paths(text)
    assert all(path.strip() for path in paths)
    assert all(key.path for key in read_sort(text))
