"""Pages that make an organization: sign up, and add another one; with the preview of its short name."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import service as accounts
from accounts.authentication import principal_of, require_principal
from accounts.cookies import remember_device
from accounts.views import start_session
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from tenants import service
from tenants.forms import OrganizationForm, SignupForm, new_form_key
from tenants.names import NAME_LENGTH
from tenants.service import NameProposal

SIGNUP_TEMPLATE = "tenants/signup.html"
NEW_TEMPLATE = "tenants/new.html"
NAME_ERRORS = {"organization_exists": "slug", "email_taken": "email"}


@require_http_methods(["GET", "HEAD", "POST"])
@public
def signup(request: HttpRequest) -> HttpResponse:
    """A new organization with its owner, who is logged in right away."""
    if principal_of(request):
        return redirect("dashboard" if request.method == "POST" else "organization_new")
    if request.method != "POST":
        return show_form(request, SIGNUP_TEMPLATE, SignupForm(initial={"form_key": new_form_key()}))
    form = SignupForm(request.POST)
    if "check" in request.POST:
        return _name_checked(request, SIGNUP_TEMPLATE, form)
    if not form.is_valid():
        return show_form(request, SIGNUP_TEMPLATE, form, preview=_proposal_for(form))
    try:
        response = _sign_up(request, form)
    except PortalError as error:
        return show_refusal(request, SIGNUP_TEMPLATE, form, error, beside=NAME_ERRORS, preview=_proposal_for(form))
    return response


def _sign_up(request: HttpRequest, form: SignupForm) -> HttpResponse:
    fields = form.cleaned_data
    organization = service.sign_up(
        organization_name=fields["organization_name"],
        slug=fields["slug"] or None,
        email=fields["email"],
        password=fields["password"],
        name=fields["name"],
        origin=form.origin(scope=fields["email"]),
    ).organization
    # With the password again, so that a form that is sent twice opens nothing to whoever lacks it.
    logged_in = accounts.log_in(email=fields["email"], password=fields["password"], org_slug=organization.slug)
    messages.success(request, f"{organization.name} is ready.")
    response = redirect("dashboard")
    start_session(request, response, accounts.open_session(logged_in=logged_in))
    remember_device(request, response, email=logged_in.email)
    return response


@require_safe
@public
def name_preview(request: HttpRequest) -> HttpResponse:
    """What the name leads to, as a fragment for the form."""
    form = OrganizationForm(request.GET)
    return render(request, "tenants/includes/name_preview.html", {"preview": _proposal_for(form)})


def _proposal_for(form: OrganizationForm) -> NameProposal | None:
    """What the name as typed would give; nothing is said about a field that is still empty."""
    name, slug = str(form["organization_name"].value() or ""), str(form["slug"].value() or "").strip()
    if not name.strip():
        return None
    return service.propose_name(organization_name=name[: 5 * NAME_LENGTH], slug=slug[:NAME_LENGTH] or None)


def _name_checked(request: HttpRequest, template: str, form: OrganizationForm) -> HttpResponse:
    """The form as it was filled in, with the proposal: nothing else is judged yet."""
    kept = type(form)(initial={name: form[name].value() for name in form.fields})
    return show_form(request, template, kept, preview=_proposal_for(form))


@require_http_methods(["GET", "HEAD", "POST"])
def organization_new(request: HttpRequest) -> HttpResponse:
    """A further organization for the account that is logged in; the session moves to it."""
    require_principal(request)
    if request.method != "POST":
        return show_form(request, NEW_TEMPLATE, OrganizationForm(initial={"form_key": new_form_key()}))
    form = OrganizationForm(request.POST)
    if "check" in request.POST:
        return _name_checked(request, NEW_TEMPLATE, form)
    if not form.is_valid():
        return show_form(request, NEW_TEMPLATE, form, preview=_proposal_for(form))
    try:
        response = _add(request, form)
    except PortalError as error:
        return show_refusal(request, NEW_TEMPLATE, form, error, beside=NAME_ERRORS, preview=_proposal_for(form))
    return response


def _add(request: HttpRequest, form: OrganizationForm) -> HttpResponse:
    principal = require_principal(request)
    organization = service.add_organization(
        principal=principal,
        organization_name=form.cleaned_data["organization_name"],
        slug=form.cleaned_data["slug"] or None,
        origin=form.origin(scope=str(principal.account_id)),
    ).organization
    messages.success(request, f"{organization.name} is ready.")
    response = redirect("dashboard")
    start_session(request, response, accounts.choose_organization(principal=principal, slug=organization.slug))
    return response
