"""Endpoints of an organization's schema."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts.authentication import require_principal
from accounts.roles import ACTION
from orgportal.conventions import etag_of, expected_rev, idempotent, is_known
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, headers_of, problems
from tenants.access import Access, organization_access
from tenants.rules import service
from tenants.rules.schemas import JsonSchema, SchemaStanding
from tenants.schemas import Slug

router = Router(tags=["Schema"])


def _access(request: HttpRequest, org: str, action: str) -> Access:
    allowed = ACTION[action]
    return organization_access(principal=require_principal(request), slug=org, needs=allowed.needs, scope=allowed.scope)


def _shown(response: HttpResponse, standing: service.Standing) -> SchemaStanding:
    answer = SchemaStanding.of(standing)
    response["ETag"] = etag_of(standing, answer.model_dump_json())
    return answer


@router.get(
    "/{org}/schema",
    operation_id="get_schema",
    summary="See the schema",
    auth=WITH_KEYS,
    response={200: SchemaStanding, 304: None, **problems(401, 403, 404)},
    openapi_extra=headers_of(IF_NONE_MATCH, answers={200: ("ETag",), 304: ("ETag",)}),
)
def get_schema(request: HttpRequest, response: HttpResponse, org: Slug) -> Status[Any]:
    """What records are held to, what is being switched on, and what the last check found."""
    answer = _shown(response, service.get_schema(access=_access(request, org, "schema.see")))
    return Status(304, None) if is_known(request, response["ETag"]) else Status(200, answer)


@router.put(
    "/{org}/schema",
    operation_id="set_schema",
    summary="Switch a schema on",
    auth=WITH_KEYS,
    response={202: SchemaStanding, **problems(401, 403, 404, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={202: ("ETag",)}),
)
def set_schema(request: HttpRequest, response: HttpResponse, body: JsonSchema, org: Slug) -> Status[Any]:
    """Hold records to a JSON Schema (draft 2020-12). Needs the role admin.

    The body is the schema. New writes are held to it from now on, and in the background the records that are there
    are checked: look at the schema again until `state` is `on`, or `off` with a report of what does not fit in `last`.
    The schema that was on before stays in force until then, and after it when the new one does not fit. Checked is the
    data in relaxed Extended JSON: a date is an object with `$date`. `422 invalid_schema` names the place.
    """
    access = _access(request, org, "schema.change")
    expected = expected_rev(request, service.version(access=access))
    return Status(202, _shown(response, service.set_schema(access=access, schema=body.root, expected_rev=expected)))


@router.delete(
    "/{org}/schema",
    operation_id="switch_schema_off",
    summary="Switch the schema off",
    auth=WITH_KEYS,
    response={204: None, **problems(401, 403, 404, 412)},
    openapi_extra=headers_of(IF_MATCH),
)
def switch_schema_off(request: HttpRequest, org: Slug) -> Status[None]:
    """Hold records to nothing any more, and stop checking. Needs the role admin."""
    access = _access(request, org, "schema.change")
    service.switch_off(access=access, expected_rev=expected_rev(request, service.version(access=access)))
    return Status(204, None)


@router.post(
    "/{org}/schema/check",
    operation_id="check_schema",
    summary="Try a schema",
    auth=WITH_KEYS,
    response={202: SchemaStanding, **problems(401, 403, 404, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def check_schema(request: HttpRequest, body: JsonSchema, org: Slug) -> Status[Any]:
    """Find out which records would not fit a schema, and change nothing. Needs the role admin.

    The worker does it: look at `last` of the schema until its `step` is `fits` or `misfit`. One at a time.
    """
    standing = service.try_schema(access=_access(request, org, "schema.change"), schema=body.root)
    return Status(202, SchemaStanding.of(standing))


@router.get(
    "/{org}/schema/draft",
    operation_id="draft_schema",
    summary="Draft a schema",
    auth=WITH_KEYS,
    response={200: dict[str, Any], **problems(401, 403, 404)},
)
def draft_schema(request: HttpRequest, org: Slug) -> dict[str, Any]:
    """A first draft, made from a random sample of the records: types, what none lacks, choices, dates and emails."""
    return service.draft(access=_access(request, org, "records.read"))
