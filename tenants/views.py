"""Pages of an organization: choose one, dashboard, settings, delete. Each is guard, form, service, redirect."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts import service as accounts
from accounts.authentication import clear_session_cookie, require_principal
from accounts.roles import Role
from accounts.views import start_session
from orgportal.conventions.cursors import cursor_after, read_cursor
from orgportal.errors import PortalError, not_found
from orgportal.form_pages import show_form, show_refusal
from tenants import service
from tenants.access import Access, organization_access
from tenants.figures.pictures import distribution_context, growth_context
from tenants.forms import ChooseForm, DeleteForm, OrganizationSettingsForm
from tenants.metadata_text import metadata_from_rows, value_to_text

LISTING = "choose"
CHOICES_PER_PAGE = 24
SPARE_ROWS = 3
NAME_ERRORS = {"organization_exists": "slug"}

Page = Callable[..., HttpResponseBase]


def in_organization(*, needs: Role = Role.VIEWER) -> Callable[[Page], Page]:
    """Give the page its `Access`, in front of what its address names.

    Who has still to choose an organization does that first.
    """

    def decorate(page: Page) -> Page:
        @wraps(page)
        def guarded(request: HttpRequest, **named: str) -> HttpResponseBase:
            principal = require_principal(request)
            if principal.organization is None:
                return redirect("choose")
            return page(request, organization_access(principal=principal, needs=needs), **named)

        return guarded

    return decorate


@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Which organization the session is for, now or from now on."""
    principal = require_principal(request)
    if request.method == "POST":
        form = ChooseForm(request.POST)
        if not form.is_valid():
            raise not_found()
        secret = accounts.choose_organization(principal=principal, slug=form.cleaned_data["slug"])
        response = redirect("dashboard")
        start_session(request, response, secret)
        return response
    after = read_cursor(request.GET.get("cursor"), listing=LISTING)
    rows = service.list_organizations(principal=principal, limit=CHOICES_PER_PAGE, after=after)
    shown = rows[:CHOICES_PER_PAGE]
    cursor = cursor_after(shown[-1][0].id, listing=LISTING) if len(rows) > CHOICES_PER_PAGE else ""
    return render(request, "tenants/choose.html", {"organizations": shown, "cursor": cursor, "principal": principal})


@require_safe
@in_organization()
def dashboard(request: HttpRequest, access: Access) -> HttpResponse:
    """The organization at a glance, and access for scripts."""
    if access.organization.pending_slug:
        return redirect("progress")
    organization, description = access.organization, service.describe(access=access)
    context = {
        "description": description,
        "organization": organization,
        "role": access.role,
        "metadata": [(key, value_to_text(value)) for key, value in organization.metadata.items()],
        "members": accounts.count_members(org_id=organization.id),
        "access_token": accounts.access_token(principal=access.principal),
        "token_minutes": round(settings.ACCESS_TOKEN_SECONDS / 60),
        "columns": None,
        **growth_context(access, description.records, description.storage_bytes),
    }
    if "field" in request.GET:
        context |= distribution_context(access, request.GET["field"])
    return render(request, "tenants/dashboard.html", context)


@require_safe
@in_organization()
def progress(request: HttpRequest, access: Access) -> HttpResponse:
    """How far a rename is that goes on in the background; to the dashboard when it is done."""
    asks_again = bool(getattr(request, "htmx", False))
    if not access.organization.pending_slug:
        return HttpResponseClientRedirect(reverse("dashboard")) if asks_again else redirect("dashboard")
    template = "tenants/includes/progress.html" if asks_again else "tenants/progress.html"
    return render(request, template, {"organization": access.organization})


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=Role.ADMIN)
def organization_settings(request: HttpRequest, access: Access) -> HttpResponse:
    """The organization's name, short name and metadata."""
    organization = access.organization
    if request.method != "POST":
        initial = {"organization_name": organization.name, "slug": organization.slug, "rev": organization.rev}
        return _settings_page(request, access, OrganizationSettingsForm(initial=initial))
    form = OrganizationSettingsForm(request.POST)
    if not form.is_valid():
        return _settings_page(request, access, form)
    try:
        keys, values = request.POST.getlist("metadata_key"), request.POST.getlist("metadata_value")
        updated = service.update(
            access=access,
            organization_name=form.cleaned_data["organization_name"],
            slug=form.cleaned_data["slug"],
            metadata=metadata_from_rows(keys, values),
            expected_rev=form.cleaned_data["rev"],
        )
    except PortalError as error:
        return _settings_refused(request, access, form, error)
    if updated.pending_slug:
        return redirect("progress")
    messages.success(request, _saved_message(organization.slug, updated.slug, updated.placement.collection))
    return redirect("organization_settings")


