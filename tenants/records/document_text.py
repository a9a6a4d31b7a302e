"""A record's data as text for an editor, and where in such a text a path is. Pure.

The text is JSON with Extended JSON wrappers only where plain JSON would not read back as the same type, so that
saving a record unchanged changes nothing.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tenants.records import values

INDENT = "  "
WIDTH = 88
# Spelled out in strings, so that nobody is misled about what is written: controls, direction marks, invisible ones.
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A line and a column of a text, both from 1."""

    line: int
    column: int


def text_of(data: Mapping[str, Any]) -> str:
    """The data as indented text; `values.from_ejson` of it gives data of the same bytes."""
    return _pretty(values.to_relaxed(dict(data)), 0)


def _pretty(value: Any, depth: int) -> str:
    line = _one_line(value)
    if line is not None and (len(line) + len(INDENT) * depth <= WIDTH or _is_wrapper(value)):
        return line
    inner, outer = INDENT * (depth + 1), INDENT * depth
    if isinstance(value, dict):
        members = [f"{inner}{_string(key)}: {_pretty(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(members) + f"\n{outer}}}"
    if isinstance(value, list):
        items = [f"{inner}{_pretty(item, depth + 1)}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{outer}]"
    return line or ""


def _one_line(value: Any) -> str | None:
    """The value on one line when it is a scalar, a wrapper, empty, or a list of those; else None."""
    if isinstance(value, dict):
        if not value:
            return "{}"
        return _compact(value) if _is_wrapper(value) else None
    if isinstance(value, list):
        parts = [_one_line(item) for item in value[:WIDTH]]
        flat = all(not isinstance(item, list) for item in value[:WIDTH])
        return f"[{', '.join(part for part in parts if part)}]" if flat and None not in parts else None
    return _compact(value)


def _is_wrapper(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$")


def _compact(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    return _spelled(json.dumps(value, ensure_ascii=False))


def _string(text: str) -> str:
    return _spelled(json.dumps(text, ensure_ascii=False))


def _spelled(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def places(text: str) -> dict[str, Place]:
    """Where each path (`address.lines.0`) of a JSON text begins, at its key or element; "" is the whole.

    Of a key that stands twice the second one counts, for that is the one complained about. Text that is not JSON
    gives the places up to where it breaks.
    """
    found = {"": Place(1, 1)}
    starts = _line_starts(text)
    stack: list[_Container] = []
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "]}" and stack:
            stack.pop()
        elif sign == "," and stack:
            stack[-1].next()
        elif sign != ":":
            path = _path_of(stack, sign)
            if path is not None:
                found[path] = _place(token.start(), starts)
            if sign in "[{":
                stack.append(_Container(stack[-1].path if stack else "", is_object=sign == "{"))
    return found


class _Container:
    """An object or array that is being read, and the path of the member that is being read in it."""

    def __init__(self, own: str, *, is_object: bool) -> None:
        self.own = own
        self.is_object = is_object
        self.index = 0
        self.path = own if is_object else _join(own, "0")
        self.has_key = False

    def next(self) -> None:
        self.index += 1
        self.has_key = False
        if not self.is_object:
            self.path = _join(self.own, str(self.index))

    def key(self, name: str) -> None:
        self.has_key = True
        self.path = _join(self.own, name)


def _path_of(stack: list[_Container], token: str) -> str | None:
    """The path that begins at this token, None where it is a value whose key was met before."""
    if not stack:
        return None
    top = stack[-1]
    if not top.is_object:
        return top.path
    if top.has_key or not token.startswith('"'):
        return None
    try:
        top.key(json.loads(token))
    except ValueError:
        top.key(token.strip('"'))
    return top.path


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _place(offset: int, starts: list[int]) -> Place:
    line = bisect_right(starts, offset)
    return Place(line, offset - starts[line - 1] + 1)


def place_of(path: str, found: Mapping[str, Place]) -> Place:
    """The place of a path, or of the nearest thing around it that the text has."""
    while path and path not in found:
        path = path.rpartition(".")[0]
    return found.get(path, Place(1, 1))


def excerpt(text: str, line: int, *, around: int = 2) -> Iterator[tuple[int, str, bool]]:
    """The lines around one: number, text cut to a readable length, and whether it is the one."""
    lines = text.splitlines()
    for number in range(max(1, line - around), min(len(lines), line + around) + 1):
        yield number, lines[number - 1][:200], number == line
