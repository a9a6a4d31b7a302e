"""The grid: one page of records, as the address says, and what an address is made of. Nothing is changed here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.roles import Role
from orgportal.errors import InputError, PortalError
from orgportal.middleware import without_deadline
from tenants.access import Access
from tenants.records import calls, conditions, grid, grid_page, listing, samples, typed_values
from tenants.records.addresses import api_address
from tenants.records.columns import infer_columns
from tenants.records.conditions import Row
from tenants.records.grid import GridState
from tenants.records.grid_page import Known
from tenants.records.listing import Page
from tenants.views import in_organization

PAGE = "tenants/records/grid.html"
PANELS = ("filter", "columns", "call")
EXPORTS = (
    ("csv", "CSV", "for spreadsheets"),
    ("ndjson", "NDJSON", "one JSON record on each line"),
    ("ejson", "Extended JSON", "every type kept; for mongoimport"),
)
MENDABLE = frozenset({400, 422, 503})
# Somebody waits for the page: sooner than a script, it is told that a sort takes too long.
SORT_SECONDS = 8.0


@dataclass(frozen=True)
class Shown:
    """What the page shows beside its state: records, or what was refused, and then what was typed."""

    found: Page | None = None
    rows: Sequence[Row] = ()
    match_any: bool = False
    errors: Sequence[InputError] = ()
    is_advanced: bool = False
    status: int = 200
    code: str = ""


@require_safe
@in_organization()
def records(request: HttpRequest, access: Access) -> HttpResponse:
    """The grid. What its forms send becomes the one address that says it, and leads there."""
    known = _known(access)
    state, errors = grid.read_state(request.GET)
    if "apply" in request.GET:
        return _applied(request, access, state, known)
    if errors:
        return _page(request, access, state, known, Shown(errors=errors, status=422))
    try:
        found = without_deadline(
            request,
            lambda: listing.list_records(
                access=access,
                filter=state.effective_filter,
                sort=state.sort_text or None,
                limit=state.limit,
                cursor=state.cursor or None,
                sort_seconds=SORT_SECONDS,
            ),
        )
    except PortalError as refused:
        if refused.status not in MENDABLE:
            raise
        wrong = list(refused.errors) or [InputError("", refused.message)]
        return _page(request, access, state, known, Shown(errors=wrong, status=refused.status, code=refused.code))
    return _page(request, access, state, known, Shown(found))


@require_safe
@in_organization()
def records_count(request: HttpRequest, access: Access) -> HttpResponse:
    """How many records there are or match, counted now; as a fragment for the page, or as a page of its own."""
    state, errors = grid.read_state(request.GET)
    if errors:
        raise PortalError("invalid_input", 422, "The filter cannot be read.", errors=errors)
    count = listing.count_records(access=access, filter=state.effective_filter)
    total = f"{count:,}"
    if getattr(request, "htmx", False):
        shown = request.GET.get("shown", "")
        context = {"range_text": shown if _is_range(shown) else "", "total_text": total}
        return render(request, "tenants/records/includes/count.html", context)
    page: dict[str, Any] = {"total": total, "count": count, "back": state.query, "organization": access.organization}
    return render(request, "tenants/records/count.html", page)


def _is_range(text: str) -> bool:
    return len(text) < 40 and all(character in "0123456789,\u2013" for character in text)


def _known(access: Access) -> list[Known]:
    """The fields that the data was seen to have."""
    return [Known(column.path, column.kinds, round(column.filled * 100)) for column in infer_columns(access=access)]


def _applied(request: HttpRequest, access: Access, state: GridState, known: list[Known]) -> HttpResponse:
    """What a form of the page asked for, as an address; the page again where it cannot be read."""
    what = request.GET["apply"]
    if what == "filter":
        return _apply_filter(request, access, state, known)
    if what == "columns":
        return _apply_columns(request, state)
    try:
        filter_ = grid.read_filter(request.GET.get("filter", ""))
    except PortalError as wrong:
        return _page(request, access, state, known, Shown(errors=wrong.errors, is_advanced=True, status=422))
    return _to(state.first_page(filter=filter_))


def _apply_filter(request: HttpRequest, access: Access, state: GridState, known: list[Known]) -> HttpResponse:
    rows, match_any = _typed_rows(request), request.GET.get("match") == "any"
    try:
        filter_ = conditions.compose(rows, match_any=match_any, types=grid_page.types_of(known))
    except PortalError as wrong:
        errors = {int(part.path.rpartition(".")[2]): part.message for part in wrong.errors}
        typed = grid_page.typed_rows(rows, errors)
        shown = Shown(rows=typed, match_any=match_any, errors=wrong.errors, status=422)
        return _page(request, access, state, known, shown)
    return _to(state.first_page(filter=filter_ or None))


def _typed_rows(request: HttpRequest) -> list[Row]:
    """The rows of the builder that have anything in them."""
    lists = [request.GET.getlist(name) for name in ("field", "op", "value", "kind")]
    if len({len(values) for values in lists}) != 1 or len(lists[0]) > conditions.MAX_ROWS:
        raise PortalError("invalid_input", 422, f"A filter has at most {conditions.MAX_ROWS} rows, each of them whole.")
    rows = [Row(field.strip(), operator, value, kind) for field, operator, value, kind in zip(*lists, strict=True)]
    return [row for row in rows if row.field]


def _apply_columns(request: HttpRequest, state: GridState) -> HttpResponse:
    if "reset" in request.GET:
        return _to(replace(state, columns=()))
    chosen = [*request.GET.getlist("column"), *grid.split_paths(request.GET.get("more", ""))]
    move = request.GET.get("move", "")
    at = int(move.rstrip("-")) if move.rstrip("-").isdecimal() and len(move) < 4 else 0
    if 0 < at < len(chosen):
        chosen.insert(at - 1, chosen.pop(at))
    columns = tuple(dict.fromkeys(chosen))
    return _to(replace(state, columns=columns), panel="columns" if move else "")


def _to(state: GridState, *, panel: str = "") -> HttpResponse:
    query = state.query
    if panel:
        query += f"{'&' if query else '?'}open={panel}"
    return redirect(f"{reverse('records')}{query}")


def _page(request: HttpRequest, access: Access, state: GridState, known: list[Known], shown: Shown) -> HttpResponse:
    items = shown.found.records if shown.found else []
    after = state.next_page(shown.found.next_cursor) if shown.found and shown.found.next_cursor else None
    before = state.previous_page()
    columns = grid_page.shown_columns(state, known)
    heads = grid_page.heads(state, columns, {field.path: field for field in known})
    context = {
        "organization": access.organization,
        "may_write": access.role.covers(Role.EDITOR),
        "state": state,
        "is_empty": shown.found is not None and not items and not state.parameters(),
        "sample_count": samples.COUNT,
        "heads": heads,
        "lines": grid_page.lines(items, heads),
        "choices": grid_page.choices(columns, known),
        "search_fields": grid_page.search_fields(state, known),
        "sorts": list(grid_page.sort_chips(state)),
        "errors": shown.errors,
        "error_title": _error_title(shown),
        "open_panel": _open_panel(request, shown),
        "exports": EXPORTS,
        "more_links": [
            (reverse("imports"), "Imports", "upload"),
            (reverse("schema"), "Schema", "schema"),
            (reverse("indexes"), "Indexes", "list-details"),
            (f"{reverse('dashboard')}?field=#distribution", "Figures", "table"),
        ],
        "export_columns": ",".join(path for path in state.columns if grid.is_sortable(path)),
        "export_filter": grid.filter_text(state.effective_filter),
        "curl": calls.list_call(state, address=api_address(access)),
        "hidden": grid_page.hidden(state),
        "limits": grid.LIMITS,
        "first_query": state.first_page().query,
        "plain_query": GridState(columns=state.columns, limit=state.limit).query,
        "next_query": after.query if after else None,
        "previous_query": before.query if before else None,
        **_filter_context(request, state, known, shown),
        **grid_page.count_of(state, len(items), has_more=after is not None),
    }
    return render(request, PAGE, context, status=shown.status)


def _error_title(shown: Shown) -> str:
    if shown.code == "too_many_records":
        return "Too many records to sort."
    return "No answer in time." if shown.status == 503 else "Some of this cannot be read."


def _filter_context(request: HttpRequest, state: GridState, known: list[Known], shown: Shown) -> dict[str, Any]:
    """The builder and the JSON box: as they were typed where that was refused, else as the state says."""
    types = grid_page.types_of(known)
    said = conditions.decompose(state.filter or {}, types=types)
    rows, match_any = said or ([], False)
    return {
        "filters": list(grid_page.filter_chips(state, rows, match_any=match_any, types=types)),
        "rows": shown.rows or [*rows, Row()],
        "match_any": shown.match_any if shown.rows else match_any,
        "known_fields": [field.path for field in known],
        "operators": conditions.OPERATORS.items(),
        "kinds": typed_values.KINDS.items(),
        "is_advanced": shown.is_advanced or said is None,
        "filter_json": request.GET.get("filter", "") if shown.is_advanced else grid_page.indented(state.filter),
        "json_error": " ".join(error.message for error in shown.errors) if shown.is_advanced else "",
    }


def _open_panel(request: HttpRequest, shown: Shown) -> str:
    if shown.is_advanced or shown.rows:
        return "filter"
    asked = request.GET.get("open", "")
    return asked if asked in PANELS else ""
