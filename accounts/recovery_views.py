"""Pages around links that are sent by mail: a forgotten password, an address to confirm or to change.

Opening a link uses nothing up: mail programs and their scanners open links as well. Only the button does.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import email_change, recovery, verification
from accounts.authentication import clear_session_cookie, principal_of, require_principal
from accounts.cookies import remember_device
from accounts.recovery_forms import EmailChangeForm, ForgotForm, NewPasswordForm
from orgportal.errors import PortalError
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public

FORGOT = "accounts/password_forgot.html"
RESET = "accounts/password_reset.html"
VERIFY = "accounts/email_verify.html"
CHANGE = "accounts/email_change.html"


@require_http_methods(["GET", "HEAD", "POST"])
@public
def password_forgot(request: HttpRequest) -> HttpResponse:
    """Have a link sent that resets the password. The answer is the same for every address."""
    if request.method != "POST":
        return show_form(request, FORGOT, ForgotForm())
    form = ForgotForm(request.POST)
    if not form.is_valid():
        return show_form(request, FORGOT, form)
    try:
        recovery.forgot(email=form.cleaned_data["email"])
    except PortalError as error:
        return show_refusal(request, FORGOT, form, error)
    return redirect("password_sent")


@require_safe
@public
def password_sent(request: HttpRequest) -> HttpResponse:
    """What to do while the mail is on its way."""
    return render(request, "accounts/password_sent.html")


@require_http_methods(["GET", "HEAD", "POST"])
@public
def password_reset(request: HttpRequest, reset_token: str) -> HttpResponse:
    """Set a new password with a link."""
    try:
        context: dict[str, Any] = {"email": recovery.address_of(token=reset_token)}
        form = NewPasswordForm(request.POST if request.method == "POST" else None)
        if request.method != "POST" or not form.is_valid():
            return show_form(request, RESET, form, **context)
        email = recovery.reset(token=reset_token, password=form.cleaned_data["password"])
    except PortalError as error:
        if error.code == "invalid_link":
            return invalid_link(request, error, again="password_forgot", label="Ask for a new link")
        return show_refusal(request, RESET, form, error, **context)
    messages.success(request, f"The password of {email} is changed. Every session and token of it has ended: log in.")
    response = redirect("login")
    clear_session_cookie(response)
    # So that nobody who guesses at the account meanwhile keeps its owner from logging in.
    remember_device(request, response, email=email)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@public
def email_verify(request: HttpRequest, verify_token: str) -> HttpResponse:
    """Confirm an address with a link."""
    return _confirmed(
        request, verify_token, verification.address_of, verification.confirm, "accounts/email_verify.html"
    )


@require_POST
def email_resend(request: HttpRequest) -> HttpResponse:
    """Send the link that confirms the address again."""
    principal = require_principal(request)
    try:
        verification.resend(principal=principal)
    except PortalError as error:
        if error.status not in {409, 429}:
            raise
        messages.info(request, error.message)
        return redirect("account")
    messages.success(request, f"A link is on its way to {principal.email}.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
def email_change_page(request: HttpRequest) -> HttpResponse:
    """Ask for another address."""
    principal = require_principal(request)
    context: dict[str, Any] = {"principal": principal}
    if request.method != "POST":
        return show_form(request, CHANGE, EmailChangeForm(), **context)
    form = EmailChangeForm(request.POST)
    if not form.is_valid():
        return show_form(request, CHANGE, form, **context)
    try:
        address = email_change.request(
            principal=principal, email=form.cleaned_data["email"], password=form.cleaned_data["password"]
        )
    except PortalError as error:
        return show_refusal(request, CHANGE, form, error, beside={"email_taken": "email"}, **context)
    messages.success(request, f"A link is on its way to {address}. Your address changes once it is confirmed.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
@public
def email_change_confirm(request: HttpRequest, change_token: str) -> HttpResponse:
    """Make the new address the account's own with a link."""
    return _confirmed(
        request, change_token, email_change.address_of, email_change.confirm, "accounts/email_change_confirm.html"
    )


def _confirmed(
    request: HttpRequest, token: str, address_of: Callable[..., str], confirm: Callable[..., str], template: str
) -> HttpResponse:
    principal = principal_of(request)
    try:
        email = address_of(token=token)
        if request.method != "POST":
            return render(request, template, {"email": email})
        confirm(token=token)
    except PortalError as error:
        if error.code not in {"invalid_link", "email_taken"}:
            raise
        return invalid_link(request, error, again="account", label="To your account")
    messages.success(request, f"{email} is confirmed.")
    return redirect("account" if principal else "login")


def invalid_link(request: HttpRequest, error: PortalError, *, again: str, label: str) -> HttpResponse:
    """The page for a link that does not count, and the way on: the name of an address and what the button says."""
    context = {"message": error.message, "again": again, "label": label}
    return render(request, "accounts/invalid_link.html", context, status=error.status)
