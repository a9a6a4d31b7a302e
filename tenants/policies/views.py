"""The page on which admins say what the organization demands of its members."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from accounts import sudo
from accounts.roles import ACTION
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from tenants.access import Access
from tenants.policies import service
from tenants.policies.forms import PolicyForm
from tenants.views import in_organization

TEMPLATE = "tenants/security.html"


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=ACTION["policy.change"].needs)
def organization_security(request: HttpRequest, access: Access) -> HttpResponse:
    """Password length, session length, second factor."""
    sudo.require_recent(access.principal)
    initial = _initial(access)
    if request.method != "POST":
        return _page(request, access, PolicyForm(initial=initial))
    form = PolicyForm(request.POST, initial=initial)
    if not form.is_valid():
        return _page(request, access, form)
    try:
        service.change_policy(access=access, changes=form.changes(), expected_rev=form.cleaned_data["rev"])
    except PortalError as error:
        return show_refusal(request, TEMPLATE, form, error, **_context(access))
    messages.success(request, "The policy is in force.")
    return redirect("organization_security")


def _page(request: HttpRequest, access: Access, form: PolicyForm) -> HttpResponse:
    return show_form(request, TEMPLATE, form, **_context(access))


def _initial(access: Access) -> dict[str, Any]:
    policy = access.organization.policy
    return {
        "min_password_length": policy.min_password_length,
        "session_seconds": policy.session_seconds,
        "second_factor_required": policy.second_factor_from is not None,
        "rev": access.organization.rev,
    }


def _context(access: Access) -> dict[str, Any]:
    return {
        "organization": access.organization,
        "policy": access.organization.policy,
        "has_second_factor": access.principal.has_second_factor,
    }
