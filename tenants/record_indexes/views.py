"""The page of the indexes that an organization adds."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.roles import ACTION
from orgportal.errors import InputError, PortalError
from orgportal.form_pages import show_form, show_refusal
from tenants.access import Access, organization_access
from tenants.record_indexes import service
from tenants.record_indexes.forms import IndexForm
from tenants.records.columns import infer_columns
from tenants.views import in_organization

TEMPLATE = "tenants/indexes.html"
FIRST_ROW = "field_0"


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=ACTION["indexes.see"].needs)
def indexes(request: HttpRequest, access: Access) -> HttpResponse:
    """The indexes with their size and use, and for admins a form to add one."""
    if request.method != "POST":
        return show_form(request, TEMPLATE, IndexForm(), **_context(access))
    allowed = organization_access(principal=access.principal, needs=ACTION["indexes.change"].needs)
    form = IndexForm(request.POST)
    if not form.is_valid():
        return show_form(request, TEMPLATE, form, **_context(access))
    rows = form.named()
    try:
        service.add_index(access=allowed, fields=[field for _, field in rows], unique=form.cleaned_data["unique"])
    except PortalError as error:
        return show_refusal(request, TEMPLATE, form, _beside_rows(error, [row for row, _ in rows]), **_context(access))
    messages.success(request, "The index is being built.")
    return redirect("indexes")


def _beside_rows(error: PortalError, rows: list[str]) -> PortalError:
    """The same error, each part at the row of the form that it is about."""
    errors = []
    for part in error.errors:
        number = part.path.partition(".")[2]
        row = rows[int(number)] if number.isdigit() and int(number) < len(rows) else FIRST_ROW
        errors.append(InputError(row, part.message))
    return PortalError(error.code, error.status, error.message, errors=errors, retry_after=error.retry_after)


def _context(access: Access) -> dict[str, Any]:
    found = service.list_indexes(access=access)
    may_change = access.role.covers(ACTION["indexes.change"].needs)
    return {
        "indexes": found,
        "is_moving": any(described.index.state in {"building", "removing"} for described in found),
        "may_change": may_change,
        "limit": service.limit(),
        "is_full": len(found) >= service.limit(),
        "columns": infer_columns(access=access) if may_change else [],
        "organization": access.organization,
    }


@require_POST
@in_organization(needs=ACTION["indexes.change"].needs)
def index_remove(request: HttpRequest, access: Access, index_id: str) -> HttpResponse:
    """Remove an index."""
    gone = service.remove_index(access=access, id=index_id)
    messages.success(request, "The index is removed." if gone else "The index is being removed.")
    return redirect("indexes")
