"""Pages about organizations: sign up, choose, dashboard, settings, delete. Each is guard, form, service, redirect."""

from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts import service as accounts
from accounts.authentication import clear_session_cookie, principal_of, require_principal
from accounts.roles import Role
from accounts.views import start_session
from orgportal.errors import PortalError, not_found
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from tenants import service
from tenants.access import Access, organization_access
from tenants.documents import RENAMING
from tenants.forms import ChooseForm, DeleteForm, OrganizationForm, OrganizationSettingsForm, SignupForm, new_form_key
from tenants.metadata_text import metadata_from_rows, value_to_text
from tenants.name_preview import NamePreview, preview_name

CHOICES_PER_PAGE = 24
SPARE_ROWS = 3
NAME_ERRORS = {"organization_exists": "slug", "email_taken": "email"}


@require_http_methods(["GET", "HEAD", "POST"])
@public
def signup(request: HttpRequest) -> HttpResponse:
    """A new organization with its owner, who is logged in right away."""
    if principal_of(request):
        return redirect("organization_new" if request.method != "POST" else "dashboard")
    if request.method != "POST":
        return show_form(request, "tenants/signup.html", SignupForm(initial={"form_key": new_form_key()}))
    form = SignupForm(request.POST)
    if "check" in request.POST:
        return _checked(request, "tenants/signup.html", form)
    if not form.is_valid():
        return show_form(request, "tenants/signup.html", form, preview=_preview_of(form))
    fields = form.cleaned_data
    try:
        signed_up = service.sign_up(
            organization_name=fields["organization_name"],
            slug=fields["slug"] or None,
            email=fields["email"],
            password=fields["password"],
            name=fields["name"],
            origin=form.origin(scope=fields["email"]),
        )
        logged_in = accounts.log_in(
            email=fields["email"], password=fields["password"], org_slug=signed_up.organization.slug
        )
    except PortalError as error:
        preview = _preview_of(form)
        return show_refusal(request, "tenants/signup.html", form, error, beside=NAME_ERRORS, preview=preview)
    messages.success(request, f"{signed_up.organization.name} is ready.")
    response = redirect("dashboard")
    start_session(request, response, accounts.open_session(logged_in=logged_in))
    return response


@require_safe
@public
def name_preview(request: HttpRequest) -> HttpResponse:
    """What the name leads to, as a fragment for the form."""
    name, slug = request.GET.get("organization_name", "")[:1000], request.GET.get("slug", "")[:100]
    preview = preview_name(organization_name=name, slug=slug.strip()) if name.strip() else None
    return render(request, "tenants/includes/name_preview.html", {"preview": preview})


def _preview_of(form: OrganizationForm) -> NamePreview | None:
    name, slug = str(form["organization_name"].value() or ""), str(form["slug"].value() or "")
    return preview_name(organization_name=name[:1000], slug=slug.strip()[:100]) if name.strip() else None


def _checked(request: HttpRequest, template: str, form: OrganizationForm) -> HttpResponse:
    """The form as it was filled in, with the preview: nothing else is judged yet."""
    preview = _preview_of(form)
    kept = type(form)(initial={name: form[name].value() for name in form.fields if name != "password"})
    return show_form(request, template, kept, preview=preview, checked=True)


