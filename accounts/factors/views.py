"""Pages of the second factor: the second step of a login, setting it up, recovery codes, the password again."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import service as accounts
from accounts import sudo
from accounts.authentication import principal_of, require_principal
from accounts.cookies import device_of, drop_waiting_login, remember_device, waiting_login_of
from accounts.factors import service, totp
from accounts.factors.forms import LoginCodeForm, SetupForm, SudoForm
from accounts.views import start_session
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from orgportal.pages import own_path

CODE_TEMPLATE = "accounts/login_code.html"
SETUP_TEMPLATE = "accounts/second_factor_setup.html"
SUDO_TEMPLATE = "accounts/sudo.html"


@require_http_methods(["GET", "HEAD", "POST"])
@public
def login_code(request: HttpRequest) -> HttpResponse:
    """The second step of a login: a code, by the browser that gave the right password a moment ago."""
    secret = waiting_login_of(request)
    if request.method != "POST":
        if not accounts.is_waiting(secret=secret):
            return _begin_again(request)
        return show_form(request, CODE_TEMPLATE, LoginCodeForm())
    form = LoginCodeForm(request.POST)
    if not form.is_valid():
        return show_form(request, CODE_TEMPLATE, form)
    try:
        logged_in, wishes = accounts.finish_login(
            secret=secret, otp=form.cleaned_data["otp"], device=device_of(request)
        )
    except PortalError as error:
        return _code_refused(request, form, error)
    next_path = own_path(str(wishes.get("next", "")))
    response = redirect((next_path or "dashboard") if logged_in.organization else "choose")
    secret = accounts.open_session(
        logged_in=logged_in, replaces=principal_of(request), remembered=wishes.get("remembered") is True
    )
    start_session(request, response, secret)
    remember_device(request, response, email=logged_in.email)
    drop_waiting_login(response)
    return response


def _begin_again(request: HttpRequest) -> HttpResponse:
    if principal_of(request):
        return redirect("dashboard")
    messages.info(request, "Enter your email and password first. A code is asked for within ten minutes after that.")
    response = redirect("login")
    drop_waiting_login(response)
    return response


def _code_refused(request: HttpRequest, form: LoginCodeForm, error: PortalError) -> HttpResponse:
    if error.code == "login_expired":
        return _begin_again(request)
    if error.code == "invalid_otp":
        error = PortalError(error.code, 422, error.message)
    return show_refusal(request, CODE_TEMPLATE, form, error, beside={"invalid_otp": "otp"})


@require_safe
def account_security(request: HttpRequest) -> HttpResponse:
    """Whether there is a second factor, and what can be done about it."""
    principal = require_principal(request)
    context = {
        "status": service.status(principal=principal),
        "policy": principal.organization.policy if principal.organization else None,
        "organization": principal.organization,
    }
    return render(request, "accounts/security.html", context)


@require_POST
def second_factor_begin(request: HttpRequest) -> HttpResponse:
    """A new secret for an authenticator app; the next page shows it."""
    try:
        service.begin(principal=require_principal(request))
    except PortalError as error:
        return _said(request, error)
    return redirect("second_factor_setup")


@require_http_methods(["GET", "HEAD", "POST"])
def second_factor_setup(request: HttpRequest) -> HttpResponse:
    """The QR code and the key; with the first right code the recovery codes, shown this once."""
    principal = require_principal(request)
    setup = service.setup_under_way(principal=principal)
    if setup is None:
        return redirect("account_security")
    # Only geometry of our own making is in it.
    context: dict[str, Any] = {"key": totp.in_groups(setup.secret), "qr_code": mark_safe(totp.qr_code(setup.address))}  # noqa: S308
    form = SetupForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return show_form(request, SETUP_TEMPLATE, form, **context)
    try:
        codes = service.confirm(principal=principal, otp=form.cleaned_data["otp"])
    except PortalError as error:
        return show_refusal(request, SETUP_TEMPLATE, form, error, **context)
    return _show_codes(request, codes, is_new=True)


@require_POST
def second_factor_off(request: HttpRequest) -> HttpResponse:
    """No second factor any more."""
    try:
        service.switch_off(principal=require_principal(request))
    except PortalError as error:
        return _said(request, error)
    messages.success(request, "The second factor is off. Your other sessions and tokens have ended.")
    return redirect("account_security")


@require_POST
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown this once."""
    try:
        codes = service.renew_recovery_codes(principal=require_principal(request))
    except PortalError as error:
        return _said(request, error)
    return _show_codes(request, codes, is_new=False)


def _show_codes(request: HttpRequest, codes: list[str], *, is_new: bool) -> HttpResponse:
    return render(request, "accounts/recovery_codes.html", {"codes": codes, "is_new": is_new})


def _said(request: HttpRequest, error: PortalError) -> HttpResponse:
    """What a button could not do, on the page that it is on."""
    if error.status != 409:
        raise error
    messages.error(request, error.message)
    return redirect("account_security")


@require_http_methods(["GET", "HEAD", "POST"])
def sudo_page(request: HttpRequest) -> HttpResponse:
    """The password again, then back to the change that wanted it."""
    principal = require_principal(request)
    with_code = principal.has_second_factor
    if request.method != "POST":
        initial = {"next": own_path(request.GET.get("next", "")) or ""}
        return show_form(request, SUDO_TEMPLATE, SudoForm(initial=initial, with_code=with_code))
    form = SudoForm(request.POST, with_code=with_code)
    if not form.is_valid():
        return show_form(request, SUDO_TEMPLATE, form)
    try:
        sudo.confirm(
            principal=principal, password=form.cleaned_data["password"], otp=form.cleaned_data.get("otp") or None
        )
    except PortalError as error:
        return show_refusal(request, SUDO_TEMPLATE, form, error)
    return redirect(own_path(form.cleaned_data["next"]) or "account_security")
