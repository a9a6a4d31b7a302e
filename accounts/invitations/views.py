"""Pages of invitations: invite, send again, take back; and the page that a link leads to."""

from collections.abc import Callable
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts import service
from accounts.authentication import principal_of
from accounts.guard import page_for
from accounts.invitations import acceptance, sending
from accounts.invitations.acceptance import Accepted, Offer
from accounts.invitations.documents import Invitation
from accounts.invitations.forms import InviteForm, JoinForm
from accounts.principal import Principal
from accounts.recovery_views import invalid_link
from accounts.roles import Role
from accounts.views import start_session
from orgportal.errors import PortalError, forbidden, not_found
from orgportal.form_pages import show_form, show_refusal
from orgportal.middleware import public
from orgportal.pages import own_path

INVITE = "accounts/invitations/invite.html"
OFFER = "accounts/invitations/offer.html"


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("invitations.manage")
def invite(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Invite somebody, with the invitations that are open below."""
    highest = principal.role or Role.VIEWER
    if request.method != "POST":
        return show_form(request, INVITE, InviteForm(highest=highest), **_context(principal))
    form = InviteForm(request.POST, highest=highest)
    if not form.is_valid():
        return show_form(request, INVITE, form, **_context(principal))
    try:
        invitation = sending.invite(
            principal=principal, email=form.cleaned_data["email"], role=Role(form.cleaned_data["role"])
        )
    except PortalError as error:
        return _invite_refused(request, principal, form, error)
    messages.success(request, f"An invitation is on its way to {invitation.email}.")
    return redirect("invite")


def _invite_refused(request: HttpRequest, principal: Principal, form: InviteForm, error: PortalError) -> HttpResponse:
    if error.code == "email_not_verified":
        error = PortalError(error.code, 409, error.message)
    beside = {"already_member": "email", "invitation_busy": "email"}
    return show_refusal(request, INVITE, form, error, beside=beside, **_context(principal))


def _context(principal: Principal) -> dict[str, Any]:
    return {"principal": principal, "invitations": invitations_of(principal)}


def invitations_of(principal: Principal) -> list[Invitation]:
    """The organization's invitations by address, as the include `accounts/includes/invitations.html` shows them."""
    found = sending.listed(org_id=principal.org_id) if principal.org_id else []
    return sorted(found, key=lambda invitation: invitation.email)


@require_POST
@page_for("invitations.manage")
def resend(request: HttpRequest, principal: Principal, invitation_id: str) -> HttpResponse:
    """Send an invitation again."""
    return _done(
        request, lambda: sending.resend(principal=principal, invitation_id=_id(invitation_id)), "It is sent again."
    )


@require_POST
@page_for("invitations.manage")
def revoke(request: HttpRequest, principal: Principal, invitation_id: str) -> HttpResponse:
    """Take an invitation back."""
    return _done(
        request,
        lambda: sending.revoke(principal=principal, invitation_id=_id(invitation_id)),
        "The invitation is taken back.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@public
def offer(request: HttpRequest, invitation_token: str) -> HttpResponse:
    """What an invitation offers, and accepting it: with the account that is logged in, or with a new one."""
    try:
        offered = acceptance.offer(token=invitation_token)
        if request.method != "POST":
            return _offer_page(request, offered, JoinForm())
        principal = principal_of(request)
        if principal is not None and principal.method != "session":
            raise forbidden()
        if principal is not None:
            return _joined(request, principal, acceptance.accept(principal=principal, token=invitation_token))
        form = JoinForm(request.POST)
        if offered.has_account or not form.is_valid():
            return _offer_page(request, offered, form)
        return _join_as_new(request, invitation_token, offered, form)
    except PortalError as error:
        if error.code == "invalid_link":
            return invalid_link(request, error, again="landing", label="To the start page")
        raise


def _offer_page(request: HttpRequest, offered: Offer, form: JoinForm) -> HttpResponse:
    return show_form(request, OFFER, form, **_offer_context(request, offered))


def _offer_context(request: HttpRequest, offered: Offer) -> dict[str, Any]:
    principal = principal_of(request)
    return {
        "offer": offered,
        "principal": principal,
        "is_invited": principal is not None and principal.email == offered.invitation.email,
    }


def _join_as_new(request: HttpRequest, token: str, offered: Offer, form: JoinForm) -> HttpResponse:
    password = form.cleaned_data["password"]
    try:
        accepted = acceptance.accept_as_new(token=token, password=password, name=form.cleaned_data["name"])
    except PortalError as error:
        if error.code == "invalid_link":
            raise
        return show_refusal(request, OFFER, form, error, **_offer_context(request, offered))
    logged_in = service.log_in(email=accepted.email, password=password, org_slug=accepted.organization.slug)
    response = _welcome(request, accepted)
    start_session(request, response, service.open_session(logged_in=logged_in))
    return response


def _joined(request: HttpRequest, principal: Principal, accepted: Accepted) -> HttpResponse:
    response = _welcome(request, accepted)
    secret = service.choose_organization(principal=principal, slug=accepted.organization.slug)
    start_session(request, response, secret)
    return response


def _welcome(request: HttpRequest, accepted: Accepted) -> HttpResponse:
    messages.success(request, f"Welcome to {accepted.organization.name}: you are its {accepted.role.value} now.")
    return redirect("dashboard")


def _done(request: HttpRequest, act: Callable[[], object], message: str) -> HttpResponse:
    """Do it and go back to the list that the button stood in."""
    try:
        act()
    except PortalError as error:
        if error.status not in {409, 429} and error.code != "email_not_verified":
            raise
        messages.info(request, error.message)
    else:
        messages.success(request, message)
    return redirect(own_path(request.POST.get("next", "")) or "invite")


def _id(text: str) -> ObjectId:
    if not ObjectId.is_valid(text):
        raise not_found()
    return ObjectId(text)
