"""Deleting many records: the selected ones, or all that match a filter; nothing goes before its count was confirmed."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.roles import Role
from orgportal.errors import PortalError, invalid
from orgportal.middleware import without_deadline
from tenants.access import Access
from tenants.records import bulk, grid, listing, picked
from tenants.records.bulk import Deletion
from tenants.views import in_organization

PAGE = "tenants/records/bulk_delete.html"


@dataclass(frozen=True)
class Target:
    """What is to go: records by their ids, or by a filter, which may be empty for all."""

    is_filter: bool
    ids: tuple[str, ...]
    filter: dict[str, Any]

    def count(self, access: Access) -> int:
        if self.is_filter:
            return listing.count_records(access=access, filter=self.filter)
        return picked.count_picked(access=access, ids=self.ids)

    def delete(self, access: Access, expected: int) -> Deletion:
        """Raises PortalError 409 when there are not as many as expected."""
        if self.is_filter:
            return bulk.delete_matching(access=access, filter=self.filter, expected_count=expected)
        return Deletion(picked.delete_picked(access=access, ids=self.ids, expected_count=expected), 0)


@require_POST
@in_organization(needs=Role.EDITOR)
def records_delete(request: HttpRequest, access: Access) -> HttpResponse:
    """The first POST shows how many would go, the second one, with that count, deletes them."""
    target = _target(request)
    if not target.is_filter and not target.ids:
        messages.info(request, "Nothing was selected, so nothing was deleted.")
        return redirect(_back(request))
    counted = _counted(request)
    if counted is None:
        return _ask(request, access, target)
    if target.is_filter and request.POST.get("typed", "").strip().replace(",", "") != str(counted):
        return _ask(request, access, target, error=f"Type {counted} to confirm. Nothing was deleted.", status=422)
    try:
        done = without_deadline(request, lambda: target.delete(access, counted))
    except PortalError as refused:
        if refused.status != 409:
            raise
        return _ask(request, access, target, changed_from=counted, status=409)
    messages.success(request, f"{done.deleted:,} record{'' if done.deleted == 1 else 's'} deleted.")
    if done.remaining:
        return _ask(request, access, target, goes_on=True)
    return redirect(_back(request))


def _target(request: HttpRequest) -> Target:
    what = request.POST.get("what")
    if what not in {"selected", "matching"}:
        raise invalid("what", "Use selected or matching.")
    filter_ = grid.read_filter(request.POST.get("filter", "")) or {}
    ids = () if what == "matching" else tuple(request.POST.getlist("id"))
    return Target(what == "matching", ids, filter_)


def _counted(request: HttpRequest) -> int | None:
    text = request.POST.get("count")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise invalid("count", "Use the number that was shown.")
    return int(text)


def _ask(
    request: HttpRequest,
    access: Access,
    target: Target,
    *,
    changed_from: int | None = None,
    goes_on: bool = False,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "organization": access.organization,
        "target": target,
        "count": target.count(access),
        "filter_text": grid.filter_text(target.filter),
        "changed_from": changed_from,
        "goes_on": goes_on,
        "error": error,
        "back": request.POST.get("back", ""),
        "back_url": _back(request),
    }
    return render(request, PAGE, context, status=status)


def _back(request: HttpRequest) -> str:
    """The grid as it was, from its first page; whatever cannot be read is left out."""
    try:
        state, _ = grid.read_state(QueryDict(request.POST.get("back", "").removeprefix("?")))
    except PortalError:
        return reverse("records")
    return f"{reverse('records')}{state.first_page().query}"
