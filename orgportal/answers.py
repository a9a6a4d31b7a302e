"""Errors become answers here: problem+json for programs, an HTML page for people, never the driver's words."""

import json
import sys
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string

from orgportal import database
from orgportal.errors import PortalError, database_unavailable, forbidden, not_found

PROBLEM_JSON = "application/problem+json"
# Paths whose callers are programs.
PROGRAM_PATHS = ("/healthz", "/readyz", "/.well-known/jwks.json")

log = structlog.get_logger(__name__)


def bad_request(code: str, message: str) -> PortalError:
    """400 for a request that is broken before anyone looks at what it asks for."""
    return PortalError(code, 400, message)


def body_too_large() -> PortalError:
    """413 for a body over MAX_BODY_BYTES."""
    return PortalError("body_too_large", 413, "The body of the request is too large.")


def is_for_programs(request: HttpRequest) -> bool:
    """Whether the caller wants JSON: the API and the service's own endpoints."""
    return request.path.startswith("/api/") or request.path in PROGRAM_PATHS


def as_portal_error(error: BaseException) -> PortalError | None:
    """What the caller is told about an exception, or None when it is a mistake of ours (500)."""
    if isinstance(error, PortalError):
        return error
    if database.is_unavailable(error):
        return database_unavailable()
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, PermissionDenied):
        return forbidden()
    return _as_bad_request(error)


def _as_bad_request(error: BaseException) -> PortalError | None:
    if isinstance(error, RequestDataTooBig):
        return body_too_large()
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return bad_request("too_many_fields", "The request has too many fields.")
    if isinstance(error, DisallowedHost):
        return bad_request("unknown_host", "This portal does not answer for that host name.")
    if isinstance(error, UnreadablePostError):
        return bad_request("incomplete_body", "The body of the request ended too early.")
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnicodeError):
        return bad_request("bad_request", "The request cannot be understood.")
    return None


def title_of(status: int) -> str:
    """The standard phrase of an HTTP status (RFC 9110; older Pythons still know older phrases)."""
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def problem_document(error: PortalError, request_id: str) -> dict[str, Any]:
    """The RFC 9457 document of an error. `type` is `about:blank`: `code` is what programs should look at."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(error.status),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [{"path": wrong.path, "message": wrong.message} for wrong in error.errors]
    return {**error.data, **document}


def problem(request: HttpRequest, error: PortalError) -> HttpResponse:
    """The error as problem+json."""
    body = json.dumps(problem_document(error, request_id_of(request)))
    return HttpResponse(body, status=error.status, content_type=PROBLEM_JSON)


def page(request: HttpRequest, error: PortalError) -> HttpResponse:
    """The error as an HTML page, in plain text should even the page fail."""
    context = {
        "status": error.status,
        "title": title_of(error.status),
        "message": error.message,
        "errors": error.errors,
        "request_id": request_id_of(request),
    }
    try:
        body = render_to_string("errors/error.html" if error.status != 500 else "errors/500.html", context, request)
    except Exception:
        log.exception("error_page_failed")
        return HttpResponse(f"{error.status} {error.message}\n", status=error.status, content_type="text/plain")
    return HttpResponse(body, status=error.status)


def answer(request: HttpRequest, error: PortalError) -> HttpResponse:
    """The error in the form that fits the caller, with the headers that belong to its status."""
    response = problem(request, error) if is_for_programs(request) else page(request, error)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="orgportal"'
    response.portal_code = error.code  # type: ignore[attr-defined]
    return response


def request_id_of(request: HttpRequest) -> str:
    """The request's id, empty outside a request."""
    return str(getattr(request, "request_id", ""))


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's hook for broken requests."""
    known = as_portal_error(exception) if exception else None
    return answer(request, known or bad_request("bad_request", "The request cannot be understood."))


def handler403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's hook for refused requests."""
    return answer(request, forbidden())


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's hook for unknown addresses."""
    return answer(request, not_found())


def handler500(request: HttpRequest) -> HttpResponse:
    """Django's hook for whatever else was raised, in a view or in any middleware.

    Django calls it while it handles the exception, so what the caller may know is still told.
    """
    error = sys.exc_info()[1]
    known = as_portal_error(error) if error else None
    if known is None:
        log.error("unexpected_error", exc_info=error, path=request.path, method=request.method)
        known = PortalError("internal_error", 500, "Something went wrong on our side. It has been logged.")
    return answer(request, known)
