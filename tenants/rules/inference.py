"""A first draft of a schema, from records that are there: what they have in common, and nothing cleverer."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tenants.rules.compiled import DIALECT

MAX_DEPTH = 6
MAX_PROPERTIES = 200
# A text with so few different values, each met several times on average, is taken for a choice among them.
MAX_CHOICES = 8
CHOICE_LENGTH = 40
TIMES_EACH = 5
# A format is only believed of so many texts, all of which have it.
FORMAT_WITNESSES = 3

_WORD = r"[A-Za-z0-9_%+-]+"
# RFC 5891 4.2.3.1 keeps hyphens in the third and fourth place for encoded names, which the check takes apart.
_LABEL = r"(?!..--)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_WORD}(\.{_WORD})*@{_LABEL}(\.{_LABEL})+", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_email(text: str) -> bool:
    return len(text) <= 254 and text.find("@") <= 64 and _EMAIL.fullmatch(text) is not None


FORMATS: Mapping[str, Callable[[str], bool]] = {"date": _is_date, "email": _is_email}


@dataclass
class _Seen:
    """What was met at one place of the records."""

    times: int = 0
    types: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    formats: set[str] = field(default_factory=lambda: set(FORMATS))
    members: dict[str, "_Seen"] = field(default_factory=dict)
    elements: "_Seen | None" = None
    too_many: bool = False

    def take(self, value: Any, depth: int) -> None:
        """Take note of one value."""
        self.times += 1
        kind = type_of(value)
        self.types[kind] += 1
        if kind == "string":
            self._take_text(value)
        elif kind == "object" and depth < MAX_DEPTH:
            self._take_members(value, depth)
        elif kind == "array" and depth < MAX_DEPTH:
            self.elements = self.elements or _Seen()
            for element in value:
                self.elements.take(element, depth + 1)

    def _take_text(self, text: str) -> None:
        if len(self.texts) <= MAX_CHOICES:
            self.texts[text[: CHOICE_LENGTH + 1]] += 1
        self.formats = {name for name in self.formats if FORMATS[name](text)}

    def _take_members(self, value: Mapping[str, Any], depth: int) -> None:
        for name, inner in value.items():
            if name not in self.members and len(self.members) == MAX_PROPERTIES:
                self.too_many = True
                continue
            self.members.setdefault(name, _Seen()).take(inner, depth + 1)

    def schema(self, *, in_wrapper: bool = False) -> dict[str, Any]:
        """The schema of everything that was met here."""
        types = sorted(self.types)
        if "integer" in types and "number" in types:
            types.remove("integer")
        if not types:
            return {}
        found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if "string" in types and not in_wrapper:
            self._describe_texts(found, types)
        if "object" in types:
            self._describe_members(found)
        if "array" in types and self.elements is not None and self.elements.times:
            found["items"] = self.elements.schema()
        return found

    def _describe_texts(self, found: dict[str, Any], types: list[str]) -> None:
        few = 1 < len(self.texts) <= MAX_CHOICES and all(0 < len(text) <= CHOICE_LENGTH for text in self.texts)
        if few and types == ["string"] and self.times >= TIMES_EACH * len(self.texts):
            found["enum"] = sorted(self.texts)
        elif self.types["string"] >= FORMAT_WITNESSES and self.formats:
            found["format"] = sorted(self.formats)[0]

    def _describe_members(self, found: dict[str, Any]) -> None:
        found["properties"] = {
            name: seen.schema(in_wrapper=name.startswith("$")) for name, seen in sorted(self.members.items())
        }
        everywhere = [name for name, seen in sorted(self.members.items()) if seen.times == self.types["object"]]
        if everywhere:
            found["required"] = everywhere


def type_of(value: Any) -> str:
    """The JSON Schema type of a relaxed Extended JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def draft_from(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A schema that all these records (relaxed Extended JSON) fit: types, what none of them lacks, choices, formats.

    Allows whatever none of them has, so that it is a beginning and no cage.
    """
    seen = _Seen()
    for record in records:
        seen.take(record, 1)
    return {"$schema": DIALECT, **(seen.schema() or {"type": "object"})}
