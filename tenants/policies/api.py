"""Endpoints of an organization's policy."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from accounts.authentication import require_principal
from accounts.roles import ACTION
from orgportal.conventions import etag_of, expected_rev
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.schemas import IF_MATCH, headers_of, problems
from tenants.access import organization_access
from tenants.policies import service
from tenants.policies.schemas import Policy, PolicyChanges
from tenants.schemas import Slug

router = Router(tags=["Organizations"])


@router.get(
    "/{org}/policy",
    operation_id="get_policy",
    summary="See what is demanded of members",
    auth=MEMBERS,
    response={200: Policy, **problems(401, 403, 404)},
    openapi_extra=headers_of(answers={200: ("ETag",)}),
)
def get_policy(request: HttpRequest, response: HttpResponse, org: Slug) -> Policy:
    """How long passwords have to be, how long sessions last, whether a second factor is wanted."""
    access = organization_access(principal=require_principal(request), slug=org, needs=ACTION["policy.see"].needs)
    response["ETag"] = etag_of(access.organization)
    return Policy.of(access.organization.policy)


@router.patch(
    "/{org}/policy",
    operation_id="update_policy",
    summary="Change what is demanded of members",
    auth=MEMBERS,
    response={200: Policy, **problems(401, 403, 404, 409, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={200: ("ETag",)}),
)
def update_policy(request: HttpRequest, response: HttpResponse, body: PolicyChanges, org: Slug) -> Policy:
    """Needs the role admin, and a password entered a moment ago (`403 sudo_required`).

    It is in force from the next request on: sessions that are too old end, and once the grace is over, members
    without a second factor get `403 second_factor_required`. null: as the portal has it.
    """
    access = organization_access(principal=require_principal(request), slug=org, needs=ACTION["policy.change"].needs)
    changed = service.change_policy(
        access=access,
        changes=body.model_dump(exclude_unset=True),
        expected_rev=expected_rev(request, access.organization),
    )
    response["ETag"] = etag_of(changed)
    return Policy.of(changed.policy)
