"""What the dashboard shows of figures: drawn shapes and the numbers behind them."""

from typing import Any

from orgportal.errors import PortalError
from tenants.access import Access
from tenants.figures import drawing, service
from tenants.records.columns import Column, infer_columns

SPREAD_OUT = frozenset({"number", "decimal", "date", "boolean"})
NOTHING_TO_SEE = frozenset({"object", "null"})
ENOUGH_FILLED = 0.3


def growth_context(access: Access, records: int, storage_bytes: int) -> dict[str, Any]:
    """For the dashboard: the drawn growth of records and bytes, and its numbers."""
    points = service.growth(access=access, current=(records, storage_bytes))
    return {
        "growth": list(reversed(points)),
        "growth_figures": [
            (
                "records",
                "Records",
                drawing.line_figure([(point.at, point.records) for point in points], drawing.count_text),
            ),
            (
                "bytes",
                "Size of the data",
                drawing.line_figure([(point.at, point.bytes) for point in points], drawing.bytes_text),
            ),
        ],
    }


def distribution_context(access: Access, field: str) -> dict[str, Any]:
    """For the card of one field: an empty `field` means one that promises something to see."""
    columns = [column for column in infer_columns(access=access) if not _shows_nothing(column)]
    chosen = field or _promising(columns)
    context: dict[str, Any] = {"columns": _choices(columns, chosen), "field": chosen, "role": access.role}
    if not chosen:
        return context
    try:
        found = service.distribution(access=access, field=chosen)
    except PortalError as error:
        return context | {"problem": " ".join(part.message for part in error.errors) or error.message}
    return context | {"distribution": found} | _drawn(found)


def _drawn(found: service.Distribution) -> dict[str, Any]:
    spread = found.spread
    if not spread.bars:
        return {}
    rows = drawing.row_figure(spread.bars)
    if spread.kind in {"texts", "booleans"}:
        return {"rows": rows}
    between = spread.by == "range"
    return {"rows": rows, "figure": drawing.column_figure(spread.bars, drawing.count_text, between=between)}


def _shows_nothing(column: Column) -> bool:
    return column.kinds <= NOTHING_TO_SEE


def _promising(columns: list[Column]) -> str:
    """A field that most records have: numbers, dates, yes and no before texts, of which each may be another."""
    filled = [column for column in columns if column.filled >= ENOUGH_FILLED]
    spread_out = [column for column in filled if column.kinds & SPREAD_OUT]
    return next((column.path for column in spread_out + filled), "")


def _choices(columns: list[Column], chosen: str) -> list[str]:
    paths = [column.path for column in columns]
    return paths if chosen in paths or not chosen else [chosen, *paths]
