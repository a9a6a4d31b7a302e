"""Pages of API keys: the list, a new one (shown once), revoking one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import sudo
from accounts.api_keys import service
from accounts.api_keys.forms import NewKeyForm
from accounts.guard import page_for
from accounts.principal import Principal
from accounts.roles import Role
from orgportal.conventions.identities import object_id
from orgportal.errors import PortalError, not_found
from orgportal.form_pages import show_form, show_refusal

NEW_TEMPLATE = "accounts/keys/new.html"


@require_safe
@page_for("keys.see")
def keys(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The organization's keys."""
    if principal.org_id is None:
        raise not_found()
    found = service.list_keys(org_id=principal.org_id)
    return render(request, "accounts/keys/keys.html", {"keys": found, "principal": principal})


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("keys.make")
def key_new(request: HttpRequest, principal: Principal) -> HttpResponse:
    """A new key. It is on the answer to the form and nowhere else, so there is no redirect behind it."""
    sudo.require_recent(principal)
    highest = principal.role or Role.VIEWER
    if request.method != "POST":
        initial = {"role": highest.at_most(Role.EDITOR).value, "scopes": ["records:read"], "period": "90"}
        return show_form(request, NEW_TEMPLATE, NewKeyForm(highest=highest, initial=initial))
    form = NewKeyForm(request.POST, highest=highest)
    if not form.is_valid():
        return show_form(request, NEW_TEMPLATE, form)
    try:
        new = service.make_key(
            principal=principal,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            role=Role(form.cleaned_data["role"]),
            days=form.days(),
        )
    except PortalError as error:
        return show_refusal(request, NEW_TEMPLATE, form, error)
    return render(request, "accounts/keys/made.html", {"new": new, "principal": principal}, status=201)


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("keys.revoke")
def key_revoke(request: HttpRequest, principal: Principal, key_id: str) -> HttpResponse:
    """Ask, then revoke."""
    if principal.org_id is None:
        raise not_found()
    if request.method != "POST":
        key = service.get_key(org_id=principal.org_id, key_id=object_id(key_id))
        return render(request, "accounts/keys/revoke.html", {"key": key})
    revoked = service.revoke_key(principal=principal, key_id=object_id(key_id))
    messages.success(request, f"The key “{revoked.name}” is revoked. It is refused from now on.")
    return redirect("keys")
