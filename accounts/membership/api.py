"""Endpoints for the members of an organization."""

from typing import Any

from bson import ObjectId
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts.authentication import clear_session_cookie
from accounts.guard import allowed
from accounts.membership import service
from accounts.membership.schemas import Member, MemberList, RoleChange, Transfer
from accounts.principal import Principal
from accounts.roles import Role
from orgportal.conventions import cursor_after, etag_of, expected_rev, idempotent, read_cursor
from orgportal.conventions.callers import MEMBERS, WITH_KEYS
from orgportal.conventions.identities import IdInPath, SlugInPath, object_id
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, IF_MATCH, ListParameters, headers_of, problems
from orgportal.errors import not_found

router = Router(tags=["Members"])
LISTING = "members"


@router.get(
    "/{org}/members",
    operation_id="list_members",
    summary="List the members",
    auth=WITH_KEYS,
    response={200: MemberList, **problems(401, 403, 404, 422)},
)
def list_members(request: HttpRequest, query: ListParameters, org: SlugInPath) -> MemberList:
    """Who belongs to the organization, with which role. Scope `members`."""
    after = read_cursor(query.cursor, listing=LISTING)
    principal = allowed(request, action="members.see", slug=org)
    found = service.list_members(org_id=_organization(principal), limit=query.limit, after=after)
    page = found[: query.limit]
    more = len(found) > query.limit
    return MemberList(
        items=[Member.of(member) for member in page],
        next_cursor=cursor_after(page[-1].id, listing=LISTING) if more else None,
    )


@router.post(
    "/{org}/members/leave",
    operation_id="leave_organization",
    summary="Leave the organization",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 404, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def leave(request: HttpRequest, response: HttpResponse, org: SlugInPath) -> Status[Any]:
    """End the caller's own membership, with its sessions, tokens and API keys. The last owner cannot leave (409).

    An account that belongs to nothing else is deleted with it.
    """
    principal = allowed(request, action="members.leave", slug=org)
    service.leave(principal=principal)
    if principal.method == "session":
        clear_session_cookie(response)
    return Status(204, None)


@router.get(
    "/{org}/members/{account_id}",
    operation_id="get_member",
    summary="Get a member",
    auth=WITH_KEYS,
    response={200: Member, **problems(401, 403, 404)},
    openapi_extra=headers_of(answers={200: ("ETag",)}),
)
def get_member(request: HttpRequest, response: HttpResponse, org: SlugInPath, account_id: IdInPath) -> Member:
    """One member, with the `ETag` that a change can name in `If-Match`. Scope `members`."""
    principal = allowed(request, action="members.see", slug=org)
    member = service.get_member(org_id=_organization(principal), account_id=object_id(account_id))
    response["ETag"] = etag_of(member)
    return Member.of(member)


@router.patch(
    "/{org}/members/{account_id}",
    operation_id="change_role",
    summary="Change a member's role",
    auth=WITH_KEYS,
    response={200: Member, **problems(401, 403, 404, 409, 412, 413, 415, 422)},
    openapi_extra=headers_of(IF_MATCH, answers={200: ("ETag",)}),
)
def change_role(
    request: HttpRequest, response: HttpResponse, body: RoleChange, org: SlugInPath, account_id: IdInPath
) -> Member:
    """Give a member another role, at most the caller's own. Needs the role admin; scope `members`.

    It counts from the member's next request on. Only owners change owners, and making or unmaking one takes a password
    entered a moment ago (`403 sudo_required`). There is always an owner (`409 last_owner`).
    """
    principal = allowed(request, action="members.change", slug=org)
    member_id = object_id(account_id)
    changed = service.change_role(
        principal=principal,
        account_id=member_id,
        role=Role(body.role),
        expected=_expected(request, principal, account_id),
    )
    response["ETag"] = etag_of(changed)
    return Member.of(changed)


@router.delete(
    "/{org}/members/{account_id}",
    operation_id="remove_member",
    summary="Remove a member",
    auth=WITH_KEYS,
    response={204: None, **problems(401, 403, 404, 409, 412)},
    openapi_extra=headers_of(IF_MATCH),
)
def remove_member(request: HttpRequest, response: HttpResponse, org: SlugInPath, account_id: IdInPath) -> Status[Any]:
    """Remove a member with every session, token and API key that it has here. Needs the role admin; scope `members`.

    They are refused from the next request on; what the account has in other organizations stays. An account that
    belongs to nothing else is deleted.
    """
    principal = allowed(request, action="members.change", slug=org)
    service.remove_member(
        principal=principal,
        account_id=object_id(account_id),
        expected=_expected(request, principal, account_id),
    )
    if principal.method == "session" and object_id(account_id) == principal.account_id:
        clear_session_cookie(response)
    return Status(204, None)


@router.post(
    "/{org}/transfer",
    operation_id="transfer_ownership",
    summary="Hand the ownership over",
    auth=MEMBERS,
    response={200: Member, **problems(401, 403, 404, 409, 412, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def transfer(request: HttpRequest, body: Transfer, org: SlugInPath) -> Member:
    """Make another member the owner; the caller stays as an admin. Needs the role owner, and the caller's password.

    All owners are told by mail, the new one too.
    """
    principal = allowed(request, action="organization.transfer", slug=org)
    return Member.of(
        service.transfer(principal=principal, account_id=object_id(body.account_id), password=body.password)
    )


def _expected(request: HttpRequest, principal: Principal, account_id: str) -> Role | None:
    """The role that the member had in the state that `If-Match` names; None when any state will do."""
    if "If-Match" not in request.headers:
        return None
    member = service.get_member(org_id=_organization(principal), account_id=object_id(account_id))
    return member.role if expected_rev(request, member) is not None else None


def _organization(principal: Principal) -> ObjectId:
    if principal.org_id is None:
        raise not_found()
    return principal.org_id