@require_http_methods(["GET", "HEAD", "POST"])
def organization_new(request: HttpRequest) -> HttpResponse:
    """A further organization for the account that is logged in; the session moves to it."""
    principal = require_principal(request)
    if request.method != "POST":
        return show_form(request, "tenants/new.html", OrganizationForm(initial={"form_key": new_form_key()}))
    form = OrganizationForm(request.POST)
    if "check" in request.POST:
        return _checked(request, "tenants/new.html", form)
    if not form.is_valid():
        return show_form(request, "tenants/new.html", form, preview=_preview_of(form))
    try:
        added = service.add_organization(
            principal=principal,
            organization_name=form.cleaned_data["organization_name"],
            slug=form.cleaned_data["slug"] or None,
            metadata=None,
            origin=form.origin(scope=str(principal.account_id)),
        )
        secret = accounts.choose_organization(principal=principal, slug=added.organization.slug)
    except PortalError as error:
        preview = _preview_of(form)
        return show_refusal(request, "tenants/new.html", form, error, beside=NAME_ERRORS, preview=preview)
    messages.success(request, f"{added.organization.name} is ready.")
    response = redirect("dashboard")
    start_session(request, response, secret)
    return response


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
    rows = service.list_organizations(
        principal=principal, limit=CHOICES_PER_PAGE, after=_object_id(request.GET.get("after", ""))
    )
    shown = rows[:CHOICES_PER_PAGE]
    after = str(shown[-1][0].id) if len(rows) > CHOICES_PER_PAGE else ""
    return render(request, "tenants/choose.html", {"organizations": shown, "after": after, "principal": principal})


def _object_id(text: str) -> ObjectId | None:
    try:
        return ObjectId(text) if text else None
    except InvalidId:
        raise not_found() from None


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The organization at a glance, and access for scripts."""
    principal = require_principal(request)
    if principal.organization is None:
        return redirect("choose")
    access = organization_access(principal=principal)
    if access.organization.status == RENAMING:
        return redirect("progress")
    context = {
        "description": service.describe(access=access),
        "organization": access.organization,
        "role": access.role,
        "members": accounts.count_members(org_id=access.organization.id),
        "access_token": accounts.access_token(principal=principal),
    }
    return render(request, "tenants/dashboard.html", context)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How far a rename is that goes on in the background; to the dashboard when it is done."""
    access = organization_access(principal=require_principal(request))
    asks_again = bool(getattr(request, "htmx", False))
    if access.organization.status != RENAMING:
        return HttpResponseClientRedirect(reverse("dashboard")) if asks_again else redirect("dashboard")
    template = "tenants/includes/progress.html" if asks_again else "tenants/progress.html"
    return render(request, template, {"organization": access.organization})


@require_http_methods(["GET", "HEAD", "POST"])
def organization_settings(request: HttpRequest) -> HttpResponse:
    """The organization's name, short name and metadata."""
    access = organization_access(principal=require_principal(request), needs=Role.ADMIN)
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
    if updated.status == RENAMING:
        return redirect("progress")
    messages.success(request, _saved_message(organization.slug, updated.slug))
    return redirect("organization_settings")


def _saved_message(before: str, after: str) -> str:
    if before == after:
        return "Your changes are saved."
    return f"The collection is now org_{after}. Access tokens for “{before}” no longer count: get new ones."


def _settings_page(request: HttpRequest, access: Access, form: OrganizationSettingsForm) -> HttpResponse:
    return show_form(request, "tenants/settings.html", form, **_settings_context(request, access))


def _settings_refused(
    request: HttpRequest, access: Access, form: OrganizationSettingsForm, error: PortalError
) -> HttpResponse:
    metadata_errors = {
        part.path.partition(".")[2]: part.message for part in error.errors if part.path.startswith("metadata")
    }
    context = _settings_context(request, access, metadata_errors)
    return show_refusal(request, "tenants/settings.html", form, error, beside=NAME_ERRORS, **context)


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
def delete_organization(request: HttpRequest) -> HttpResponse:
    """Everything of the organization goes, once its short name was typed."""
    access = organization_access(principal=require_principal(request), needs=Role.OWNER)
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
    return {"organization": access.organization, "preview": service.deletion_preview(access=access)}


def _deleted(request: HttpRequest, name: str, *, finished: bool) -> HttpResponse:
    if finished:
        messages.success(request, f"{name} and everything in it is deleted.")
    else:
        messages.success(request, f"{name} is closed and is being deleted. Its name is free again when that is done.")
    response = redirect("landing")
    clear_session_cookie(response)
    return response
