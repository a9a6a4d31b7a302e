"""Which fields a list is sorted by and which way: `field,-field`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import Binary

from orgportal.database import Document
from orgportal.errors import invalid
from tenants.records.filters import field_of
from tenants.records.ordering import Descending, EmptyArray, Key, key_of, sort_value
from tenants.records.selection import outermost

MAX_KEYS = 3
MAX_TEXT = 600
# Travels in cursors for an empty array, which is no BSON value of its own there. No record can hold this one.
_EMPTY_ARRAY = Binary(b"empty array", 0x7F)


@dataclass(frozen=True)
class SortKey:
    """A field of `data` to sort by, and which way."""

    path: str
    descending: bool

    @property
    def names(self) -> list[str]:
        return ["data", *self.path.split(".")]

    def value(self, row: Document) -> Any:
        """What a stored record sorts by, shortened."""
        return sort_value(row, self.names, descending=self.descending)

    def key(self, value: Any) -> "Key | Descending":
        """What `value` compares by."""
        return Descending(key_of(value)) if self.descending else key_of(value)


def parse_sort(text: str | None) -> tuple[SortKey, ...]:
    """The keys of `?sort=`. Raises PortalError 422 for names that no field has, doubles, and more than three."""
    if text is None or not text.strip():
        return ()
    if len(text) > MAX_TEXT:
        raise invalid("sort", f"Use at most {MAX_TEXT:,} characters.")
    keys = []
    for part in text.split(","):
        name = part.strip()
        path = name.removeprefix("-")
        field_of(path, "sort")
        keys.append(SortKey(path, name.startswith("-")))
    if len(keys) > MAX_KEYS:
        raise invalid("sort", f"Sort by at most {MAX_KEYS} fields.")
    if len({key.path for key in keys}) < len(keys):
        raise invalid("sort", "Name each field once.")
    return tuple(keys)


def projection_for(keys: Sequence[SortKey]) -> dict[str, int]:
    """What to ask the database for, to sort by these keys."""
    names = outermost(tuple(_without_positions(key.path) for key in keys))
    return dict.fromkeys((f"data.{name}" for name in names), 1)


def _without_positions(path: str) -> str:
    """The path up to where it could mean a place in an array, which no projection can say."""
    names = path.split(".")
    for index, name in enumerate(names[1:], start=1):
        if name.isdigit():
            return ".".join(names[:index])
    return path


def packed(value: Any) -> Any:
    """A sort value as a cursor carries it."""
    return _EMPTY_ARRAY if value is EmptyArray else value


def unpacked(value: Any) -> Any:
    """The sort value that a cursor carries."""
    return EmptyArray if value == _EMPTY_ARRAY and isinstance(value, Binary) else value
