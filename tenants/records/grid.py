"""The state of the grid, all of it in the address: what is shown, in which order, and where in the list. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from orgportal.errors import InputError, PortalError, invalid
from tenants.records import filters

LIMITS = (10, 25, 50, 100)
LIMIT = 25
SHOWN_COLUMNS = 8
MAX_COLUMNS = 40
MAX_SORT_KEYS = 3
MAX_PAGE = 10**9
MAX_TEXT = 2000
# So much of the way back is kept that the address stays one that servers and proxies take.
MAX_BACK = 1000
# Instead of a cursor, for the first page.
FIRST = "-"

# What the portal knows about a record beside its data. No field's name can begin with a dollar sign.
FACTS: Mapping[str, str] = {"$created": "Created", "$changed": "Changed", "$rev": "Revision", "$by": "Created by"}


@dataclass(frozen=True)
class SortKey:
    """A field to sort by, and which way."""

    path: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.path}" if self.descending else self.path


@dataclass(frozen=True)
class GridState:
    """What the address says. `filter` is the API's filter; `columns` is empty while the data decides."""

    columns: tuple[str, ...] = ()
    sort: tuple[SortKey, ...] = ()
    filter: Mapping[str, Any] | None = None
    search_field: str = ""
    search: str = ""
    limit: int = LIMIT
    cursor: str = ""
    page: int = 1
    back: tuple[str, ...] = ()

    def parameters(self) -> list[tuple[str, str]]:
        """Names and values of the address, without those that say what goes without saying."""
        found = [
            ("columns", join_paths(self.columns)),
            ("search_field", self.search_field if self.search else ""),
            ("search", self.search if self.search_field else ""),
            ("filter", filter_text(self.filter)),
            ("sort", self.sort_text),
            ("limit", str(self.limit) if self.limit != LIMIT else ""),
            ("cursor", self.cursor),
            ("page", str(self.page) if self.page > 1 else ""),
            *(("back", cursor) for cursor in self.back),
        ]
        return [(name, value) for name, value in found if value]

    @property
    def query(self) -> str:
        """The address's query string, with its question mark; empty for the grid as it opens."""
        parameters = self.parameters()
        return f"?{urlencode(parameters)}" if parameters else ""

    @property
    def sort_text(self) -> str:
        """The sort as the API takes it."""
        return ",".join(str(key) for key in self.sort)

    @property
    def effective_filter(self) -> dict[str, Any]:
        """Filter and search together, in the API's language; empty when neither is there."""
        search: dict[str, Any] = {self.search_field: {"$prefix": self.search}} if self.searches else {}
        if not self.filter or not search:
            return dict(self.filter or {}) or search
        return {"$and": [dict(self.filter), search]}

    @property
    def searches(self) -> bool:
        return bool(self.search_field and self.search)

    def first_page(self, **changes: Any) -> "GridState":
        """The same list, or with changes another one, from its beginning."""
        return replace(self, cursor="", page=1, back=(), **changes)

    def next_page(self, cursor: str) -> "GridState":
        """The page that the cursor leads to."""
        back = (*self.back, self.cursor or FIRST)
        while sum(map(len, back)) > MAX_BACK:
            back = back[1:]
        return replace(self, cursor=cursor, page=self.page + 1, back=back)

    def previous_page(self) -> "GridState | None":
        """The page before, None where the address does not know the way."""
        if not self.back or self.page < 2:
            return None
        cursor = self.back[-1]
        return replace(self, cursor="" if cursor == FIRST else cursor, page=self.page - 1, back=self.back[:-1])

    def sorted_by(self, path: str) -> "GridState":
        """What a click on a column's head leads to: up, down, then no longer by this column.

        The column becomes the first key, and earlier keys decide where it has the same value twice.
        """
        rest = tuple(key for key in self.sort if key.path != path)
        current = self.sort[0] if self.sort and self.sort[0].path == path else None
        if current is None:
            return self.first_page(sort=(SortKey(path), *rest)[:MAX_SORT_KEYS])
        return self.first_page(sort=(SortKey(path, descending=True), *rest) if not current.descending else rest)

    def direction_of(self, path: str) -> str:
        """ascending, descending or none, as aria-sort has it."""
        for key in self.sort:
            if key.path == path:
                return "descending" if key.descending else "ascending"
        return "none"


