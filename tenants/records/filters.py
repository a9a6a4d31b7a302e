"""The filter language: MongoDB's, as much of it as is safe and useful, over the fields of `data`.

Whatever comes in is taken apart and built anew: no operator and no value reaches a query that was not checked
here. Text is never a pattern; a prefix is escaped and anchored.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bson import Decimal128, ObjectId

from orgportal import strict_json
from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants.records import wrappers
from tenants.records.values import MAX_DEPTH, from_ejson, join, name_flaw

MAX_TEXT = 3000
MAX_NESTING = 8
MAX_CONDITIONS = 100
MAX_CHOICES = 500
MAX_PREFIX = 256
OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$and", "$or", "$not", "$prefix")

_ORDERED = (int, float, str, Decimal128, datetime, ObjectId, bytes)
_JOINS = {"$and": "$and", "$or": "$or"}


def parse_filter(text: str | None) -> Any:
    """The filter in a query string: JSON, or nothing. Raises PortalError 422."""
    if text is None or not text.strip():
        return {}
    if len(text.encode("utf-8", "replace")) > MAX_TEXT:
        raise _invalid("filter", f"A filter has at most {MAX_TEXT:,} bytes.")
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except PortalError as wrong:
        errors = wrong.errors or [InputError("", wrong.message)]
        raise PortalError(
            "invalid_input",
            422,
            "Some of the input is not acceptable.",
            errors=[
                InputError(join("filter", error.path) if error.path else "filter", error.message) for error in errors
            ],
        ) from None


def query_of(filter: Any, *, path: str = "filter") -> Document:
    """The MongoDB query of a filter (parsed JSON); the empty filter matches all.

    Raises PortalError 422 naming the path for anything but the operators of this language, for values that they
    do not take, and for more than 100 conditions or 8 levels.
    """
    return _Compiler().conditions(filter, path, 1)


def field_of(path: Any, where: str) -> str:
    """Where a field of `data` is stored, from its dotted path. Raises PortalError 422."""
    if not isinstance(path, str):
        raise _invalid(where, "Name a field.")
    names = path.split(".")
    if len(names) > MAX_DEPTH:
        raise _invalid(where, f"A path has at most {MAX_DEPTH} names.")
    for name in names:
        flaw = name_flaw(name)
        if flaw:
            raise _invalid(where, flaw)
    return f"data.{path}"


def merge(first: Document, second: Document) -> Document:
    """The query that demands both."""
    if set(first) & set(second):
        return {"$and": [first, second]}
    return {**first, **second}


class _Compiler:
    """One compilation. It counts the conditions."""

    def __init__(self) -> None:
        self._count = 0

    def conditions(self, filter: Any, path: str, level: int) -> Document:
        if not isinstance(filter, dict):
            raise _invalid(path, "Use a JSON object.")
        if level > MAX_NESTING:
            raise _invalid(path, f"Nest at most {MAX_NESTING} levels.")
        query: Document = {}
        for name, inner in filter.items():
            query = merge(query, self._condition(name, inner, join(path, name), level))
        return query

    def _condition(self, name: str, inner: Any, path: str, level: int) -> Document:
        if name in _JOINS:
            if not isinstance(inner, list) or not inner:
                raise _invalid(path, "Use an array of filters.")
            parts = [self.conditions(part, f"{path}.{index}", level + 1) for index, part in enumerate(inner)]
            return parts[0] if len(parts) == 1 else {_JOINS[name]: parts}
        if name == "$not":
            return {"$nor": [self.conditions(inner, path, level + 1)]}
        if name.startswith("$"):
            raise _invalid(path, _unknown(name))
        return {field_of(name, path): self._test(inner, path, level)}

    def _test(self, test: Any, path: str, level: int) -> Any:
        if not _is_operators(test):
            self._one_more(path)
            value = from_ejson(test, path=path)
            return {"$eq": value} if isinstance(value, dict | list) else value
        if level > MAX_NESTING:
            raise _invalid(path, f"Nest at most {MAX_NESTING} levels.")
        tests: Document = {}
        for name, operand in test.items():
            where = join(path, name)
            if name == "$not":
                if not _is_operators(operand):
                    raise _invalid(where, 'Use operators, as in {"$not": {"$gt": 5}}.')
                tests["$not"] = self._test(operand, where, level + 1)
                continue
            read = _READERS.get(name)
            if read is None:
                raise _invalid(where, _unknown(name))
            self._one_more(where)
            operator, value = read(operand, where)
            tests[operator] = value
        return tests

    def _one_more(self, path: str) -> None:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise _invalid(path, f"Use at most {MAX_CONDITIONS} conditions.")


def _is_operators(test: Any) -> bool:
    """Whether it is a set of operators, not a value: wrapped dates and the like are values."""
    if not isinstance(test, dict) or not any(name.startswith("$") for name in test):
        return False
    return len(test) > 1 or next(iter(test)) not in wrappers.READERS


def _unknown(name: str) -> str:
    return f"There is no operator {name[:40]}. Use {', '.join(OPERATORS)}."


def _value(operator: str) -> Callable[[Any, str], tuple[str, Any]]:
    return lambda operand, path: (operator, from_ejson(operand, path=path))


def _ordered(operator: str) -> Callable[[Any, str], tuple[str, Any]]:
    def read(operand: Any, path: str) -> tuple[str, Any]:
        value = from_ejson(operand, path=path)
        if isinstance(value, bool) or not isinstance(value, _ORDERED):
            raise _invalid(path, "Compare with a number, a text, a date, an id or a binary.")
        return operator, value

    return read


def _choices(operator: str) -> Callable[[Any, str], tuple[str, Any]]:
    def read(operand: Any, path: str) -> tuple[str, Any]:
        if not isinstance(operand, list) or len(operand) > MAX_CHOICES:
            raise _invalid(path, f"Use an array of at most {MAX_CHOICES} values.")
        return operator, from_ejson(operand, path=path)

    return read


def _exists(operand: Any, path: str) -> tuple[str, Any]:
    if not isinstance(operand, bool):
        raise _invalid(path, "Use true or false.")
    return "$exists", operand


def _prefix(operand: Any, path: str) -> tuple[str, Any]:
    if not isinstance(operand, str) or not 1 <= len(operand) <= MAX_PREFIX or "\0" in operand:
        raise _invalid(path, f"Use a text of 1 to {MAX_PREFIX} characters.")
    # Not a range: in an array of texts, one element could pass its lower end and another its upper.
    return "$regex", "^" + re.escape(operand)


_READERS: Mapping[str, Callable[[Any, str], tuple[str, Any]]] = {
    "$eq": _value("$eq"),
    "$ne": _value("$ne"),
    "$gt": _ordered("$gt"),
    "$gte": _ordered("$gte"),
    "$lt": _ordered("$lt"),
    "$lte": _ordered("$lte"),
    "$in": _choices("$in"),
    "$nin": _choices("$nin"),
    "$exists": _exists,
    "$prefix": _prefix,
}


def _invalid(path: str, message: str) -> PortalError:
    return PortalError(
        "invalid_input", 422, "Some of the input is not acceptable.", errors=[InputError(path[:1000], message)]
    )
