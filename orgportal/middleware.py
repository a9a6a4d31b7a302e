"""What happens to every request, from the outside in: id and log line, headers, errors, deadline, privacy."""

import contextvars
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin
from django_htmx.http import HttpResponseClientRedirect
from pymongo.errors import PyMongoError

from accounts.authentication import known_principal, principal_of
from orgportal import answers, circumstances, database, embedded, request_checks, secret_keys
from orgportal.errors import PortalError, unauthenticated

GetResponse = Callable[[HttpRequest], HttpResponse]
View = TypeVar("View", bound=Callable[..., HttpResponse])
Outcome = TypeVar("Outcome")

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ROUTINE = ("/static/", "/healthz", "/readyz")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # Nothing is kept by a browser or a proxy unless the answer says otherwise (static files do).
    "Cache-Control": "no-store",
}


def public(view: View) -> View:
    """Mark a page as open to visitors who are not logged in. Every other page is private."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def client_address(request: HttpRequest) -> str:
    """The caller's address: the peer's, or with TRUSTED_PROXIES what the outermost of them saw.

    Entries further left in `X-Forwarded-For` come from the caller and count for nothing.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    trusted = settings.TRUSTED_PROXIES
    if not trusted:
        return peer
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    return hops[-trusted] if len(hops) >= trusted else peer


class RequestIdMiddleware:
    """Give each request an id (the caller's when it is well formed) and write its one log line."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        secret_keys.refresh()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        started = time.perf_counter()
        came_from = circumstances.during(
            request_id=request_id,
            address=client_address(request),
            agent=request.META.get("HTTP_USER_AGENT", ""),
        )
        with structlog.contextvars.bound_contextvars(request_id=request_id), came_from:
            response = self.get_response(request)
            _log_request(request, response, started)
        response["X-Request-ID"] = request_id
        return response


def _log_request(request: HttpRequest, response: HttpResponse, started: float) -> None:
    fields: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "ms": round((time.perf_counter() - started) * 1000, 1),
        "client": client_address(request),
    }
    code = getattr(response, "portal_code", None)
    if code:
        fields["code"] = code
    principal = known_principal(request)
    if principal is not None:
        fields["account"] = str(principal.account_id)
        fields["organization"] = str(principal.org_id or "")
        if principal.key_id is not None:
            fields["key"] = str(principal.key_id)
    routine = request.path.startswith(_ROUTINE) and response.status_code < 400
    (log.debug if routine else log.info)("request", **fields)


class HeadersMiddleware:
    """Put the security headers on every answer, whoever made it. The CSP comes from django-csp, just inside."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class ErrorMiddleware:
    """Refuse broken requests, and turn every known error of a view into its answer.

    What escapes from another middleware, and what is not known, reaches `answers.handler500` through Django.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request_checks.check(request)
        except PortalError as refused:
            return answers.answer(request, refused)
        head = request.method == "HEAD" and request.path.startswith("/api/")
        if head:
            request.method = "GET"
        response = self.get_response(request)
        if response.status_code == 405 and not hasattr(response, "portal_code"):
            response = _method_not_allowed(request, response.headers.get("Allow", ""))
        if head:
            request.method = "HEAD"
            response = _without_body(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer to a known error; None leaves an unknown one to Django."""
        known = answers.as_portal_error(exception)
        return answers.answer(request, known) if known else None


def _without_body(response: HttpResponse) -> HttpResponse:
    if response.streaming:
        # How long it would be is not known before it was sent.
        response.close()
        bare = HttpResponse(status=response.status_code, headers=response.headers)
        bare.headers.pop("Content-Length", None)
        return bare
    response.headers["Content-Length"] = str(len(response.content))
    response.content = b""
    return response


def _method_not_allowed(request: HttpRequest, allow: str) -> HttpResponse:
    methods = {method.strip() for method in allow.split(",") if method.strip()}
    if "GET" in methods:
        methods.add("HEAD")
    allowed = HttpResponseNotAllowed(sorted(methods)).headers["Allow"]
    error = PortalError("method_not_allowed", 405, f"This address answers {allowed or 'no method'} only.")
    response = answers.answer(request, error)
    response.headers["Allow"] = allowed
    return response


class DeadlineMiddleware:
    """Bound a request's work in the database as a whole: a dead one costs one deadline, not one per query."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.context_without_deadline = contextvars.copy_context()  # type: ignore[attr-defined]
        with database.deadline(settings.DATABASE_DEADLINE):
            return self.get_response(request)


def without_deadline(request: HttpRequest, work: Callable[[], Outcome]) -> Outcome:
    """Do work that takes as long as its data is: every database operation has its deadline, but not all together."""
    context: contextvars.Context = request.context_without_deadline  # type: ignore[attr-defined]
    return context.copy().run(work)


class PrivateByDefaultMiddleware(MiddlewareMixin):
    """Send visitors to the login page unless the page is `public`. The API says for itself who may call what.

    Private pages are for sessions: one of them shows a new access token, and whoever holds a token must not be
    able to make it last.
    """

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """None lets the request through."""
        if getattr(view, "is_public", False) or request.path.startswith("/api/"):
            return None
        try:
            principal = principal_of(request)
            if principal is not None and principal.method != "session":
                raise unauthenticated()
        except (PortalError, PyMongoError, embedded.NotRunning) as error:
            known = answers.as_portal_error(error)
            if known is None:
                raise
            return answers.answer(request, known)
        return None if principal else _to_login(request)


def _to_login(request: HttpRequest) -> HttpResponse:
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect("/login")
    if request.method not in {"GET", "HEAD"}:
        return redirect("/login")
    return redirect(f"/login?next={quote(request.get_full_path(), safe='/')}")
