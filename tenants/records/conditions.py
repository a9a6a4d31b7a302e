"""The rows of the filter builder and the filter language of the API, and the way from each to the other. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orgportal.errors import InputError, PortalError
from tenants.records import wrappers
from tenants.records.typed_values import KINDS, read_value, write_value

MAX_ROWS = 20
MAX_FIELD = 1000
MAX_VALUE = 2000

# What a row can say, by the operator that it becomes; "missing" is `$exists` with false.
OPERATORS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "prefix": "begins with",
    "in": "is one of",
    "nin": "is none of",
    "exists": "is there",
    "missing": "is not there",
}
WITHOUT_VALUE = frozenset({"exists", "missing"})

_LISTED = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*)\s*(?:,|$)')


@dataclass(frozen=True)
class Row:
    """One row of the builder, as it was typed; `kind` is how the value is to be read."""

    field: str = ""
    operator: str = "eq"
    value: str = ""
    kind: str = "auto"
    error: str = ""


def compose(rows: Sequence[Row], *, match_any: bool, types: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """The filter that the rows say; empty for no rows.

    `types` says which kinds of values a field is known to hold, so that "42" is a text in a field of texts.
    Raises PortalError 422 with the paths `rows.N`, N from 0, for rows that cannot be read.
    """
    errors: list[InputError] = []
    conditions: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        try:
            conditions.append(_condition(row, types.get(row.field, frozenset())))
        except ValueError as wrong:
            errors.append(InputError(f"rows.{number}", str(wrong)))
    if errors:
        raise PortalError("invalid_input", 422, "The filter cannot be read yet.", errors=errors)
    if match_any and len(conditions) > 1:
        return {"$or": conditions}
    return _joined(conditions)


def _condition(row: Row, types: frozenset[str]) -> dict[str, Any]:
    if row.operator not in OPERATORS or row.kind not in KINDS:
        raise ValueError("Choose one of the offered comparisons.")
    if len(row.field) > MAX_FIELD or len(row.value) > MAX_VALUE:
        raise ValueError("This is too long.")
    if not row.field:
        raise ValueError("Choose a field.")
    if row.operator in WITHOUT_VALUE:
        return {row.field: {"$exists": row.operator == "exists"}}
    if row.operator == "prefix":
        if not row.value:
            raise ValueError("Say what it begins with.")
        return {row.field: {"$prefix": row.value}}
    if row.operator in {"in", "nin"}:
        return {row.field: {f"${row.operator}": [read_value(part, row.kind, types) for part in _listed(row)]}}
    return {row.field: {f"${row.operator}": read_value(row.value, row.kind, types)}}


def _listed(row: Row) -> list[str]:
    parts = [found[1].strip() for found in _LISTED.finditer(row.value)]
    listed = [part for part in parts if part]
    if not listed:
        raise ValueError("Give one or more values with commas between them.")
    return listed


def _joined(conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All conditions in one object where no field would have the same operator twice, else with `$and`."""
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for field, comparison in condition.items():
            into = merged.setdefault(field, {})
            if into.keys() & comparison.keys():
                return {"$and": list(conditions)}
            into.update(comparison)
    return merged


def decompose(filter_: Mapping[str, Any], *, types: Mapping[str, frozenset[str]]) -> tuple[list[Row], bool] | None:
    """The rows that say the filter, and whether any of them is enough; None when rows cannot say it."""
    if not filter_:
        return [], False
    if list(filter_) == ["$or"]:
        rows = _rows_of_all(filter_["$or"], types, single=True)
        return (rows, True) if rows and len(rows) > 1 else None
    if list(filter_) == ["$and"]:
        rows = _rows_of_all(filter_["$and"], types, single=True)
    else:
        rows = _rows_of_all([filter_], types, single=False)
    return (rows, False) if rows and len(rows) <= MAX_ROWS else None


def _rows_of_all(parts: Any, types: Mapping[str, frozenset[str]], *, single: bool) -> list[Row] | None:
    """The rows of every part; with `single` each part must be one condition, as `compose` writes them."""
    if not isinstance(parts, list):
        return None
    rows: list[Row] = []
    for part in parts:
        found = _rows_of(part, types)
        if found is None or (single and len(found) != 1):
            return None
        rows += found
    return rows


def _rows_of(part: Any, types: Mapping[str, frozenset[str]]) -> list[Row] | None:
    if not isinstance(part, Mapping):
        return None
    rows: list[Row] = []
    for field, comparison in part.items():
        if field.startswith("$"):
            return None
        known = types.get(field, frozenset())
        comparisons = _comparisons(comparison)
        if comparisons is None:
            return None
        for operator, value in comparisons:
            row = _row(field, operator, value, known)
            if row is None:
                return None
            rows.append(row)
    return rows


def _comparisons(comparison: Any) -> Sequence[tuple[str, Any]] | None:
    """Operator and value; a bare value is an equality, and so is a wrapper. None for operators that no row has."""
    if not isinstance(comparison, Mapping) or not any(name.startswith("$") for name in comparison):
        return [("eq", comparison)]
    if len(comparison) == 1 and next(iter(comparison)) in wrappers.READERS:
        return [("eq", comparison)]
    if not all(name.removeprefix("$") in _KNOWN for name in comparison):
        return None
    return [(name.removeprefix("$"), value) for name, value in comparison.items()]


_KNOWN = frozenset(OPERATORS) - {"missing"}


def _row(field: str, operator: str, value: Any, types: frozenset[str]) -> Row | None:
    if operator == "exists":
        return Row(field, "exists" if value else "missing") if isinstance(value, bool) else None
    if operator == "prefix":
        return Row(field, operator, value) if isinstance(value, str) and value else None
    if operator in {"in", "nin"}:
        return _list_row(field, operator, value, types)
    text, kind = write_value(value, types)
    return Row(field, operator, text, kind)


def _list_row(field: str, operator: str, values: Any, types: frozenset[str]) -> Row | None:
    if not isinstance(values, list) or not values:
        return None
    written = [_list_item(value, types) for value in values]
    kinds = {kind for _, kind in written}
    text = ", ".join(item for item, _ in written)
    if len(kinds) != 1 or "json" in kinds or len(text) > MAX_VALUE:
        return None
    return Row(field, operator, text, kinds.pop())


def _list_item(value: Any, types: frozenset[str]) -> tuple[str, str]:
    """As `write_value`, but a text that a comma or a quote would break is quoted."""
    text, kind = write_value(value, types)
    if isinstance(value, str) and (kind == "text" or not text or text != text.strip() or re.search('[,"]', text)):
        return json.dumps(value, ensure_ascii=False), "auto"
    return text, kind
