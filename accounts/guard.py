"""The guard of pages and endpoints about an organization's people: who calls, for which organization, may do what."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.authentication import require_principal
from accounts.policies import second_factor_required
from accounts.principal import Principal
from accounts.roles import ACTION
from accounts.scopes import require_scope
from orgportal.errors import forbidden, not_found

Page = Callable[..., HttpResponse]


def allowed(request: HttpRequest, *, action: str, slug: str | None = None) -> Principal:
    """The caller, who may do this in the organization that the credential is for.

    `slug` is what an address names, None where a page takes it from the session. Raises PortalError 401, 404 for
    another organization or none, 403 for a role or scope that is not enough, 403 `second_factor_required`.
    """
    principal = require_principal(request)
    if principal.organization is None or principal.role is None:
        raise not_found()
    if slug is not None and slug != principal.organization.slug:
        raise not_found()
    require_scope(principal, ACTION[action].scope)
    if principal.organization.policy.demands_second_factor and not principal.has_second_factor:
        raise second_factor_required()
    if not principal.role.covers(ACTION[action].needs):
        raise forbidden()
    return principal


def page_for(action: str) -> Callable[[Page], Page]:
    """Give a page its principal as second argument; who has still to choose an organization does that first."""

    def decorate(page: Page) -> Page:
        @wraps(page)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if require_principal(request).organization is None:
                return redirect("choose")
            return page(request, allowed(request, action=action), *args, **kwargs)

        return guarded

    return decorate
