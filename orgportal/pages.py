"""What every page shares: its context, the landing page, the choice of theme, and the answer to a stale form."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of
from accounts.principal import Principal
from orgportal.errors import PortalError
from orgportal.middleware import public
from orgportal.navigation import navigation_for

THEMES = ("light", "dark")
THEME_COOKIE = f"{settings.COOKIE_PREFIX}orgportal_theme"
ONE_YEAR = 365 * 86400


def portal_context(request: HttpRequest) -> dict[str, Any]:
    """For templates: `viewer` (the principal or None, read at first use), `navigation`, `theme`, `site_url`.

    A page that never mentions `viewer` never asks the database who is looking, so error pages work without one.
    """
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "viewer": SimpleLazyObject(lambda: _viewer(request)),
        "navigation": lambda: navigation_for(_viewer(request), request.path),
        "theme": theme if theme in THEMES else "",
        "site_url": settings.SITE_URL,
    }


def _viewer(request: HttpRequest) -> Principal | None:
    try:
        return principal_of(request)
    except PortalError:  # a bad Bearer header: the page itself is refused elsewhere
        return None


def own_path(candidate: str) -> str | None:
    """The candidate when it is a path on this portal that a browser cannot read as another site, else None."""
    if len(candidate) > 2000 or not candidate.startswith("/"):
        return None
    return candidate if url_has_allowed_host_and_scheme(candidate, allowed_hosts=None) else None


@require_safe
@public
def landing(request: HttpRequest) -> HttpResponse:
    """What the portal is, for those who are not logged in; the others go to their dashboard."""
    if _viewer(request):
        return redirect("dashboard")
    return render(request, "landing.html")


@require_POST
@public
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the visitor's choice of light or dark in a cookie; anything else means: follow the system."""
    response = redirect(own_path(request.POST.get("next", "")) or "landing")
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=ONE_YEAR, secure=settings.SECURE, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form without its valid CSRF token, in words that help: nearly always the form is just old."""
    context = {
        "status": 403,
        "title": "This form is out of date",
        "message": "Nothing was changed. Cookies must be allowed, and the form must come from a page opened since you "
        "last logged in or out. Go back, reload the page and send it again.",
        "request_id": getattr(request, "request_id", ""),
    }
    return render(request, "errors/error.html", context, status=403)