def filter_text(filter_: Mapping[str, Any] | None) -> str:
    """The filter as compact JSON, empty for none."""
    return json.dumps(filter_, ensure_ascii=False, separators=(",", ":")) if filter_ else ""


def read_state(query: QueryDict) -> tuple[GridState, list[InputError]]:
    """The state that an address says, and what in it cannot be read; of that the state has the default."""
    errors: list[InputError] = []
    filter_ = None
    try:
        filter_ = read_filter(_text(query, "filter"))
    except PortalError as wrong:
        errors += wrong.errors
    state = GridState(
        columns=_unique(path for text in query.getlist("columns") for path in split_paths(text)),
        sort=read_sort(_text(query, "sort")),
        filter=filter_,
        search_field=_text(query, "search_field"),
        search=_text(query, "search"),
        limit=_number(query, "limit", LIMIT, LIMITS, errors),
        cursor=_text(query, "cursor"),
        page=_number(query, "page", 1, range(1, MAX_PAGE), errors),
        back=tuple(_bounded_back(query.getlist("back"))),
    )
    return replace(state, columns=_checked_columns(state.columns, errors)), errors


def read_filter(text: str) -> dict[str, Any] | None:
    """The filter of a JSON text, None for an empty one. Raises PortalError 422 with the path `filter`."""
    value = filters.parse_filter(text)
    if not isinstance(value, dict):
        raise invalid("filter", 'A filter is a JSON object, such as {"year": {"$gte": 2000}}.')
    return value or None


def read_sort(text: str) -> tuple[SortKey, ...]:
    """The sort keys of the API's `field,-field`."""
    keys = [SortKey(part.removeprefix("-"), part.startswith("-")) for part in text.split(",") if part.strip("-")]
    return tuple({key.path: key for key in reversed(keys)}.values())[::-1]


def split_paths(text: str) -> list[str]:
    """The paths of a list with commas; a comma or backslash within a path has a backslash before it."""
    parts = re.findall(r"((?:[^,\\]|\\.?)+)", text, flags=re.DOTALL)
    return [path for part in parts if (path := re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL).strip())]


def join_paths(paths: Iterable[str]) -> str:
    """The reverse of `split_paths`."""
    return ",".join(re.sub(r"([,\\])", r"\\\1", path) for path in paths)


def is_sortable(path: str) -> bool:
    """Whether the API's sort parameter can name the field."""
    return bool(path) and not path.startswith(("-", "$")) and "," not in path


def is_field(path: str) -> bool:
    """Whether it is a path into a record's data, and none of the facts beside it."""
    return path not in FACTS


def _text(query: QueryDict, name: str) -> str:
    return str(query.get(name, ""))


def _number(query: QueryDict, name: str, default: int, allowed: Sequence[int], errors: list[InputError]) -> int:
    text = _text(query, name)
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed:
        return int(text)
    offered = f"Use one of {', '.join(map(str, allowed))}." if len(allowed) < 10 else "Use a number from 1."
    errors.append(InputError(name, offered))
    return default


def _unique(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _checked_columns(columns: tuple[str, ...], errors: list[InputError]) -> tuple[str, ...]:
    if len(columns) > MAX_COLUMNS:
        errors.append(InputError("columns", f"Show at most {MAX_COLUMNS} columns."))
    elif any(len(path) > MAX_TEXT or "\0" in path for path in columns):
        errors.append(InputError("columns", "There is no such field."))
    else:
        return columns
    return ()


def _bounded_back(cursors: Iterable[Any]) -> list[str]:
    kept = [str(cursor) for cursor in cursors]
    return kept if sum(map(len, kept)) <= MAX_BACK else []
