"""Endpoints to log in, go on, log out, and see who one is."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts import service
from accounts.authentication import clear_session_cookie, require_principal
from accounts.cookies import device_of
from accounts.schemas import ChooseOrganization, Login, Me, Refresh, Tokens
from orgportal.conventions import idempotent
from orgportal.conventions.callers import MEMBERS, WITH_KEYS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, headers_of, problems

router = Router(tags=["Authentication"])


@router.post(
    "/login",
    operation_id="login",
    summary="Log in",
    auth=None,
    response={200: Tokens, **problems(401, 413, 415, 422, 429), 409: ChooseOrganization},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def login(request: HttpRequest, body: Login) -> Tokens:
    """Exchange an email and a password for an access token and a refresh token.

    Every wrong pair is `401 invalid_credentials`, in the same words and the same time. After a right pair, an
    account with a second factor answers `401 otp_required` without `otp`, and `401 invalid_otp` for a wrong code:
    a code works once. `429 too_many_attempts` says in `Retry-After` when to try again. An account of several
    organizations says with `org` which one; without it the answer is `409 choose_organization` with the list.
    """
    logged_in = service.log_in(
        email=body.email, password=body.password, org_slug=body.org, otp=body.otp, device=device_of(request)
    )
    return Tokens.of(service.issue_tokens(logged_in=logged_in))


@router.post(
    "/refresh",
    operation_id="refresh",
    summary="Get a new pair of tokens",
    auth=None,
    response={200: Tokens, **problems(401, 409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def refresh(request: HttpRequest, body: Refresh) -> Tokens:
    """Exchange a refresh token for a new pair.

    A refresh token works once. Its second use revokes every token that came from the same login, because
    somebody else may hold a copy; send an `Idempotency-Key` to be able to repeat a call whose answer was lost.
    """
    return Tokens.of(service.refresh_tokens(refresh_token=body.refresh_token))


@router.post(
    "/logout",
    operation_id="logout",
    summary="Log out",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def logout(request: HttpRequest, response: HttpResponse) -> Status[Any]:
    """Revoke every token of this login, or end the browser's session. They are refused from the next call on."""
    principal = require_principal(request)
    service.end_session(principal=principal)
    if principal.method == "session":
        clear_session_cookie(response)
    return Status(204, None)


@router.get(
    "/me",
    operation_id="whoami",
    summary="Who am I?",
    auth=WITH_KEYS,
    response={200: Me, **problems(401)},
)
def me(request: HttpRequest) -> Me:
    """The account, the organization and the role that the credential stands for."""
    return Me.of(require_principal(request))
