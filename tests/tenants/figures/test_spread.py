"""How values are sorted into bars: nothing is lost, nothing is counted twice, never too many bars."""

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.figures import drawing
from tenants.figures.spread import MAX_BINS, MAX_TEXTS, number_text, spread_of, values_at

DAY = datetime(2026, 1, 31, 15, tzinfo=timezone.utc)


def bars_of(*values: Any) -> list[tuple[str, int]]:
    return [(bar.label, bar.count) for bar in spread_of([[value] for value in values]).bars]


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        ({"a": 1}, "a", [1]),
        ({"a": {"b": 2}}, "a.b", [2]),
        ({"a": [1, 2]}, "a", [1, 2]),
        ({"a": [{"b": 1}, {"b": [2, 3]}, {"c": 4}, 5]}, "a.b", [1, 2, 3]),
        ({"a": None}, "a", []),
        ({"a": 1}, "a.b", []),
        ({}, "a", []),
        (None, "a", []),
    ],
)
def test_the_values_of_a_record_at_a_path(data: Any, path: str, found: list[Any]) -> None:
    assert values_at(data, path.split(".")) == found


def test_few_whole_numbers_have_a_bar_each_gaps_included() -> None:
    assert bars_of(1, 1, 4, 2.0) == [("1", 2), ("2", 1), ("3", 0), ("4", 1)]
    assert bars_of(7) == [("7", 1)]


def test_many_numbers_are_sorted_into_round_ranges() -> None:
    spread = spread_of([[float(number)] for number in range(1000)])
    assert (spread.by, len(spread.bars)) == ("range", 20)
    assert spread.bars[0].label == "0 to 50"
    assert {bar.count for bar in spread.bars} == {50}


def test_texts_are_told_by_the_most_frequent_and_the_rest_together() -> None:
    values = [f"t{number}" for number in range(40) for _ in range(40 - number)]
    bars = bars_of(*values)
    assert bars[0] == ("t0", 40)
    assert len(bars) == MAX_TEXTS + 1
    assert bars[-1][0] == "others (28 different)"
    assert sum(count for _, count in bars) == len(values)
    assert bars_of("", " ", "x" * 100)[0] == ("(empty)", 1)


def test_dates_are_told_by_day_month_or_year() -> None:
    assert bars_of(DAY, DAY + timedelta(days=2)) == [("2026-01-31", 1), ("2026-02-01", 0), ("2026-02-02", 1)]
    months = spread_of([[DAY], [DAY + timedelta(days=90)]])
    assert (months.by, [bar.label for bar in months.bars]) == (
        "month",
        ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"],
    )
    years = spread_of([["1950-01-01"], ["2026-01-31T10:00:00Z"], ["not a date"]])
    assert (years.kind, years.by, years.others) == ("dates", "year", 1)
    assert years.bars[0].label == "1950 to 1954"


def test_what_most_values_are_is_drawn_and_the_rest_is_told() -> None:
    spread = spread_of([[1], ["a"], [2.5], [Decimal128("3")], [True], [ObjectId()], [float("nan")], []])
    assert (spread.kind, spread.values, spread.others, spread.without) == ("numbers", 3, 4, 1)
    assert bars_of(True, False, True) == [("true", 2), ("false", 1)]
    nothing = spread_of([[], [ObjectId()]])
    assert (nothing.kind, nothing.bars, nothing.without, nothing.others) == ("nothing", (), 1, 1)


VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=5),
    st.booleans(),
    st.datetimes(),
    st.dates().map(str),
    st.sampled_from([Decimal128("NaN"), Decimal128("1E+6000"), Decimal128("1.5"), ObjectId(), b"x", {"a": 1}]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.lists(VALUES, max_size=60), st.lists(st.floats(), max_size=60), st.lists(st.dates().map(str), max_size=9)
    )
)
def test_every_value_is_in_one_bar_or_counted_apart_and_everything_can_be_drawn(values: list[Any]) -> None:
    spread = spread_of([[value] for value in values])
    assert sum(bar.count for bar in spread.bars) == spread.values
    assert spread.values + spread.others == len(values)
    most = {"numbers": MAX_BINS + 1, "texts": MAX_TEXTS + 1, "booleans": 2, "dates": 40, "nothing": 0}[spread.kind]
    assert len(spread.bars) <= most
    if spread.bars:
        figure = drawing.column_figure(spread.bars, drawing.count_text, between=spread.by == "range")
        assert all(float(bar.height) >= 0 and float(bar.width) > 0 for bar in figure.bars)
        assert all("nan" not in tick.place for tick in (*figure.rows, *figure.columns))
        assert sum(row.count for row in drawing.row_figure(spread.bars)) == spread.values


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (5, "5"), (12500, "12,500"), (0.25, "0.25"), (1e6, "1,000,000"), (1.5e15, "1.5e+15"), (-3.0, "-3")],
)
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert number_text(value) == text


def test_lines_lie_on_the_paper() -> None:
    points = [(DAY + timedelta(days=number), number * number) for number in range(30)]
    figure = drawing.line_figure(points, drawing.count_text)
    places = [tuple(map(float, place.split(","))) for place in figure.line.split()]
    assert all(0 <= x <= drawing.WIDTH and 0 <= y <= drawing.HEIGHT for x, y in places)
    assert places == sorted(places)
    assert [tick.label for tick in figure.columns] == ["31 Jan", "15 Feb", "now"]
    one = drawing.line_figure([(DAY, 5)], drawing.count_text)
    assert len(one.line.split()) == 2
    flat = drawing.line_figure([(DAY, 0), (DAY, 0)], drawing.bytes_text)
    assert not math.isnan(float(flat.end_y))


def test_axes_and_shares_are_written_for_people() -> None:
    assert [drawing.count_text(value) for value in (0, 999, 1200, 2.5e6)] == ["0", "999", "1.2 k", "2.5 M"]
    assert [drawing.bytes_text(value) for value in (0, 1536, 3 * 2**20)] == ["0 B", "1.5 KB", "3 MB"]
    assert [drawing.percent_text(share) for share in (0, 0.0001, 0.055, 0.6)] == ["0.0 %", "< 0.1 %", "5.5 %", "60 %"]
