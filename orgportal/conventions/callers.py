"""Who may call an operation of the API: an access token, a session cookie, an API key, or for some anybody."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from ninja.security.apikey import APIKeyBase
from ninja.security.http import HttpAuthBase

from accounts.authentication import principal_of
from accounts.principal import Principal
from accounts.scopes import require_person
from orgportal.errors import PortalError


class BearerToken(HttpAuthBase):
    """`Authorization: Bearer <access token>`. A bad one is refused even beside a good cookie, an API key with 403."""

    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"

    def __call__(self, request: HttpRequest) -> Principal | None:
        principal = principal_of(request)
        if principal is None or principal.method == "session":
            return None
        require_person(principal)
        return principal


class ApiKey(HttpAuthBase):
    """`Authorization: Bearer <API key>`, where the operation's guard asks for a scope."""

    openapi_scheme = "bearer"
    openapi_bearerFormat = "orgp_live_…"

    def __call__(self, request: HttpRequest) -> Principal | None:
        principal = principal_of(request)
        return principal if principal and principal.method == "key" else None


class SessionCookie(APIKeyBase):
    """The browser's session. Unsafe methods need Django's CSRF token in `X-CSRFToken`."""

    openapi_in = "cookie"
    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Principal | None:
        principal = principal_of(request)
        if principal is None or principal.method != "session":
            return None
        if _CsrfCheck(_never).process_view(request, _never, (), {}) is not None:
            raise PortalError("csrf_failed", 403, "Send the page's CSRF token as X-CSRFToken, or use a Bearer token.")
        return principal

    def _get_key(self, request: HttpRequest) -> str | None:
        return request.COOKIES.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> Principal | None:
        """Unused: the session is verified together with its account and organization."""
        return self(request)


class Anybody:
    """Lets callers in who did not say who they are."""

    def __call__(self, request: HttpRequest) -> str:
        return "anybody"


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check alone: its middleware leaves the API's views out."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=403)


def _never(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("only the check is called, never the middleware")


# People only. An operation that a key may call takes WITH_KEYS, and gives its guard the scope that it needs.
MEMBERS: list[Any] = [BearerToken(), SessionCookie()]
WITH_KEYS: list[Any] = [ApiKey(), *MEMBERS]
ANYBODY: list[Any] = [*MEMBERS, Anybody()]
# For `openapi_extra`: adds "no credential" to the ways to call.
OPTIONAL: dict[str, Any] = {"security": [{}]}
