"""Pages of an organization's members: the list, a role, removing, leaving, handing the ownership over."""

from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import clear_session_cookie
from accounts.guard import page_for
from accounts.invitations.views import invitations_of
from accounts.membership import service
from accounts.membership.forms import RoleForm, TransferForm
from accounts.membership.service import Member
from accounts.principal import Principal
from accounts.roles import ACTION, Role
from orgportal.conventions import cursor_after, read_cursor
from orgportal.conventions.identities import object_id
from orgportal.errors import PortalError, not_found
from orgportal.form_pages import show_form, show_refusal

LISTING = "members_page"
PER_PAGE = 50
TRANSFER_TEMPLATE = "accounts/members/transfer.html"
# What a person may simply read above the list; the rest gets a page of its own.
SAID_ON_LIST = frozenset({"last_owner", "stale", "organization_busy"})


@require_safe
@page_for("members.see")
def members(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Who belongs to the organization."""
    after = read_cursor(request.GET.get("cursor"), listing=LISTING)
    found = service.list_members(org_id=_organization(principal), limit=PER_PAGE, after=after)
    shown = found[:PER_PAGE]
    role = principal.role or Role.VIEWER
    context: dict[str, Any] = {
        "principal": principal,
        "organization": principal.organization,
        "rows": [_row(principal, role, member) for member in shown],
        "cursor": cursor_after(shown[-1].id, listing=LISTING) if len(found) > PER_PAGE else "",
        "may_change": role.covers(ACTION["members.change"].needs),
        "roles": [one.value for one in Role if role.covers(one)],
    }
    if context["may_change"] and after is None:
        context |= {"invitations": invitations_of(principal), "highest": role}
    return render(request, "accounts/members/members.html", context)


def _row(principal: Principal, role: Role, member: Member) -> dict[str, Any]:
    """A member, and what the viewer may do about it."""
    own = member.id == principal.account_id
    may = role.covers(Role.ADMIN) and role.covers(member.role)
    return {
        "member": member,
        "is_self": own,
        "may_change": may,
        "may_remove": may and not own,
        "may_receive": role is Role.OWNER and not own,
    }


@require_POST
@page_for("members.change")
def member_role(request: HttpRequest, principal: Principal, account_id: str) -> HttpResponse:
    """Give a member another role."""
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise not_found()
    seen = form.cleaned_data["seen"]
    try:
        member = service.change_role(
            principal=principal,
            account_id=object_id(account_id),
            role=Role(form.cleaned_data["role"]),
            expected=Role(seen) if seen else None,
        )
    except PortalError as error:
        return _back_with(request, error)
    messages.success(request, f"{member.email} is now {_named(member.role)}.")
    return redirect("members")


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("members.change")
def member_remove(request: HttpRequest, principal: Principal, account_id: str) -> HttpResponse:
    """Ask, then remove the member."""
    if object_id(account_id) == principal.account_id:
        return redirect("members_leave")
    if request.method != "POST":
        member = service.get_member(org_id=_organization(principal), account_id=object_id(account_id))
        context = {"member": member, "organization": principal.organization}
        return render(request, "accounts/members/remove.html", context)
    try:
        service.remove_member(principal=principal, account_id=object_id(account_id))
    except PortalError as error:
        return _back_with(request, error)
    messages.success(request, "The member is removed. Sessions, tokens and API keys of theirs have ended here.")
    return redirect("members")


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("members.leave")
def members_leave(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Ask, then leave the organization."""
    if request.method != "POST":
        context = {
            "organization": principal.organization,
            "must_stay": service.must_stay(principal=principal),
            "only_here": len(principal.memberships) == 1,
        }
        return render(request, "accounts/members/leave.html", context)
    try:
        gone = service.leave(principal=principal)
    except PortalError as error:
        return _back_with(request, error)
    name = principal.organization.name if principal.organization else ""
    messages.success(request, f"You have left {name}{', and your account is deleted' if gone else ''}.")
    response = redirect("landing" if gone else "login")
    clear_session_cookie(response)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@page_for("organization.transfer")
def member_transfer(request: HttpRequest, principal: Principal, account_id: str) -> HttpResponse:
    """Hand the ownership over, once the password was entered again."""
    member = service.get_member(org_id=_organization(principal), account_id=object_id(account_id))
    if member.id == principal.account_id:
        return redirect("members")
    context: dict[str, Any] = {"member": member, "organization": principal.organization, "principal": principal}
    if request.method != "POST":
        return show_form(request, TRANSFER_TEMPLATE, TransferForm(), **context)
    form = TransferForm(request.POST)
    if not form.is_valid():
        return show_form(request, TRANSFER_TEMPLATE, form, **context)
    try:
        service.transfer(principal=principal, account_id=member.id, password=form.cleaned_data["password"])
    except PortalError as error:
        return show_refusal(request, TRANSFER_TEMPLATE, form, error, **context)
    messages.success(request, f"{member.email} is the owner now, and you are an admin.")
    return redirect("members")


def _back_with(request: HttpRequest, error: PortalError) -> HttpResponse:
    """To the list, which says why nothing was changed."""
    if error.code not in SAID_ON_LIST and error.status != 403:
        raise error
    if error.code in {"sudo_required", "second_factor_required"}:
        raise error
    messages.error(request, error.message)
    return redirect("members")


def _named(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeo' else 'a'} {role.value}"


def _organization(principal: Principal) -> ObjectId:
    if principal.org_id is None:
        raise not_found()
    return principal.org_id
