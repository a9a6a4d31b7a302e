"""Records as a file to download."""

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from orgportal.middleware import without_deadline
from tenants.access import Access
from tenants.exports import service
from tenants.exports.api import streamed
from tenants.records import grid
from tenants.views import in_organization


@require_safe
@in_organization()
def records_export(request: HttpRequest, access: Access) -> HttpResponseBase:
    """All records, or those that the filter of the address matches, streamed."""
    format_, fields = request.GET.get("format", "ndjson"), request.GET.get("fields")
    filter_ = grid.read_filter(request.GET.get("filter", ""))
    return streamed(
        without_deadline(request, lambda: service.export(access=access, format=format_, filter=filter_, fields=fields))
    )
