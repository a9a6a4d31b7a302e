"""Endpoints for imports: send a file, look at how far it is, end it."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router
from ninja.decorators import decorate_view

from accounts.authentication import require_principal
from accounts.roles import Role
from orgportal import request_checks
from orgportal.conventions import cursor_after, read_cursor
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.idempotency import key_of
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, ListParameters, headers_of, problems
from orgportal.errors import PortalError
from orgportal.middleware import without_deadline
from tenants.access import Access, organization_access
from tenants.imports import service
from tenants.imports.schemas import PARAMETERS, Import, ImportList, ImportParameters
from tenants.records.api import knows_its_parameters
from tenants.schemas import Slug

router = Router(tags=["Imports and exports"])

LISTING = "imports"
CONTENT_TYPES = (
    "application/x-ndjson",
    "application/json",
    "text/csv",
    "application/octet-stream",
)
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, uncompressed, of any length or chunked.",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in CONTENT_TYPES},
    }
}
ImportId = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="The id of the import.")]


@router.post(
    "/{org}/imports",
    operation_id="import_records",
    summary="Import a file",
    auth=WITH_KEYS,
    response={200: Import, **problems(401, 403, 404, 409, 411, 413, 415, 422)},
    openapi_extra={**headers_of(IDEMPOTENCY_KEY), **FILE},
)
@decorate_view(knows_its_parameters(*PARAMETERS))
def import_records(request: HttpRequest, query: ImportParameters, org: Slug) -> Import:
    """Import a file of records. The body is the file. Needs the role editor.

    The answer comes when all of it is done. A line that is wrong is reported and holds no other up; a file that
    cannot be read is refused before anything is written. With an `Idempotency-Key` the same file can be sent again
    after a dropped connection or a crash: no line is lost or doubled, and the counts are exact.
    """
    access = _editor(request, org)
    options = query.options()
    if request.content_type not in CONTENT_TYPES:
        raise PortalError("unsupported_media_type", 415, f"Send the file as one of {', '.join(CONTENT_TYPES)}.")
    key = key_of(request)
    body = request_checks.body_pieces(request)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    try:
        done = without_deadline(
            request,
            lambda: service.run_import(access=access, options=options, body=body, total_bytes=length, key=key),
        )
    except PortalError:
        # Who is still sending would not see the answer.
        request_checks.discard(body)
        raise
    return Import.of(done)


@router.get(
    "/{org}/imports",
    operation_id="list_imports",
    summary="List imports",
    auth=WITH_KEYS,
    response={200: ImportList, **problems(401, 403, 404, 422)},
)
@decorate_view(knows_its_parameters("limit", "cursor"))
def list_imports(request: HttpRequest, query: ListParameters, org: Slug) -> ImportList:
    """The imports of the last 30 days, newest first, those that run among them. Needs the role editor."""
    after = read_cursor(query.cursor, listing=LISTING)
    found = service.list_recent(access=_editor(request, org), limit=query.limit + 1, after=after)
    page = found[: query.limit]
    more = len(found) > query.limit
    cursor = cursor_after(page[-1].begun, listing=LISTING) if more else None
    return ImportList(items=[Import.of(one) for one in page], next_cursor=cursor)


@router.get(
    "/{org}/imports/{import_id}",
    operation_id="get_import",
    summary="Look at an import",
    auth=WITH_KEYS,
    response={200: Import, **problems(401, 403, 404, 422)},
)
@decorate_view(knows_its_parameters())
def get_import(request: HttpRequest, org: Slug, import_id: ImportId) -> Import:
    """How far an import is while it runs, and its result for 30 days after. Needs the role editor."""
    return Import.of(service.progress(access=_editor(request, org), id=import_id))


@router.post(
    "/{org}/imports/{import_id}/cancel",
    operation_id="cancel_import",
    summary="Cancel an import",
    auth=WITH_KEYS,
    response={200: Import, **problems(401, 403, 404, 422)},
)
@decorate_view(knows_its_parameters())
def cancel_import(request: HttpRequest, org: Slug, import_id: ImportId) -> Import:
    """End an import after the batch that is under way; what is written stays. Needs the role editor.

    One that is over stays as it is. Look at it again until it is `cancelled`.
    """
    return Import.of(service.cancel(access=_editor(request, org), id=import_id))


def _editor(request: HttpRequest, org: str) -> Access:
    principal = require_principal(request)
    return organization_access(principal=principal, slug=org, needs=Role.EDITOR, scope="records:write")
