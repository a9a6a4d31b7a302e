"""Puts the caller within reach of templates."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from accounts.authentication import principal_of, was_asked
from accounts.principal import Principal
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


def _principal_or_none(request: HttpRequest) -> Principal | None:
    try:
        return principal_of(request)
    except PortalError:
        return None
