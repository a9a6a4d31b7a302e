"""Endpoints of the indexes that an organization adds."""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view
from pydantic import WithJsonSchema

from accounts.authentication import require_principal
from accounts.roles import ACTION
from orgportal.conventions import idempotent
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, headers_of, problems
from tenants.access import Access, organization_access
from tenants.record_indexes import service
from tenants.record_indexes.schemas import Index, IndexList, NewIndex
from tenants.schemas import Slug

router = Router(tags=["Indexes"])

# Checked by the lookup: an id that cannot exist is as unknown as any other (404).
IndexId = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{24}$"})]


def _access(request: HttpRequest, org: str, action: str) -> Access:
    allowed = ACTION[action]
    return organization_access(principal=require_principal(request), slug=org, needs=allowed.needs, scope=allowed.scope)


@router.get(
    "/{org}/indexes",
    operation_id="list_indexes",
    summary="List indexes",
    auth=WITH_KEYS,
    response={200: IndexList, **problems(401, 403, 404)},
)
def list_indexes(request: HttpRequest, org: Slug) -> IndexList:
    """The indexes that the organization added, with size and use where the database tells them."""
    found = service.list_indexes(access=_access(request, org, "indexes.see"))
    return IndexList(items=[Index.of(described) for described in found], next_cursor=None)


@router.post(
    "/{org}/indexes",
    operation_id="add_index",
    summary="Add an index",
    auth=WITH_KEYS,
    response={202: Index, **problems(401, 403, 404, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY, answers={202: ("Location",)}),
)
@decorate_view(idempotent)
def add_index(request: HttpRequest, response: HttpResponse, body: NewIndex, org: Slug) -> Status[Any]:
    """Build an index over one to four fields, in the background. Needs the role admin.

    Look at it again until its `state` is `ready`, or `failed` with the reason: the values that are there twice, for
    a unique one. `409 index_exists` for the same fields again, unless that one failed; `409 too_many_indexes`.
    """
    access = _access(request, org, "indexes.change")
    added = service.add_index(access=access, fields=body.fields_, unique=body.unique)
    response["Location"] = f"/api/v1/orgs/{access.organization.slug}/indexes/{added.id}"
    return Status(202, Index.of(service.Described(added, None)))


@router.get(
    "/{org}/indexes/{index_id}",
    operation_id="get_index",
    summary="Get an index",
    auth=WITH_KEYS,
    response={200: Index, **problems(401, 403, 404)},
)
def get_index(request: HttpRequest, org: Slug, index_id: IndexId) -> Index:
    """One index: how far it is, and its size and use where the database tells them."""
    return Index.of(service.get_index(access=_access(request, org, "indexes.see"), id=index_id))


@router.delete(
    "/{org}/indexes/{index_id}",
    operation_id="remove_index",
    summary="Remove an index",
    auth=WITH_KEYS,
    response={202: None, 204: None, **problems(401, 403, 404)},
)
def remove_index(request: HttpRequest, org: Slug, index_id: IndexId) -> Status[None]:
    """Needs the role admin. `202` means that the removal goes on."""
    gone = service.remove_index(access=_access(request, org, "indexes.change"), id=index_id)
    return Status(204 if gone else 202, None)
