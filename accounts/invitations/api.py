"""Endpoints of invitations: an organization's own, and accepting one."""

from typing import Any

from bson import ObjectId
from django.http import HttpRequest
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts.authentication import principal_of
from accounts.guard import allowed
from accounts.invitations import acceptance, sending
from accounts.invitations.schemas import (
    Acceptance,
    Invitation,
    InvitationId,
    InvitationList,
    Joined,
    NewInvitation,
    OrganizationSlug,
)
from accounts.roles import Role
from orgportal.conventions import cursor_after, idempotent, read_cursor
from orgportal.conventions.callers import ANYBODY, OPTIONAL, WITH_KEYS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, ListParameters, headers_of, problems
from orgportal.errors import not_found, unauthenticated

router = Router(tags=["Invitations"])
accepting = Router(tags=["Invitations"])
ACTION = "invitations.manage"
LISTING = "invitations"


@router.get(
    "/{org}/invitations",
    operation_id="list_invitations",
    summary="List invitations",
    auth=WITH_KEYS,
    response={200: InvitationList, **problems(401, 403, 404, 422)},
)
def list_invitations(request: HttpRequest, query: ListParameters, org: OrganizationSlug) -> InvitationList:
    """Those that nobody has accepted yet, and for some weeks those that have run out. Needs the role admin."""
    after = read_cursor(query.cursor, listing=LISTING)
    principal = allowed(request, action=ACTION, slug=org)
    if principal.org_id is None:
        raise not_found()
    found = sending.listed(org_id=principal.org_id, limit=query.limit + 1, after=after)
    page = found[: query.limit]
    return InvitationList(
        items=[Invitation.of(invitation) for invitation in page],
        next_cursor=cursor_after(page[-1].id, listing=LISTING) if len(found) > query.limit else None,
    )


@router.post(
    "/{org}/invitations",
    operation_id="create_invitation",
    summary="Invite somebody",
    auth=WITH_KEYS,
    response={201: Invitation, **problems(401, 403, 404, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def create_invitation(request: HttpRequest, body: NewInvitation, org: OrganizationSlug) -> Status[Any]:
    """Send a link to an address that works once, for a week, and for that address alone. Needs the role admin.

    `409 already_member` for a member's address; an open invitation of the address is replaced. `403` for a role above
    one's own, and `403 email_not_verified` as long as one's own address is not confirmed.
    """
    principal = allowed(request, action=ACTION, slug=org)
    invitation = sending.invite(principal=principal, email=body.email, role=Role(body.role))
    return Status(201, Invitation.of(invitation))


@router.delete(
    "/{org}/invitations/{invitation_id}",
    operation_id="revoke_invitation",
    summary="Take an invitation back",
    auth=WITH_KEYS,
    response={204: None, **problems(401, 403, 404, 409)},
)
def revoke_invitation(request: HttpRequest, org: OrganizationSlug, invitation_id: InvitationId) -> Status[Any]:
    """Its links count no more. Needs the role admin, and at least the role that was offered."""
    sending.revoke(principal=allowed(request, action=ACTION, slug=org), invitation_id=_id(invitation_id))
    return Status(204, None)


@router.post(
    "/{org}/invitations/{invitation_id}/resend",
    operation_id="resend_invitation",
    summary="Send an invitation again",
    auth=WITH_KEYS,
    response={200: Invitation, **problems(401, 403, 404, 409, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def resend_invitation(request: HttpRequest, org: OrganizationSlug, invitation_id: InvitationId) -> Invitation:
    """With a new link, and all its time again; earlier links count no more. Needs the role admin."""
    principal = allowed(request, action=ACTION, slug=org)
    return Invitation.of(sending.resend(principal=principal, invitation_id=_id(invitation_id)))


@accepting.post(
    "/accept",
    operation_id="accept_invitation",
    summary="Accept an invitation",
    auth=ANYBODY,
    response={201: Joined, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra={**headers_of(IDEMPOTENCY_KEY), **OPTIONAL},
)
@decorate_view(idempotent)
def accept_invitation(request: HttpRequest, body: Acceptance) -> Status[Any]:
    """Join with the account that is logged in, or with a new one of the invited address, for `password` and `name`.

    `422 invalid_link` for a link that does not count, `403 other_address` for another account than the invited
    address's, `409 email_taken` for a new account where the address has one: that one logs in first.
    """
    if body.password is not None:
        accepted = acceptance.accept_as_new(token=body.token, password=body.password, name=body.name or "")
        return Status(201, Joined.of(accepted))
    principal = principal_of(request)
    if principal is None:
        raise unauthenticated()
    return Status(201, Joined.of(acceptance.accept(principal=principal, token=body.token)))


def _id(text: str) -> ObjectId:
    if not ObjectId.is_valid(text):
        raise not_found()
    return ObjectId(text)
