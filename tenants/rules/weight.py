"""How much work a schema makes of each value that is checked: bounded before it is ever run on data.

References let a small schema ask the same question of one value over and over (twice in each of thirty levels is a
billion times), and the checker holds on to the process while it works. So every schema is weighed: `weight` is an
upper bound for the questions asked of any one value, with the depth that data may have.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from orgportal.errors import InputError, PortalError

# Data is 32 levels deep, and a wrapper such as {"$date": {"$numberLong": …}} two more.
DATA_DEPTH = 35
MAX_WEIGHT = 1000
# A pattern reads the whole text, slower than anything else is checked.
PATTERN_WEIGHT = 20

LISTED = ("allOf", "anyOf", "oneOf", "dependentSchemas")
IN_PLACE = ("not", "if", "then", "else")
MEMBERS = ("additionalProperties", "unevaluatedProperties", "propertyNames", "items", "contains", "unevaluatedItems")
REFERENCES = ("$ref", "$dynamicRef")
_ANCHOR = re.compile(r"[A-Za-z_][-A-Za-z0-9._]*")


@dataclass
class _Node:
    """One subschema: what it costs itself, what it asks of the same value, and of the values inside.

    Of each group inside, one at most meets a given value.
    """

    own: int = 1
    repeats: int = 1
    here: list[int] = field(default_factory=list)
    inside: list[list[int]] = field(default_factory=list)


def weight_of(schema: Mapping[str, Any]) -> int:
    """The weight of a schema. Raises PortalError 422 naming the path for a reference that leads nowhere, out of the
    schema or in a circle, and for a schema over MAX_WEIGHT."""
    nodes = _Graph(schema).nodes
    order = _inner_first(nodes)
    weights = [0] * len(nodes)
    for _ in range(DATA_DEPTH):
        before, weights = weights, [0] * len(nodes)
        for number in order:
            weights[number] = _weigh(nodes[number], weights, before)
        if weights == before:
            break
    if weights[0] > MAX_WEIGHT:
        raise _refused("", "The schema asks too much of each value: use fewer references, alternatives and patterns.")
    return weights[0]


def _weigh(node: _Node, same: list[int], inner: list[int]) -> int:
    here = sum(same[number] for number in node.here)
    inside = sum(max((inner[number] for number in group), default=0) for group in node.inside)
    return min(node.own + node.repeats * here + inside, MAX_WEIGHT + 1)


def _inner_first(nodes: list[_Node]) -> list[int]:
    """An order in which everything that is asked of the same value comes before whoever asks."""
    order: list[int] = []
    state = [0] * len(nodes)
    for start in range(len(nodes)):
        path = [(start, iter(nodes[start].here))] if state[start] == 0 else []
        while path:
            number, rest = path[-1]
            state[number] = 1
            following = next(rest, None)
            if following is None:
                state[number] = 2
                order.append(number)
                path.pop()
            elif state[following] == 1:
                raise _refused("", "A reference leads back to itself without a step into the data.")
            elif state[following] == 0:
                path.append((following, iter(nodes[following].here)))
    return order


class _Graph:
    """The subschemas that a schema can ask, reached from its root; the root is number 0."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._anchors = _anchors(schema)
        self._numbers: dict[int, int] = {}
        self.nodes: list[_Node] = []
        self._waiting: list[tuple[int, Any, str]] = []
        self._number_of(schema, "")
        while self._waiting:
            number, subschema, path = self._waiting.pop()
            if isinstance(subschema, dict):
                self._fill(self.nodes[number], subschema, path)

    def _number_of(self, subschema: Any, path: str) -> int:
        # By identity: the schema is a tree that was parsed from text, and stays alive.
        known = self._numbers.get(id(subschema)) if isinstance(subschema, dict) else None
        if known is not None:
            return known
        number = len(self.nodes)
        self.nodes.append(_Node())
        if isinstance(subschema, dict):
            self._numbers[id(subschema)] = number
            self._waiting.append((number, subschema, path))
        return number

    def _fill(self, node: _Node, schema: Mapping[str, Any], path: str) -> None:
        patterns = schema.get("patternProperties")
        if "pattern" in schema:
            node.own += PATTERN_WEIGHT
        if "unevaluatedProperties" in schema or "unevaluatedItems" in schema:
            node.repeats = 2
        for at, subschema in _asked_here(schema, path):
            node.here.append(self._number_of(subschema, at))
        for keyword in REFERENCES:
            if keyword in schema:
                node.here.append(self._followed(schema[keyword], f"{path}.{keyword}".strip(".")))
        for keyword in ("properties", "prefixItems"):
            node.inside.append([self._number_of(sub, at) for at, sub in _members(schema.get(keyword), path, keyword)])
        for keyword in MEMBERS:
            if keyword in schema:
                node.inside.append([self._number_of(schema[keyword], f"{path}.{keyword}".strip("."))])
        for at, subschema in _members(patterns, path, "patternProperties"):
            node.own += PATTERN_WEIGHT
            node.inside.append([self._number_of(subschema, at)])

    def _followed(self, reference: Any, path: str) -> int:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refused(path, "Refer to places in this schema only, as #/$defs/address; nothing is fetched.")
        target = self._root if reference == "#" else self._pointed_at(unquote(reference[1:]))
        if not isinstance(target, dict | bool):
            raise _refused(path, "There is no schema at the place that this refers to.")
        return self._number_of(target, path)

    def _pointed_at(self, pointer: str) -> Any:
        if _ANCHOR.fullmatch(pointer):
            return self._anchors.get(pointer)
        place: Any = self._root
        first, *parts = pointer.split("/")
        if first:
            return None
        for part in parts:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict):
                place = place.get(name)
            elif isinstance(place, list) and name.isascii() and name.isdigit() and int(name[:6]) < len(place):
                place = place[int(name[:6])]
            else:
                return None
        return place


def _asked_here(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for keyword in LISTED:
        yield from _members(schema.get(keyword), path, keyword)
    for keyword in IN_PLACE:
        if keyword in schema:
            yield f"{path}.{keyword}".strip("."), schema[keyword]


def _members(value: Any, path: str, keyword: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        named: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        named = iter(enumerate(value))
    else:
        return
    for name, subschema in named:
        yield f"{path}.{keyword}.{name}".strip("."), subschema


def _anchors(schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        place = waiting.pop()
        if isinstance(place, dict):
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(place.get(keyword), str):
                    found.setdefault(place[keyword], place)
            waiting.extend(place.values())
        elif isinstance(place, list):
            waiting.extend(place)
    return found


def _refused(path: str, message: str) -> PortalError:
    return PortalError("invalid_schema", 422, "This schema cannot be used.", errors=[InputError(path, message)])
