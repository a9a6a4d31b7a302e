"""What the OpenAPI document says beyond the routes, and the page that shows it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.schema import NinjaGenerateJsonSchema
from pydantic.json_schema import models_json_schema

from orgportal.answers import PROBLEM_JSON, title_of
from orgportal.conventions.schemas import Problem

DESCRIPTION = """Organizations, each with a collection of its own.

**Log in** with `POST /auth/login` and send `Authorization: Bearer <access_token>`. A browser's session cookie
works too; unsafe methods then need the `X-CSRFToken` header. A Bearer header wins over a cookie.

**API keys** (`Authorization: Bearer orgp_live_…`) are for programs that run without anybody: each works in one
organization, with a role and with scopes (`records:read`, `records:write`, `members`, `organization`). Operations that
list `ApiKey` take them; `403 scope_missing` names the scope that is lacking, `403 not_for_keys` is for people only.

**Errors** are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) `application/problem+json`. Decide on `code`,
show `detail`; `errors` names the fields. Every answer has an `X-Request-ID`, which the logs know.

**Retries**: send `Idempotency-Key` (a random UUID) with a POST, and the same key and body give the first answer
again for 24 hours. `503` and `429` come with `Retry-After`.

**Concurrent changes**: send the `ETag` you read as `If-Match`; `412` means that somebody was faster.
"""

_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "Names this request in the logs.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "WWW-Authenticate": {"description": "The scheme to use.", "schema": {"type": "string"}},
    "Location": {"description": "The new resource.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The name of the file.", "schema": {"type": "string"}},
    "ETag": {"description": "For `If-Match` and `If-None-Match`.", "schema": {"type": "string"}},
}
_SCHEMA = "#/components/schemas/{model}"


class Docs(DocsBase):
    """Swagger UI from our own static files: no inline script or style, nothing from elsewhere."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """The docs page."""
        return render(request, "api/docs.html", {"api": api, "openapi_url": self.get_openapi_url(api, kwargs)})


def completed(document: OpenAPISchema) -> OpenAPISchema:
    """The document with the schema and the content type of errors, and with the headers of each answer."""
    schemas = document["components"]["schemas"]
    _, made = models_json_schema(
        [(Problem, "serialization")], ref_template=_SCHEMA, schema_generator=NinjaGenerateJsonSchema
    )
    schemas |= made["$defs"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] = {
                str(status): _completed_response(int(status), response)
                for status, response in sorted(operation["responses"].items(), key=lambda item: int(item[0]))
            }
    return document


def _completed_response(status: int, response: dict[str, Any]) -> dict[str, Any]:
    headers = {"X-Request-ID", *response.get("headers", {})}
    if status in {409, 429, 503}:
        headers.add("Retry-After")
    if status == 401:
        headers.add("WWW-Authenticate")
    result = {
        **response,
        "description": title_of(status),
        "headers": {name: _HEADERS[name] for name in sorted(headers)},
    }
    if status >= 400:
        own = response.get("content", {}).get("application/json")
        result["content"] = {PROBLEM_JSON: own or {"schema": {"$ref": _SCHEMA.format(model="Problem")}}}
    return result
