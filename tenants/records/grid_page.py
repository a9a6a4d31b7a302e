"""What the grid's template shows, made of the state, one page of records and the known columns. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tenants.records import cells, conditions, grid
from tenants.records.cells import Cell
from tenants.records.conditions import Row
from tenants.records.documents import Record
from tenants.records.grid import GridState

# A column is shown unasked when so many of 100 records have the field.
USUAL = 20
# Fields of such values alone are not: their parts are, or they say little to people.
UNSIGHTLY = frozenset({"object", "id", "binary"})


@dataclass(frozen=True)
class Head:
    """A column's head; `number` is its place among several sort keys, from 1, 0 when it is not sorted by.

    `query` is None for what cannot be sorted by.
    """

    path: str
    label: str
    direction: str
    query: str | None
    number: int
    is_numeric: bool


@dataclass(frozen=True)
class Line:
    """A record as a row of the table: its cells, and whether each stands in a column of numbers."""

    id: str
    cells: Sequence[tuple[Cell, bool]]


@dataclass(frozen=True)
class Chip:
    """One thing that narrows or orders the list, and where to go without it."""

    text: str
    query: str


@dataclass(frozen=True)
class Choice:
    """A column that may be shown."""

    path: str
    label: str
    detail: str
    is_shown: bool


@dataclass(frozen=True)
class Known:
    """A field that the data was seen to have: its kinds of values, and in how many of 100 records it is there."""

    path: str
    kinds: frozenset[str]
    filled: int


def shown_columns(state: GridState, known: Sequence[Known]) -> tuple[str, ...]:
    """The chosen columns, else the first few that most records have."""
    if state.columns:
        return state.columns
    plain = [field for field in known if not field.kinds - {"null"} <= UNSIGHTLY] or known
    usual = [field.path for field in plain if field.filled >= USUAL] or [field.path for field in plain]
    return tuple(usual[: grid.SHOWN_COLUMNS])


def heads(state: GridState, columns: Sequence[str], known: Mapping[str, Known]) -> list[Head]:
    """The heads of the table, each with the address that a click on it leads to."""
    found = []
    for path in columns:
        kinds = known[path].kinds - {"null"} if path in known else frozenset()
        number = next((at for at, key in enumerate(state.sort, 1) if key.path == path), 0)
        found.append(
            Head(
                path=path,
                label=grid.FACTS.get(path, cells.plain(path)),
                direction=state.direction_of(path),
                query=state.sorted_by(path).query if grid.is_sortable(path) else None,
                number=number if len(state.sort) > 1 else 0,
                is_numeric=path == "$rev" or (bool(kinds) and kinds <= {"number", "decimal"}),
            )
        )
    return found


def lines(records: Sequence[Record], heads: Sequence[Head]) -> list[Line]:
    """The rows of the table."""
    return [Line(record.id, [(_cell(record, head.path), head.is_numeric) for head in heads]) for record in records]


def _cell(record: Record, path: str) -> Cell:
    facts = {
        "$created": record.created_at,
        "$changed": record.updated_at,
        "$rev": record.rev,
        "$by": record.created_by,
    }
    return cells.cell_of(facts[path] if path in facts else cells.value_at(record.data, path))


def filter_chips(
    state: GridState, rows: Sequence[Row], *, match_any: bool, types: Mapping[str, frozenset[str]]
) -> Iterator[Chip]:
    """What the list is narrowed by, piece by piece where the builder can say it."""
    if state.searches:
        without = state.first_page(search="", search_field="")
        yield Chip(f"{state.search_field} begins with “{cells.plain(state.search)}”", without.query)
    if state.filter and not rows:
        yield Chip("an advanced filter", state.first_page(filter=None).query)
    for number, row in enumerate(rows):
        rest = [other for at, other in enumerate(rows) if at != number]
        without_it = conditions.compose(rest, match_any=match_any, types=types)
        words = conditions.OPERATORS[row.operator]
        value = "" if row.operator in conditions.WITHOUT_VALUE else f" {cells.plain(row.value)}"
        yield Chip(f"{cells.plain(row.field)} {words}{value}", state.first_page(filter=without_it).query)


def sort_chips(state: GridState) -> Iterator[Chip]:
    """What the list is ordered by, in the order of weight."""
    for key in state.sort:
        rest = tuple(other for other in state.sort if other != key)
        way = "down" if key.descending else "up"
        yield Chip(f"{cells.plain(key.path)}, {way}", state.first_page(sort=rest).query)


def choices(columns: Sequence[str], known: Sequence[Known]) -> list[Choice]:
    """Every column that may be shown: first the shown ones in their order, then the rest of the data's, then facts."""
    details = {field.path: f"{', '.join(sorted(field.kinds))}, in {field.filled} %" for field in known}
    order = dict.fromkeys([*columns, *details, *grid.FACTS])
    return [
        Choice(path, grid.FACTS.get(path, cells.plain(path)), details.get(path, ""), path in columns) for path in order
    ]


def typed_rows(rows: Sequence[Row], wrong: Mapping[int, str]) -> list[Row]:
    """The builder's rows with what is wrong with each, and an empty one for the next."""
    return [*(replace(row, error=wrong.get(number, "")) for number, row in enumerate(rows)), Row()]


def types_of(known: Sequence[Known]) -> dict[str, frozenset[str]]:
    """Which kinds of values each field is known to hold."""
    return {field.path: field.kinds - {"null"} for field in known}


def search_fields(state: GridState, known: Sequence[Known]) -> list[str]:
    """The fields that can be searched by how their texts begin."""
    paths = [field.path for field in known if "text" in field.kinds]
    if state.search_field and state.search_field not in paths:
        paths.append(state.search_field)
    return paths


def indented(filter_: Mapping[str, Any] | None) -> str:
    """The filter as JSON for people."""
    return json.dumps(filter_, ensure_ascii=False, indent=2) if filter_ else ""


def hidden(state: GridState) -> dict[str, list[tuple[str, str]]]:
    """For each form of the page the rest of the state, which it carries along."""
    own = {
        "search": {"search", "search_field", "apply"},
        "filter": {"filter"},
        "columns": {"columns"},
        "limit": {"limit"},
    }
    carried = state.first_page().parameters()
    return {form: [pair for pair in carried if pair[0] not in names] for form, names in own.items()}


def count_of(state: GridState, shown: int, *, has_more: bool) -> dict[str, str]:
    """Which of the records are shown, of how many where that is known without counting, else where to ask."""
    first = (state.page - 1) * state.limit + 1
    last = first + shown - 1
    text = f"{first:,}\u2013{last:,}" if shown != 1 else f"{first:,}"
    if not shown:
        return {"range_text": "0", "total_text": "0" if state.page == 1 else "", "count_query": ""}
    if not has_more:
        return {"range_text": text, "total_text": f"{last:,}", "count_query": ""}
    counted = GridState(filter=state.filter, search_field=state.search_field, search=state.search)
    parameters = [*counted.parameters(), ("shown", text)]
    return {"range_text": text, "total_text": "", "count_query": f"?{urlencode(parameters)}"}
