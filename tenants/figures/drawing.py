"""Figures as shapes for an SVG: numbers in, places on the paper out. The templates draw, the style sheet colours.

Every place is a text with one decimal, ready for an attribute: no template may write it with a comma.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenants.figures.spread import Bar

WIDTH, HEIGHT = 440.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 14.0, 12.0, 28.0
TICKS = 3
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
FEW_COLUMNS = 6
LABEL_LENGTH = 12
# Of a label on a phone, where the letters are largest in proportion.
CHARACTER_WIDTH = 9.0


@dataclass(frozen=True)
class Tick:
    """A label at a place of an axis; `anchor` is how the text stands to it."""

    place: str
    label: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Column:
    """A bar that stands on the axis, with what it says when it is pointed at."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True)
class LineFigure:
    """A line over time with the area below it, and a dot at its end."""

    line: str
    area: str
    end_x: str
    end_y: str
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]


@dataclass(frozen=True)
class ColumnFigure:
    """Bars beside each other."""

    bars: tuple[Column, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]


@dataclass(frozen=True)
class Row:
    """A bar as a row of a table: `width` of a hundred, for the largest."""

    label: str
    count: int
    width: str
    percent: str


def line_figure(points: Sequence[tuple[datetime, int]], text_of: Callable[[float], str]) -> LineFigure:
    """Values over time, from 0; at least one."""
    largest = max(value for _, value in points)
    top = _round_bytes(largest) if text_of is bytes_text else _round_top(largest)
    begin, end = points[0][0], points[-1][0]
    seconds = max((end - begin).total_seconds(), 1.0)
    places = [
        (LEFT + _inner_width() * (moment - begin).total_seconds() / seconds, _height_of(value, top))
        for moment, value in points
    ]
    if len(places) == 1:
        # One measurement alone: as it is now, all along.
        places = [(LEFT, places[0][1]), (WIDTH - RIGHT, places[0][1])]
    line = " ".join(f"{_text(x)},{_text(y)}" for x, y in places)
    ground = _text(HEIGHT - BOTTOM)
    area = f"{_text(places[0][0])},{ground} {line} {_text(places[-1][0])},{ground}"
    last_x, last_y = places[-1]
    return LineFigure(line, area, _text(last_x), _text(last_y), _rows(top, text_of), _days(begin, end))


def column_figure(bars: Sequence[Bar], text_of: Callable[[float], str], *, between: bool) -> ColumnFigure:
    """Bars beside each other, from 0; `between`: the labels stand where one range ends and the next begins."""
    top = _round_top(max(bar.count for bar in bars))
    step = _inner_width() / len(bars)
    gap = min(step * 0.15, 4.0)
    shapes = []
    for number, bar in enumerate(bars):
        y = _height_of(bar.count, top)
        height = HEIGHT - BOTTOM - y
        x = LEFT + number * step + gap / 2
        title = f"{bar.label}: {bar.count:,}"
        shapes.append(Column(_text(x), _text(y), _text(max(step - gap, 0.5)), _text(height), title))
    return ColumnFigure(tuple(shapes), _rows(top, text_of), _column_labels(bars, step, between=between))


def row_figure(bars: Sequence[Bar]) -> list[Row]:
    """Bars below each other, for a table."""
    largest, total = max(bar.count for bar in bars), sum(bar.count for bar in bars)
    return [
        Row(bar.label, bar.count, _text(100 * bar.count / largest), percent_text(bar.count / total)) for bar in bars
    ]


def percent_text(share: float) -> str:
    """A share of one in percent."""
    percent = share * 100
    return "< 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def count_text(value: float) -> str:
    """A count as short as an axis wants it."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:g}"


def bytes_text(value: float) -> str:
    """Bytes as short as an axis wants them."""
    for size, unit in ((2.0**30, "GB"), (2.0**20, "MB"), (2.0**10, "KB")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g} B"


def _text(value: float) -> str:
    return f"{value:.1f}"


def _inner_width() -> float:
    return WIDTH - LEFT - RIGHT


def _height_of(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _round_top(largest: float) -> float:
    """The end of an axis that divides into round steps."""
    rough = max(largest, 1) / TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough)) if rough >= 1 else 1.0
    step = next(factor * magnitude for factor in STEPS if factor * magnitude >= rough)
    return max(step * TICKS, float(TICKS))


def _round_bytes(largest: float) -> float:
    """The same for bytes, whose units are powers of 1,024."""
    unit = 1024.0 ** max(int(math.log(max(largest, 1), 1024)), 0)
    # In tenths of the unit, so that 1.5 MB is a round step.
    return _round_top(10 * largest / unit) * unit / 10 if unit > 1 else _round_top(largest)


def _rows(top: float, text_of: Callable[[float], str]) -> tuple[Tick, ...]:
    values = [top * number / TICKS for number in range(TICKS + 1)]
    return tuple(Tick(_text(_height_of(value, top)), text_of(value)) for value in values)


def _days(begin: datetime, end: datetime) -> tuple[Tick, ...]:
    """When the line begins, its middle, and now."""
    form = "{:%-d %b}" if end - begin >= timedelta(days=2) else "{:%H:%M}"
    ticks = [Tick(_text(LEFT), form.format(begin), "start"), Tick(_text(WIDTH - RIGHT), "now", "end")]
    if end - begin >= timedelta(days=4):
        ticks.insert(1, Tick(_text(LEFT + _inner_width() / 2), form.format(begin + (end - begin) / 2)))
    return tuple(ticks)


def _column_labels(bars: Sequence[Bar], step: float, *, between: bool) -> tuple[Tick, ...]:
    if between:
        edges = [0, len(bars) // 2, len(bars)]
        labels = [bars[edge].label if edge < len(bars) else bars[-1].label for edge in edges]
        texts = [label.split(" to ")[0] for label in labels[:2]] + [labels[2].split(" to ")[-1]]
        anchors = ("start", "middle", "end")
        return tuple(
            Tick(_text(LEFT + edge * step), text, anchor)
            for edge, text, anchor in zip(edges, texts, anchors, strict=True)
        )
    texts = [bar.label[:LABEL_LENGTH] for bar in bars]
    all_fit = len(bars) <= FEW_COLUMNS and max(map(len, texts), default=0) * CHARACTER_WIDTH <= step
    shown = range(len(bars)) if all_fit else sorted({0, (len(bars) - 1) // 2, len(bars) - 1})
    return tuple(Tick(_text(LEFT + (number + 0.5) * step), texts[number]) for number in shown)
