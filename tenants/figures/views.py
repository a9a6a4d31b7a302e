"""The card of one field, which the dashboard fetches when it is open."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.roles import ACTION
from tenants.access import Access
from tenants.figures.pictures import distribution_context
from tenants.views import in_organization

TEMPLATE = "tenants/includes/distribution.html"


@require_safe
@in_organization(needs=ACTION["records.read"].needs)
def distribution(request: HttpRequest, access: Access) -> HttpResponse:
    """How a field is spread, as a part of the dashboard; without HTMX, the dashboard with it."""
    field = request.GET.get("field", "")
    if not getattr(request, "htmx", False):
        return redirect(f"{reverse('dashboard')}?{urlencode({'field': field})}#distribution")
    return render(request, TEMPLATE, distribution_context(access, field))
