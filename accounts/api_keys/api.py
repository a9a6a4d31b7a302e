"""Endpoints for the API keys of an organization. No key may call them."""

from typing import Any

from bson import ObjectId
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts.api_keys import service
from accounts.api_keys.schemas import ApiKey, ApiKeyList, MadeApiKey, NewApiKey
from accounts.guard import allowed
from accounts.principal import Principal
from accounts.roles import Role
from orgportal.conventions import cursor_after, idempotent, read_cursor
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.identities import IdInPath, SlugInPath, object_id
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, ListParameters, headers_of, problems
from orgportal.errors import not_found

router = Router(tags=["API keys"])
LISTING = "api_keys"


@router.get(
    "/{org}/keys",
    operation_id="list_keys",
    summary="List the API keys",
    auth=MEMBERS,
    response={200: ApiKeyList, **problems(401, 403, 404, 422)},
)
def list_keys(request: HttpRequest, query: ListParameters, org: SlugInPath) -> ApiKeyList:
    """Those that count, and for a month those that have expired. Needs the role admin."""
    after = read_cursor(query.cursor, listing=LISTING)
    found = service.list_keys(org_id=_organization(allowed(request, action="keys.see", slug=org)))
    rest = [key for key in sorted(found, key=lambda key: key.id) if after is None or key.id > after]
    page = rest[: query.limit]
    return ApiKeyList(
        items=[ApiKey.of(key) for key in page],
        next_cursor=cursor_after(page[-1].id, listing=LISTING) if len(rest) > query.limit else None,
    )


@router.post(
    "/{org}/keys",
    operation_id="make_key",
    summary="Make an API key",
    auth=MEMBERS,
    response={201: MadeApiKey, **problems(401, 403, 404, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY, answers={201: ("Location",)}),
)
@decorate_view(idempotent)
def make_key(request: HttpRequest, response: HttpResponse, body: NewApiKey, org: SlugInPath) -> Status[Any]:
    """A key of this organization, shown this once. Needs the role admin and a recent password (`403 sudo_required`).

    It may do what its scopes name and at most what its maker may; it ends with the maker's membership, and with a new
    password of the maker.
    """
    new = service.make_key(
        principal=allowed(request, action="keys.make", slug=org),
        name=body.name,
        scopes=body.scopes,
        role=Role(body.role) if body.role else None,
        days=body.days,
    )
    response["Location"] = f"/api/v1/orgs/{org}/keys/{new.key.id}"
    return Status(201, MadeApiKey.made(new))


@router.get(
    "/{org}/keys/{key_id}",
    operation_id="get_key",
    summary="Get an API key",
    auth=MEMBERS,
    response={200: ApiKey, **problems(401, 403, 404)},
)
def get_key(request: HttpRequest, org: SlugInPath, key_id: IdInPath) -> ApiKey:
    """One key, without its secret part. Needs the role admin."""
    principal = allowed(request, action="keys.see", slug=org)
    return ApiKey.of(service.get_key(org_id=_organization(principal), key_id=object_id(key_id)))


@router.delete(
    "/{org}/keys/{key_id}",
    operation_id="revoke_key",
    summary="Revoke an API key",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 404)},
)
def revoke_key(request: HttpRequest, org: SlugInPath, key_id: IdInPath) -> Status[Any]:
    """The key is refused from the next request on. Needs the role admin."""
    service.revoke_key(principal=allowed(request, action="keys.revoke", slug=org), key_id=object_id(key_id))
    return Status(204, None)


def _organization(principal: Principal) -> ObjectId:
    if principal.org_id is None:
        raise not_found()
    return principal.org_id
