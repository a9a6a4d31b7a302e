"""Pages of the second factor: the second step of a login, setting it up, recovery codes, the password again."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import service as accounts
from accounts import sudo
from accounts.authentication import principal_of, require_principal
from accounts.cookies import device_of, drop_waiting_login, waiting_login_of
from accounts.factors import service, totp
from accounts.factors.forms import LoginCodeForm, SetupForm, SudoForm
from accounts.passkeys import service as passkeys
from accounts.passkeys.relying_party import is_available
from accounts.views import let_in
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
    ways = accounts.ways_on(secret=secret)
    if ways is None:
        return begin_again(request)
    if request.method != "POST":
        return show_form(request, CODE_TEMPLATE, LoginCodeForm(with_app=ways.by_app), **code_context(ways))
    form = LoginCodeForm(request.POST, with_app=ways.by_app)
    if not form.is_valid():
        return show_form(request, CODE_TEMPLATE, form, **code_context(ways))
    try:
        logged_in, wishes = accounts.finish_login(
            secret=secret, otp=form.cleaned_data["otp"], device=device_of(request)
        )
    except PortalError as error:
        return code_refused(request, form, error, ways)
    return let_in_as_wished(request, logged_in, wishes)


def let_in_as_wished(request: HttpRequest, logged_in: accounts.LoggedIn, wishes: Mapping[str, object]) -> HttpResponse:
    """The answer to a login that is done, as its first step has asked."""
    next_path = own_path(str(wishes.get("next", "")))
    return let_in(request, logged_in, next_path=next_path, remembered=wishes.get("remembered") is True)


def code_context(ways: accounts.Ways) -> dict[str, Any]:
    """What the page of the second step has to know: whether it offers a passkey."""
    return {"by_app": ways.by_app, "by_passkey": ways.by_passkey and is_available()}


def begin_again(request: HttpRequest) -> HttpResponse:
    """Where a second step leads to which no first one came before."""
    if principal_of(request):
        return redirect("dashboard")
    messages.info(request, "Enter your email and password first. A code is asked for within ten minutes after that.")
    response = redirect("login")
    drop_waiting_login(request, response)
    return response


def code_refused(request: HttpRequest, form: LoginCodeForm, error: PortalError, ways: accounts.Ways) -> HttpResponse:
    """The page of the second step again, with what was wrong with the code or passkey."""
    if error.code == "login_expired":
        return begin_again(request)
    if error.code in {"invalid_otp", "invalid_passkey"}:
        error = PortalError(error.code, 422, error.message)
    return show_refusal(request, CODE_TEMPLATE, form, error, beside={"invalid_otp": "otp"}, **code_context(ways))


@require_safe
def account_security(request: HttpRequest) -> HttpResponse:
    """Which second factors there are, and what can be done about them."""
    principal = require_principal(request)
    context = {
        "status": service.status(principal=principal),
        "policy": principal.organization.policy if principal.organization else None,
        "organization": principal.organization,
        "passkeys": passkeys.list_passkeys(principal=principal),
        "offers_passkeys": is_available(),
        "most_passkeys": passkeys.MOST,
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
    if not codes:
        messages.success(request, "The app is a second factor of your account. Your recovery codes stay good.")
        return redirect("account_security")
    return show_codes(request, codes, is_new=True)


@require_POST
def second_factor_off(request: HttpRequest) -> HttpResponse:
    """No authenticator app any more."""
    principal = require_principal(request)
    try:
        service.switch_off(principal=principal)
    except PortalError as error:
        return _said(request, error)
    has_another = service.status(principal=principal).is_on
    what = "The authenticator app is removed." if has_another else "The second factor is off."
    messages.success(request, f"{what} Your other sessions and tokens have ended.")
    return redirect("account_security")


@require_POST
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown this once."""
    try:
        codes = service.renew_recovery_codes(principal=require_principal(request))
    except PortalError as error:
        return _said(request, error)
    return show_codes(request, codes, is_new=False)


def show_codes(request: HttpRequest, codes: list[str], *, is_new: bool) -> HttpResponse:
    """The page of the recovery codes, which are shown this once."""
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
    status = service.status(principal=principal)
    context = sudo_context(status)
    if request.method != "POST":
        initial = {"next": own_path(request.GET.get("next", "")) or ""}
        return show_form(request, SUDO_TEMPLATE, sudo_form(status, initial=initial), **context)
    form = sudo_form(status, request.POST)
    if not form.is_valid():
        return show_form(request, SUDO_TEMPLATE, form, **context)
    try:
        sudo.confirm(
            principal=principal, password=form.cleaned_data["password"], otp=form.cleaned_data.get("otp") or None
        )
    except PortalError as error:
        return show_refusal(request, SUDO_TEMPLATE, form, error, **context)
    return redirect(own_path(form.cleaned_data["next"]) or "account_security")


def sudo_form(status: service.Status, *args: Any, **options: Any) -> SudoForm:
    """The form for an account whose factors are these."""
    return SudoForm(*args, with_code=status.is_on, with_app=status.has_app, **options)


def sudo_context(status: service.Status) -> dict[str, Any]:
    """Whether the page offers a passkey instead."""
    return {"by_passkey": bool(status.passkeys) and is_available()}
