"""Puts the caller within reach of templates."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django_htmx.http import HttpResponseClientRedirect

from accounts.authentication import principal_of, was_asked
from accounts.policies import SECOND_FACTOR_REQUIRED
from accounts.principal import Principal
from accounts.sudo import SUDO_REQUIRED
from orgportal.errors import PortalError


class PrincipalMiddleware:
    """Sets `request.principal` for templates, verified at first use; code calls `principal_of(request)`.

    A bad Bearer is nobody to a template. Answers that depend on the caller say so in `Vary`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        setattr(request, "principal", SimpleLazyObject(lambda: _principal_or_none(request)))  # noqa: B010 - not a field of Django's class
        response = self.get_response(request)
        if was_asked(request):
            patch_vary_headers(response, ("Cookie", "Authorization"))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Where a page sends the browser that has to prove more first; None leaves the error as it is."""
        if not isinstance(exception, PortalError) or request.path.startswith("/api/"):
            return None
        if exception.code == SUDO_REQUIRED:
            return _to(request, f"{reverse('sudo')}?next={quote(_way_back(request), safe='/')}")
        if exception.code == SECOND_FACTOR_REQUIRED:
            return _to(request, reverse("account_security"))
        return None


def _to(request: HttpRequest, address: str) -> HttpResponseBase:
    return HttpResponseClientRedirect(address) if getattr(request, "htmx", False) else redirect(address)


def _way_back(request: HttpRequest) -> str:
    """The page to come back to: this one, or for a form that was sent, the page that it was on."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("Referer", ""))
    if came_from.netloc == request.get_host():
        return f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path
    return request.path


def _principal_or_none(request: HttpRequest) -> Principal | None:
    try:
        return principal_of(request)
    except PortalError:
        return None
