"""Files in and out: import with its progress, export."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.roles import Role
from tenants.access import Access
from tenants.views import in_organization


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=Role.EDITOR)
def import_new(request: HttpRequest, access: Access) -> HttpResponse:
    return HttpResponse("soon")


@require_POST
@in_organization(needs=Role.EDITOR)
def import_sample(request: HttpRequest, access: Access) -> HttpResponse:
    return HttpResponse("soon")


@require_safe
@in_organization()
def records_export(request: HttpRequest, access: Access) -> HttpResponse:
    return HttpResponse("soon")