def _saved_message(before: str, after: str, collection: str) -> str:
    if before == after:
        return "Your changes are saved."
    return f"The collection is now {collection}. Access tokens for “{before}” no longer count: get new ones."


def _settings_page(request: HttpRequest, access: Access, form: OrganizationSettingsForm) -> HttpResponse:
    return show_form(request, "tenants/settings.html", form, **_settings_context(request, access))


def _settings_refused(
    request: HttpRequest, access: Access, form: OrganizationSettingsForm, error: PortalError
) -> HttpResponse:
    metadata_errors = {
        part.path.partition(".")[2]: part.message for part in error.errors if part.path.startswith("metadata")
    }
    if error.code == "stale":
        error = _overtaken(access, form)
    context = _settings_context(request, access, metadata_errors)
    return show_refusal(request, "tenants/settings.html", form, error, beside=NAME_ERRORS, **context)


def _overtaken(access: Access, form: OrganizationSettingsForm) -> PortalError:
    """What somebody else has made of it meanwhile; sent again, the form replaces that knowingly."""
    current = access.organization
    form.data = {name: form[name].value() for name in form.fields} | {"rev": current.rev}
    return PortalError(
        "stale",
        412,
        f"Somebody changed the organization meanwhile. It is now called “{current.name}”, with the short name "
        f"“{current.slug}”, and nothing of yours is saved. Save again to replace that by what is below.",
    )


def _settings_context(
    request: HttpRequest, access: Access, metadata_errors: dict[str, str] | None = None
) -> dict[str, Any]:
    """Rows as sent, else as stored; always with a few empty ones, so that adding needs no JavaScript."""
    if request.method == "POST":
        sent = zip(request.POST.getlist("metadata_key"), request.POST.getlist("metadata_value"), strict=False)
        rows = [(key, value) for key, value in sent if key.strip() or value.strip()]
    else:
        rows = [(key, value_to_text(value)) for key, value in access.organization.metadata.items()]
    errors = metadata_errors or {}
    shown = [{"key": key, "value": value, "error": errors.get(key.strip(), "")} for key, value in rows]
    shown += [{"key": "", "value": "", "error": ""} for _ in range(SPARE_ROWS)]
    return {"organization": access.organization, "role": access.role, "rows": shown}


@require_http_methods(["GET", "HEAD", "POST"])
@in_organization(needs=Role.OWNER)
def delete_organization(request: HttpRequest, access: Access) -> HttpResponse:
    """Everything of the organization goes, once its short name was typed."""
    organization = access.organization
    form = DeleteForm(request.POST if request.method == "POST" else None, slug=organization.slug)
    if request.method == "POST" and form.is_valid():
        try:
            finished = service.delete(access=access, expected_rev=None)
        except PortalError as error:
            return show_refusal(request, "tenants/delete.html", form, error, **_delete_context(access))
        return _deleted(request, organization.name, finished=finished)
    return show_form(request, "tenants/delete.html", form, **_delete_context(access))


def _delete_context(access: Access) -> dict[str, Any]:
    return {
        "organization": access.organization,
        "preview": service.deletion_preview(access=access),
        "only_here": len(access.principal.memberships) == 1,
    }


def _deleted(request: HttpRequest, name: str, *, finished: bool) -> HttpResponse:
    if finished:
        messages.success(request, f"{name} and everything in it is deleted.")
    else:
        messages.success(request, f"{name} is closed and is being deleted. Its name is free again when that is done.")
    response = redirect("landing")
    clear_session_cookie(response)
    return response
