"""Pages of passkeys: one's own, the login with one, and showing one before a change of security."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import service as accounts
from accounts import sudo
from accounts.authentication import require_principal
from accounts.cookies import device_of, waiting_login_of
from accounts.factors import service as factors
from accounts.factors import views as factor_pages
from accounts.factors.forms import LoginCodeForm
from accounts.forms import LoginForm
from accounts.passkeys import login, service
from accounts.passkeys.forms import AddForm, NameForm, ShownForm
from accounts.views import let_in, login_refused
from orgportal.conventions.identities import object_id
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from orgportal.pages import own_path

NEW_TEMPLATE = "accounts/passkeys/new.html"
RENAME_TEMPLATE = "accounts/passkeys/rename.html"


@require_POST
@public
def login_passkey(request: HttpRequest) -> HttpResponse:
    """Log in with a passkey alone, from the page of the login."""
    form = ShownForm(request.POST)
    if not form.is_valid():
        return _login_again(request, form, _unreadable(form))
    try:
        logged_in = login.log_in(
            assertion=form.cleaned_data["credential"].decoded(),
            org_slug=None,
            choose_later=True,
            device=device_of(request),
        )
    except PortalError as error:
        return _login_again(request, form, error)
    next_path = own_path(form.cleaned_data["next"])
    return let_in(request, logged_in, next_path=next_path, remembered=form.cleaned_data["remembered"])


@require_POST
@public
def login_code_options(request: HttpRequest) -> JsonResponse:
    """What the browser needs for the passkey of the login that waits in it."""
    return JsonResponse({"publicKey": login.begin_waiting(secret=waiting_login_of(request))})


@require_POST
@public
def login_code_passkey(request: HttpRequest) -> HttpResponse:
    """The second step of a login, by a passkey."""
    secret = waiting_login_of(request)
    ways = accounts.ways_on(secret=secret)
    if ways is None:
        return factor_pages.begin_again(request)
    form = ShownForm(request.POST)
    try:
        if not form.is_valid():
            raise _unreadable(form)
        logged_in, wishes = login.finish_waiting(
            secret=secret, assertion=form.cleaned_data["credential"].decoded(), device=device_of(request)
        )
    except PortalError as error:
        shown = LoginCodeForm({}, with_app=ways.by_app)
        shown.errors.clear()
        return factor_pages.code_refused(request, shown, error, ways)
    return factor_pages.let_in_as_wished(request, logged_in, wishes)


@require_http_methods(["GET", "HEAD", "POST"])
def passkey_new(request: HttpRequest) -> HttpResponse:
    """Name a passkey and make it; the first factor of an account leads to its recovery codes."""
    principal = require_principal(request)
    try:
        service.require_can_add(principal=principal)
    except PortalError as error:
        return _said(request, error)
    if request.method != "POST":
        return show_form(request, NEW_TEMPLATE, AddForm())
    form = AddForm(request.POST)
    if not form.is_valid():
        return show_form(request, NEW_TEMPLATE, form)
    try:
        added, codes = service.add(
            principal=principal,
            name=form.cleaned_data["name"],
            attestation=form.cleaned_data["credential"].decoded(),
        )
    except PortalError as error:
        return show_refusal(request, NEW_TEMPLATE, form, _on_top(error))
    if codes:
        return factor_pages.show_codes(request, codes, is_new=True)
    messages.success(request, f"The passkey “{added.name}” opens your account from now on.")
    return redirect("account_security")


@require_http_methods(["GET", "HEAD", "POST"])
def passkey_rename(request: HttpRequest, passkey_id: str) -> HttpResponse:
    """Give a passkey another name."""
    principal = require_principal(request)
    passkey = service.get_passkey(principal=principal, passkey_id=object_id(passkey_id))
    context: dict[str, Any] = {"passkey": passkey}
    if request.method != "POST":
        return show_form(request, RENAME_TEMPLATE, NameForm(initial={"name": passkey.name}), **context)
    form = NameForm(request.POST)
    if not form.is_valid():
        return show_form(request, RENAME_TEMPLATE, form, **context)
    try:
        service.rename(principal=principal, passkey_id=passkey.id, name=form.cleaned_data["name"])
    except PortalError as error:
        return show_refusal(request, RENAME_TEMPLATE, form, error, **context)
    messages.success(request, "The passkey has its new name.")
    return redirect("account_security")


@require_http_methods(["GET", "HEAD", "POST"])
def passkey_remove(request: HttpRequest, passkey_id: str) -> HttpResponse:
    """Ask, then remove."""
    principal = require_principal(request)
    sudo.require_recent(principal)
    passkey = service.get_passkey(principal=principal, passkey_id=object_id(passkey_id))
    if request.method != "POST":
        status = factors.status(principal=principal)
        context = {"passkey": passkey, "is_last": not status.has_app and status.passkeys == 1}
        return render(request, "accounts/passkeys/remove.html", context)
    try:
        service.remove(principal=principal, passkey_id=passkey.id)
    except PortalError as error:
        return _said(request, error)
    messages.success(request, f"The passkey “{passkey.name}” is removed. Your other sessions and tokens have ended.")
    return redirect("account_security")


@require_POST
def sudo_passkey(request: HttpRequest) -> HttpResponse:
    """A passkey instead of the password, then back to the change that wanted it."""
    principal = require_principal(request)
    form = ShownForm(request.POST)
    try:
        if not form.is_valid():
            raise _unreadable(form)
        login.confirm(principal=principal, assertion=form.cleaned_data["credential"].decoded())
    except PortalError as error:
        status = factors.status(principal=principal)
        shown = factor_pages.sudo_form(status, {}, initial={})
        shown.errors.clear()
        return show_refusal(
            request, factor_pages.SUDO_TEMPLATE, shown, _on_top(error), **factor_pages.sudo_context(status)
        )
    return redirect(own_path(form.cleaned_data["next"]) or "account_security")


def _login_again(request: HttpRequest, form: ShownForm, error: PortalError) -> HttpResponse:
    """The page of the login, with what was wrong with the passkey on top and nothing filled in."""
    shown = LoginForm({"next": own_path(form.data.get("next", "")) or ""})
    shown.errors.clear()
    if error.code == "invalid_passkey":
        error = PortalError(error.code, 422, error.message)
    return login_refused(request, shown, error)


def _unreadable(form: ShownForm) -> PortalError:
    return PortalError("no_passkey", 422, " ".join(str(said) for said in form.non_field_errors()))


def _on_top(error: PortalError) -> PortalError:
    """What concerns the hidden field, for people to see."""
    hidden = [part.message for part in error.errors if part.path == "credential"]
    return PortalError(error.code, error.status, hidden[0]) if hidden else error


def _said(request: HttpRequest, error: PortalError) -> HttpResponse:
    """What cannot be done, on the page that it was begun on."""
    if error.status != 409:
        raise error
    messages.error(request, error.message)
    return redirect("account_security")
