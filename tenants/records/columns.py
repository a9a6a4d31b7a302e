"""Which fields the records have, judged by some of the oldest and some of the newest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenants.access import Access
from tenants.records.cells import kind_of
from tenants.records.windows import DefaultOrder

SAMPLE = 30
MAX_COLUMNS = 200
MAX_LEVELS = 4


@dataclass(frozen=True)
class Column:
    """A field: its dotted path, which kinds of values it was seen with (`cells.kind_of`), in what share of records."""

    path: str
    kinds: frozenset[str]
    filled: float


@dataclass
class _Seen:
    kinds: set[str] = field(default_factory=set)
    times: int = 0


def infer_columns(*, access: Access) -> list[Column]:
    """The fields of the data in the order in which they were met, at most 200, objects before what is in them."""
    order = DefaultOrder(access, {}, None)
    rows = {row["_id"]: row["data"] for row in [*order.rows(None, SAMPLE), *order.newest(SAMPLE)]}
    seen: dict[str, _Seen] = {}
    for data in rows.values():
        for path, value in _fields(data, "", 1):
            if path in seen or len(seen) < MAX_COLUMNS:
                found = seen.setdefault(path, _Seen())
                found.kinds.add(kind_of(value))
                found.times += 1
    return [Column(path, frozenset(found.kinds), found.times / len(rows)) for path, found in seen.items()]


def _fields(data: Mapping[str, Any], above: str, level: int) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        path = f"{above}{name}"
        yield path, value
        if isinstance(value, dict) and level < MAX_LEVELS:
            yield from _fields(value, f"{path}.", level + 1)
