"""Pages about who is calling: log in, log out, the account."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts import service
from accounts.authentication import (
    clear_session_cookie,
    principal_of,
    require_principal,
    set_session_cookie,
)
from accounts.cookies import device_of, drop_waiting_login, keep_waiting_login, remember_device
from accounts.directory import directory
from accounts.forms import LoginForm, PasswordChangeForm
from accounts.passkeys.relying_party import is_available
from accounts.principal import Principal
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from orgportal.pages import own_path

LOGIN_TEMPLATE = "accounts/login.html"


@require_http_methods(["GET", "HEAD", "POST"])
@public
def login(request: HttpRequest) -> HttpResponse:
    """Open a session. With several organizations the next page asks which."""
    if request.method != "POST":
        return _login_page(request)
    form = LoginForm(request.POST)
    if not form.is_valid():
        return show_form(request, LOGIN_TEMPLATE, form, offers_passkeys=is_available())
    next_path = own_path(form.cleaned_data["next"])
    try:
        begun = service.begin_login(
            email=form.cleaned_data["email"],
            password=form.cleaned_data["password"],
            device=device_of(request),
            wishes={"next": next_path or "", "remembered": form.cleaned_data["remembered"]},
        )
    except PortalError as error:
        return login_refused(request, form, error)
    if isinstance(begun, service.Waiting):
        response = redirect("login_code")
        keep_waiting_login(response, begun.secret)
        return response
    return let_in(request, begun, next_path=next_path, remembered=form.cleaned_data["remembered"])


def let_in(
    request: HttpRequest, logged_in: service.LoggedIn, *, next_path: str | None, remembered: bool
) -> HttpResponse:
    """The answer to a login that is done: a session for this browser, and the page to go on with."""
    response = redirect((next_path or "dashboard") if logged_in.organization else "choose")
    secret = service.open_session(logged_in=logged_in, replaces=principal_of(request), remembered=remembered)
    start_session(request, response, secret)
    remember_device(request, response, email=logged_in.email)
    drop_waiting_login(request, response)
    return response


def _login_page(request: HttpRequest) -> HttpResponse:
    next_path = own_path(request.GET.get("next", ""))
    if principal_of(request):
        return redirect(next_path or "dashboard")
    form = LoginForm(initial={"next": next_path or ""})
    return show_form(request, LOGIN_TEMPLATE, form, offers_passkeys=is_available())


def login_refused(request: HttpRequest, form: LoginForm, error: PortalError) -> HttpResponse:
    """Every wrong pair, and an address that cannot be one, read the same: no answer tells which half was wrong."""
    if error.code in {"invalid_credentials", "invalid_input"}:
        error = PortalError("invalid_credentials", 422, "The email or the password is not right.")
    return show_refusal(request, LOGIN_TEMPLATE, form, error, offers_passkeys=is_available())


def start_session(request: HttpRequest, response: HttpResponse, secret: str) -> None:
    """Hand the browser its new session, and a new CSRF token with it."""
    rotate_token(request)
    set_session_cookie(response, secret)


@require_POST
@public
def logout(request: HttpRequest) -> HttpResponse:
    """End the session here and in the database. Without one, the answer is the same."""
    principal = principal_of(request)
    if principal:
        service.end_session(principal=principal)
    messages.success(request, "You are logged out.")
    response = redirect("landing")
    clear_session_cookie(response)
    rotate_token(request)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Who one is, where one belongs, and a new password."""
    principal = require_principal(request)
    context: dict[str, Any] = {"principal": principal, "memberships": _memberships(principal)}
    minimum = service.password_rules(principal=principal).minimum
    if request.method != "POST":
        return show_form(request, "accounts/account.html", PasswordChangeForm(minimum=minimum), **context)
    form = PasswordChangeForm(request.POST, minimum=minimum)
    if not form.is_valid():
        return show_form(request, "accounts/account.html", form, **context)
    try:
        secret = service.change_password(
            principal=principal,
            current=form.cleaned_data["current"],
            new=form.cleaned_data["password"],
            words=_own_words(principal),
        )
    except PortalError as error:
        return show_refusal(request, "accounts/account.html", form, error, **context)
    messages.success(request, "Your password is changed. All other sessions and tokens of yours have ended.")
    response = redirect("account")
    start_session(request, response, secret)
    return response


def _memberships(principal: Principal) -> list[dict[str, object]]:
    roles = {membership.org_id: membership.role for membership in principal.memberships}
    open_ones = directory().open_ones(roles)
    return [{"organization": organization, "role": roles[organization.id]} for organization in open_ones]


def _own_words(principal: Principal) -> list[str]:
    organization = principal.organization
    return [organization.name, organization.slug] if organization else []
