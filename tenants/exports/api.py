"""The endpoint that hands an organization's records out as a file."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from ninja import Router
from ninja.decorators import decorate_view

from accounts.authentication import require_principal
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.schemas import problems
from orgportal.middleware import without_deadline
from tenants.access import organization_access
from tenants.exports import service
from tenants.exports.schemas import PARAMETERS, ExportParameters
from tenants.records.api import knows_its_parameters
from tenants.records.filters import parse_filter
from tenants.schemas import Slug

router = Router(tags=["Imports and exports"])

FILE: dict[str, Any] = {
    "responses": {
        200: {
            "content": {name: {"schema": {"type": "string"}} for name in ("application/x-ndjson", "text/csv")},
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}


@router.get(
    "/{org}/exports",
    operation_id="export_records",
    summary="Export records",
    auth=WITH_KEYS,
    response={200: None, **problems(401, 403, 404, 422)},
    openapi_extra=FILE,
)
@decorate_view(knows_its_parameters(*PARAMETERS))
def export_records(request: HttpRequest, query: ExportParameters, org: Slug) -> HttpResponseBase:
    """All records, or those that match a filter, streamed as they are read. Imported again they are the same data.

    When the organization is renamed or deleted on the way, the transfer breaks off: check that it came to its end
    (`curl` then fails with code 18).
    """
    principal = require_principal(request)
    access = organization_access(principal=principal, slug=org, scope="records:read")
    return streamed(
        without_deadline(
            request,
            lambda: service.export(
                access=access, format=query.format, filter=parse_filter(query.filter), fields=query.fields
            ),
        )
    )


def streamed(export: service.Export) -> StreamingHttpResponse:
    """The answer that hands a file out under its name; for pages, too."""
    answer = StreamingHttpResponse(export.chunks, content_type=export.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{export.file_name}"'
    return answer
