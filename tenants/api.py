"""Endpoints for an organization's life: create, list, read, change, delete."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts.authentication import principal_of, require_principal
from accounts.roles import Role
from accounts.scopes import require_scope
from orgportal.conventions import cursor_after, etag_of, expected_rev, idempotent, is_known, origin_of, read_cursor
from orgportal.conventions.callers import ANYBODY, MEMBERS, OPTIONAL, WITH_KEYS
from orgportal.conventions.schemas import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    ListParameters,
    headers_of,
    problems,
)
from orgportal.errors import invalid, unauthenticated
from tenants import service
from tenants.access import organization_access
from tenants.schemas import (
    Deleting,
    NewOrganization,
    NewOrganizationAnswer,
    Organization,
    OrganizationChanges,
    OrganizationDetails,
    OrganizationList,
    Slug,
)

router = Router(tags=["Organizations"])
LISTING = "organizations"


@router.post(
    "",
    operation_id="create_organization",
    summary="Sign up an organization",
    auth=ANYBODY,
    response={201: NewOrganizationAnswer, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra={**headers_of(IDEMPOTENCY_KEY, answers={201: ("Location", "ETag")}), **OPTIONAL},
)
@decorate_view(idempotent)
def create_organization(request: HttpRequest, response: HttpResponse, body: NewOrganization) -> Status[Any]:
    """Create an organization with its collection `org_<slug>` and an owner.

    With `email` and `password` the owner is a new account. Without both, the caller who is logged in becomes
    the owner. `409 organization_exists` when the name or slug is taken, `409 email_taken` when the address has
    an account: that one logs in and adds the organization.
    """
    created = _create(request, body)
    response["Location"] = f"/api/v1/orgs/{created.organization.slug}"
    response["ETag"] = etag_of(created.organization)
    return Status(201, NewOrganizationAnswer.of(created))


def _create(request: HttpRequest, body: NewOrganization) -> service.SignedUp:
    if body.email is not None and body.password is not None:
        return service.sign_up(
            organization_name=body.organization_name,
            slug=body.slug,
            email=body.email,
            password=body.password,
            metadata=body.metadata,
            origin=origin_of(request),
        )
    if body.email is not None or body.password is not None:
        raise invalid("password" if body.password is None else "email", "Give both email and password, or neither.")
    principal = principal_of(request)
    if principal is None:
        raise unauthenticated()
    return service.add_organization(
        principal=principal,
        organization_name=body.organization_name,
        slug=body.slug,
        metadata=body.metadata,
        origin=origin_of(request),
    )


@router.get(
    "",
    operation_id="list_organizations",
    summary="List my organizations",
    auth=WITH_KEYS,
    response={200: OrganizationList, **problems(401, 403, 422)},
)
def list_organizations(request: HttpRequest, query: ListParameters) -> OrganizationList:
    """The organizations that the account belongs to, and its role in each."""
    after = read_cursor(query.cursor, listing=LISTING)
    principal = require_principal(request)
    require_scope(principal, "organization")
    found = service.list_organizations(principal=principal, limit=query.limit, after=after)
    page = found[: query.limit]
    more = len(found) > query.limit
    return OrganizationList(
        items=[Organization.of(organization, role) for organization, role in page],
        next_cursor=cursor_after(page[-1][0].id, listing=LISTING) if more else None,
    )


@router.get(
    "/{org}",
    operation_id="get_organization",
    summary="Get an organization",
    auth=WITH_KEYS,
    response={200: OrganizationDetails, 304: None, **problems(401, 403, 404)},
    openapi_extra=headers_of(IF_NONE_MATCH, answers={200: ("ETag",), 304: ("ETag",)}),
)
def get_organization(request: HttpRequest, response: HttpResponse, org: Slug) -> Status[Any]:
    """The organization, where its data is and how much there is."""
    access = organization_access(principal=require_principal(request), slug=org, scope="organization")
    description = service.describe(access=access)
    details = OrganizationDetails.described(description)
    response["ETag"] = etag_of(description.organization, details.model_dump_json())
    if is_known(request, response["ETag"]):
        return Status(304, None)
    return Status(200, details)


@router.patch(
    "/{org}",
    operation_id="update_organization",
    summary="Change an organization",
    auth=WITH_KEYS,
    response={200: Organization, 202: Organization, **problems(401, 403, 404, 409, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={200: ("ETag",), 202: ("ETag",)}),
)
def update_organization(
    request: HttpRequest, response: HttpResponse, body: OrganizationChanges, org: Slug
) -> Status[Any]:
    """Change the display name, the slug, the metadata. Needs the role admin.

    A new slug renames the collection, data intact. `202` with `status: renaming` means that this goes on; look
    at the organization again, under its old slug, until it is gone from there. Tokens carry the slug: once it
    has changed, refresh them.
    """
    access = organization_access(principal=require_principal(request), slug=org, needs=Role.ADMIN, scope="organization")
    changed = service.update(
        access=access,
        organization_name=body.organization_name,
        slug=body.slug,
        metadata=body.metadata,
        expected_rev=expected_rev(request, access.organization),
    )
    response["ETag"] = etag_of(changed)
    return Status(202 if changed.status == "renaming" else 200, Organization.of(changed, access.role))


@router.delete(
    "/{org}",
    operation_id="delete_organization",
    summary="Delete an organization",
    auth=MEMBERS,
    response={202: Deleting, 204: None, **problems(401, 403, 404, 412)},
    openapi_extra=headers_of(IF_MATCH),
)
def delete_organization(request: HttpRequest, org: Slug) -> Status[Any]:
    """Drop the collection, and remove everything that authenticated to the organization. Needs the role owner.

    Accounts that belong to nothing else go too. `202` means that the removal goes on; from this moment nothing
    of the organization authenticates.
    """
    access = organization_access(principal=require_principal(request), slug=org, needs=Role.OWNER)
    gone = service.delete(access=access, expected_rev=expected_rev(request, access.organization))
    return Status(204, None) if gone else Status(202, Deleting())
