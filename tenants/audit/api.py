"""Endpoints of the audit."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router

from accounts.authentication import require_principal
from accounts.roles import ACTION
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.cursors import place_before, read_place
from orgportal.conventions.schemas import headers_of, problems
from tenants.access import Access, organization_access
from tenants.audit import service
from tenants.audit.schemas import Entry, EntryList, EntryParameters
from tenants.schemas import Slug

router = Router(tags=["Audit"])
NDJSON = "application/x-ndjson"


@router.get(
    "/{org}/audit",
    operation_id="list_audit_entries",
    summary="Look through the audit",
    auth=WITH_KEYS,
    response={200: EntryList, **problems(401, 403, 404, 422)},
)
def list_audit_entries(request: HttpRequest, org: Slug, parameters: EntryParameters) -> EntryList:
    """Who did what, on what, when, from where, and how it ended; newest first. Needs the role admin."""
    access = _access(request, org)
    listing = f"audit.{access.organization.id}"
    found = service.list_entries(
        access=access,
        wanted=parameters.wanted(),
        limit=parameters.limit,
        before=read_place(parameters.cursor, listing=listing),
    )
    cursor = place_before(found.before, listing=listing) if found.before is not None else None
    return EntryList.model_construct(items=[Entry.of(entry) for entry in found.entries], next_cursor=cursor)


@router.get(
    "/{org}/audit/export",
    operation_id="export_audit",
    summary="Export the audit",
    auth=WITH_KEYS,
    response={200: None, **problems(401, 403, 404)},
    openapi_extra={
        "responses": {
            200: {
                "description": "One JSON object a line: what this is, every entry with hash and seal, the count.",
                "content": {NDJSON: {"schema": {"type": "string"}}},
                **headers_of(answers={200: ("Content-Disposition",)})["responses"][200],
            }
        }
    },
)
def export_audit(request: HttpRequest, org: Slug) -> HttpResponse:
    """The whole chain as NDJSON. `verify_audit_export.py` of the portal checks it offline, with Python alone.

    Needs the role admin. The export itself is the last entry in it.
    """
    return exported(_access(request, org))


def exported(access: Access) -> HttpResponse:
    """The export as a file to keep."""
    response = StreamingHttpResponse(service.export(access=access), content_type=NDJSON)
    response["Content-Disposition"] = f'attachment; filename="audit-{access.organization.slug}.ndjson"'
    return response  # type: ignore[return-value]  # ninja's signature knows no streams


def _access(request: HttpRequest, org: str) -> Access:
    action = ACTION["audit.see"]
    return organization_access(principal=require_principal(request), slug=org, needs=action.needs, scope=action.scope)
