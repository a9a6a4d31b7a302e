"""Endpoints for an organization's records."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.decorators import decorate_view

from accounts.authentication import require_principal
from accounts.roles import Role
from orgportal.conventions import expected_tags, idempotent, is_known, origin_of
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, headers_of, problems
from orgportal.errors import invalid
from orgportal.middleware import without_deadline
from tenants.access import Access, organization_access
from tenants.records import bulk, listing, store
from tenants.records.documents import Record
from tenants.records.filters import parse_filter
from tenants.records.lines import canonical_line, relaxed_line
from tenants.records.schemas import (
    Count,
    CountParameters,
    Deletion,
    ListParameters,
    Matching,
    NewRecord,
    RecordId,
    RecordList,
    RecordPatch,
    RecordReplacement,
    ShownParameters,
)
from tenants.records.schemas import Record as RecordAnswer
from tenants.records.values import MAX_JSON_DEPTH, data_from_ejson
from tenants.schemas import Slug

router = Router(tags=["Records"])

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

View = Callable[..., HttpResponse]


def takes_a_record(view: View) -> View:
    """For bodies that hold a record's data: they may nest deeper than others by one level, and be a merge patch."""

    @wraps(view)
    def prepared(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.max_json_depth = MAX_JSON_DEPTH + 1  # type: ignore[attr-defined]
        if request.method == "PATCH" and request.content_type == MERGE_PATCH:
            request.content_type = JSON
        return view(request, *args, **kwargs)

    return prepared


def knows_its_parameters(*names: str) -> Callable[[View], View]:
    """422 for any other parameter in the query: `?filter[$ne]=` would else be no filter at all."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            for name in request.GET:
                if name not in names:
                    shown = name.encode("utf-8", "backslashreplace").decode()[:200]
                    raise invalid(shown, f"Use {', '.join(names)}." if names else "There are no parameters here.")
            return view(request, *args, **kwargs)

        return guarded

    return guard


@router.get(
    "/{org}/records",
    operation_id="list_records",
    summary="List records",
    auth=WITH_KEYS,
    response={200: RecordList, **problems(401, 403, 404, 422)},
)
@decorate_view(knows_its_parameters("filter", "sort", "fields", "limit", "cursor", "ejson"))
def list_records(request: HttpRequest, query: ListParameters, org: Slug) -> HttpResponse:
    """The records that match, by age unless `sort` says otherwise, page by page.

    Page ten thousand costs what page one costs. With `sort` so it does by just the fields of an index; else every page
    goes through all that match. A page of big records may hold fewer than `limit`: it ends once it has 16 MiB.
    """
    access, filter_ = _reader(request, org), parse_filter(query.filter)
    page = without_deadline(
        request,
        lambda: listing.list_records(
            access=access,
            filter=filter_,
            sort=query.sort,
            fields=query.fields,
            limit=query.limit,
            cursor=query.cursor,
        ),
    )
    items = b",".join(_line(record, query.ejson) for record in page.records)
    body = b'{"items":[' + items + b'],"next_cursor":' + orjson.dumps(page.next_cursor) + b"}"
    return HttpResponse(body, content_type=JSON)


@router.get(
    "/{org}/records/count",
    operation_id="count_records",
    summary="Count records",
    auth=WITH_KEYS,
    response={200: Count, **problems(401, 403, 404, 422)},
)
@decorate_view(knows_its_parameters("filter"))
def count_records(request: HttpRequest, query: CountParameters, org: Slug) -> Count:
    """How many records match, counted now."""
    access, filter_ = _reader(request, org), parse_filter(query.filter)
    return Count(count=without_deadline(request, lambda: listing.count_records(access=access, filter=filter_)))


@router.post(
    "/{org}/records",
    operation_id="create_record",
    summary="Create a record",
    auth=WITH_KEYS,
    response={201: RecordAnswer, **problems(401, 403, 404, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY, answers={201: ("Location", "ETag")}),
)
@decorate_view(takes_a_record, knows_its_parameters("ejson"), idempotent)
def create_record(request: HttpRequest, body: NewRecord, query: ShownParameters, org: Slug) -> HttpResponse:
    """Store a new record. Needs the role editor. `409 record_exists` when the chosen `id` is taken.

    With an `Idempotency-Key` a repeated call never stores a second one, not even after a crash.
    """
    access = _writer(request, org)
    record = store.create_record(access=access, data=_data(request, body.data), id=body.id, origin=origin_of(request))
    answer = _answer(record, query.ejson, status=201)
    answer["Location"] = f"/api/v1/orgs/{access.organization.slug}/records/{record.id}"
    return answer


@router.post(
    "/{org}/records/delete-matching",
    operation_id="delete_matching_records",
    summary="Delete many records",
    auth=WITH_KEYS,
    response={200: Deletion, **problems(401, 403, 404, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(knows_its_parameters(), idempotent)
def delete_matching_records(request: HttpRequest, body: Matching, org: Slug) -> Deletion:
    """Delete all records that match, when they are as many as expected. Needs the role editor.

    `409 count_differs` when there are more or fewer, and nothing is deleted. What cannot be done in time is
    `remaining`: call again, with another `Idempotency-Key` if any, expecting so many.
    """
    access = _writer(request, org)
    done = without_deadline(
        request,
        lambda: bulk.delete_matching(access=access, filter=body.filter, expected_count=body.expected_count),
    )
    return Deletion(deleted=done.deleted, remaining=done.remaining)


@router.get(
    "/{org}/records/{id}",
    operation_id="get_record",
    summary="Get a record",
    auth=WITH_KEYS,
    response={200: RecordAnswer, 304: None, **problems(401, 403, 404, 422)},
    openapi_extra=headers_of(IF_NONE_MATCH, answers={200: ("ETag",), 304: ("ETag",)}),
)
@decorate_view(knows_its_parameters("ejson"))
def get_record(request: HttpRequest, query: ShownParameters, org: Slug, id: RecordId) -> HttpResponse:
    """One record with all its data."""
    answer = _answer(store.get_record(access=_reader(request, org), id=id), query.ejson)
    if is_known(request, answer["ETag"]):
        known = HttpResponse(status=304)
        known["ETag"] = answer["ETag"]
        return known
    return answer


@router.put(
    "/{org}/records/{id}",
    operation_id="replace_record",
    summary="Replace a record",
    auth=WITH_KEYS,
    response={200: RecordAnswer, **problems(401, 403, 404, 409, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={200: ("ETag",)}),
)
@decorate_view(takes_a_record, knows_its_parameters("ejson"))
def replace_record(
    request: HttpRequest, body: RecordReplacement, query: ShownParameters, org: Slug, id: RecordId
) -> HttpResponse:
    """Give the record other data. Needs the role editor. With `If-Match`, only if nobody changed it meanwhile."""
    access = _writer(request, org)
    data = _data(request, body.data)
    return _answer(store.replace_record(access=access, id=id, data=data, expected=expected_tags(request)), query.ejson)


@router.patch(
    "/{org}/records/{id}",
    operation_id="patch_record",
    summary="Change a record",
    auth=WITH_KEYS,
    response={200: RecordAnswer, **problems(401, 403, 404, 409, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={200: ("ETag",)}),
)
@decorate_view(takes_a_record, knows_its_parameters("ejson"))
def patch_record(
    request: HttpRequest, body: RecordPatch, query: ShownParameters, org: Slug, id: RecordId
) -> HttpResponse:
    """Merge changes into the record: objects are merged, null removes, everything else replaces (RFC 7396).

    Needs the role editor. Two at once both land, unless `If-Match` says which state is meant.
    """
    access = _writer(request, org)
    patch = _data(request, body.data)
    return _answer(store.patch_record(access=access, id=id, patch=patch, expected=expected_tags(request)), query.ejson)


@router.delete(
    "/{org}/records/{id}",
    operation_id="delete_record",
    summary="Delete a record",
    auth=WITH_KEYS,
    response={204: None, **problems(401, 403, 404, 412)},
    openapi_extra=headers_of(IF_MATCH),
)
@decorate_view(knows_its_parameters())
def delete_record(request: HttpRequest, org: Slug, id: RecordId) -> HttpResponse:
    """Remove the record. Needs the role editor. With `If-Match`, only if nobody changed it meanwhile."""
    store.delete_record(access=_writer(request, org), id=id, expected=expected_tags(request))
    return HttpResponse(status=204)


def _reader(request: HttpRequest, org: str) -> Access:
    return organization_access(principal=require_principal(request), slug=org, scope="records:read")


def _writer(request: HttpRequest, org: str) -> Access:
    principal = require_principal(request)
    return organization_access(principal=principal, slug=org, needs=Role.EDITOR, scope="records:write")


def _data(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    return data_from_ejson(data, json_bytes=len(request.body))


def _answer(record: Record, ejson: str, *, status: int = 200) -> HttpResponse:
    answer = HttpResponse(_line(record, ejson), status=status, content_type=JSON)
    answer["ETag"] = f'"{record.version}"'
    return answer


def _line(record: Record, ejson: str) -> bytes:
    facts = {"rev": record.rev, **_instants(record), "created_by": record.created_by}
    line = canonical_line if ejson == "canonical" else relaxed_line
    head = b'{"id":' + orjson.dumps(record.id) + b',"data":' + line(record.data) + b","
    return head + orjson.dumps(facts)[1:]


def _instants(record: Record) -> dict[str, str]:
    return {"created_at": _instant(record.created_at), "updated_at": _instant(record.updated_at)}


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
