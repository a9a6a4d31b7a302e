"""How the values of one field are spread: sorted into bars by what most of them are. Pure functions."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from bson import Decimal128

Kind = Literal["numbers", "texts", "dates", "booleans", "nothing"]

MAX_BINS = 20
MAX_TEXTS = 12
TEXT_LENGTH = 80
DAYS_BY_DAY = 31
DAYS_BY_MONTH = 36 * 31
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Bar:
    """So many values (`count`) that are the same, or lie from `low` up to `high`; `label` says which."""

    label: str
    count: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Spread:
    """The bars; `values` were sorted into them, `without` records have no value, `others` hold values of other types.

    `by` says what a bar stands for: a value, a range of numbers, a day, a month, a year.
    """

    kind: Kind
    by: Literal["value", "range", "day", "month", "year"]
    bars: tuple[Bar, ...]
    values: int
    without: int
    others: int


def values_at(data: Any, names: Sequence[str]) -> list[Any]:
    """What a record has at the path: one value, those of a list, or none."""
    found: list[Any] = [data]
    for name in names:
        found = [inner[name] for inner in _spread_lists(found) if isinstance(inner, dict) and name in inner]
    return [value for value in _spread_lists(found) if value is not None]


def _spread_lists(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def spread_of(records: Iterable[Sequence[Any]]) -> Spread:
    """Sort the values of records (for each, those that it has) into bars."""
    sorted_out: dict[Kind, list[Any]] = {"numbers": [], "texts": [], "dates": [], "booleans": []}
    without = others = 0
    for values in records:
        without += not values
        for value in values:
            kind, comparable = _sorted_out(value)
            if kind == "nothing":
                others += 1
            else:
                sorted_out[kind].append(comparable)
    kind = max(sorted_out, key=lambda name: len(sorted_out[name]))
    values = sorted_out[kind]
    others += sum(len(group) for name, group in sorted_out.items() if name != kind)
    if not values:
        return Spread("nothing", "value", (), 0, without, others)
    by, bars = _bars(kind, values)
    return Spread(kind, by, tuple(bars), len(values), without, others)


def _sorted_out(value: Any) -> tuple[Kind, Any]:
    if isinstance(value, bool):
        return "booleans", value
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    if isinstance(value, int | float):
        return ("numbers", float(value)) if math.isfinite(value) else ("nothing", None)
    if isinstance(value, datetime):
        return "dates", value.date()
    if isinstance(value, str):
        day = _day_in(value)
        return ("dates", day) if day else ("texts", value)
    return "nothing", None


def _day_in(text: str) -> date | None:
    """The day of a text such as 2026-01-31 or 2026-01-31T10:00:00Z: how JSON and CSV files have dates."""
    if len(text) < 10 or len(text) > 35 or text[4] != "-" or (len(text) > 10 and text[10] not in "T "):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _bars(kind: Kind, values: list[Any]) -> "tuple[Literal['value', 'range', 'day', 'month', 'year'], list[Bar]]":
    if kind == "numbers":
        return _number_bars(values)
    if kind == "dates":
        return _date_bars(values)
    counted = Counter("true" if value is True else "false" if value is False else str(value) for value in values)
    bars = [Bar(_shown(label), count) for label, count in counted.most_common(MAX_TEXTS)]
    rest = len(values) - sum(bar.count for bar in bars)
    if rest:
        bars.append(Bar(f"others ({len(counted) - MAX_TEXTS:,} different)", rest))
    return "value", bars


def _shown(label: str) -> str:
    if not label.strip():
        return "(empty)"
    return label if len(label) <= TEXT_LENGTH else f"{label[:TEXT_LENGTH]}…"


def _number_bars(values: list[float]) -> "tuple[Literal['value', 'range'], list[Bar]]":
    low, high = min(values), max(values)
    whole = all(value.is_integer() for value in values)
    if low == high or (whole and high - low < MAX_BINS):
        counted = Counter(values)
        steps = [low] if low == high else [low + step for step in range(int(high - low) + 1)]
        return "value", [Bar(number_text(step), counted[step], step, step) for step in steps]
    step = _step_for(low, high, at_least=1.0 if whole else 0.0)
    first = math.floor(low / step)
    counted_bins = Counter(min(math.floor(value / step) - first, MAX_BINS) for value in values)
    bars = []
    for number in range(max(counted_bins) + 1):
        begin, end = (first + number) * step, (first + number + 1) * step
        bars.append(Bar(f"{number_text(begin)} to {number_text(end)}", counted_bins[number], begin, end))
    return "range", bars


def _step_for(low: float, high: float, *, at_least: float) -> float:
    """The smallest round step that divides the range into at most so many bins."""
    rough = max((high / MAX_BINS) - (low / MAX_BINS), 5e-300)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    for factor in (*STEPS, 20.0, 25.0):
        step = max(factor * magnitude, at_least)
        if math.floor(high / step) - math.floor(low / step) < MAX_BINS:
            return step
    return 50.0 * magnitude


def number_text(value: float) -> str:
    """A number as short as it stays telling: 12,500 or 0.25 or 1.5e+12."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e12:
        text = f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
        return text if "e" not in text else f"{value:,.0f}"
    return f"{value:.3g}"


def _date_bars(days: list[date]) -> "tuple[Literal['day', 'month', 'year'], list[Bar]]":
    first, last = min(days), max(days)
    span = (last - first).days
    if span <= DAYS_BY_DAY:
        counted = Counter(days)
        every = [first + timedelta(days=number) for number in range(span + 1)]
        return "day", [Bar(day.isoformat(), counted[day]) for day in every]
    if span <= DAYS_BY_MONTH:
        by_month = Counter((day.year, day.month) for day in days)
        months = [divmod(number, 12) for number in range(_month(first), _month(last) + 1)]
        return "month", [Bar(f"{year:04}-{month + 1:02}", by_month[year, month + 1]) for year, month in months]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 500) if last.year // step - first.year // step < MAX_BINS)
    by_year = Counter(day.year // step for day in days)
    years = range(first.year // step, last.year // step + 1)
    return "year", [
        Bar(f"{year * step}" if step == 1 else f"{year * step} to {year * step + step - 1}", by_year[year])
        for year in years
    ]


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
