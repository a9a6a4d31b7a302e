"""Endpoints for a forgotten password and for confirming an address."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts import recovery, verification
from accounts.authentication import require_principal
from accounts.recovery_schemas import Forgot, LinkToken, Reset
from orgportal.conventions import idempotent
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, headers_of, problems

router = Router(tags=["Authentication"])


@router.post(
    "/password/forgot",
    operation_id="forgot_password",
    summary="Ask for a link that resets the password",
    auth=None,
    response={202: None, **problems(409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def forgot_password(request: HttpRequest, body: Forgot) -> Status[Any]:
    """A mail with a link is sent if the address has an account. The answer is the same if it has none."""
    recovery.forgot(email=body.email)
    return Status(202, None)


@router.post(
    "/password/reset",
    operation_id="reset_password",
    summary="Set a new password with a link",
    auth=None,
    response={204: None, **problems(409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def reset_password(request: HttpRequest, body: Reset) -> Status[Any]:
    """Every session, token and API key of the account ends. `422 invalid_link` for a link that does not count."""
    recovery.reset(token=body.token, password=body.password)
    return Status(204, None)


@router.post(
    "/email/verify",
    operation_id="verify_email",
    summary="Confirm an address with a link",
    auth=None,
    response={204: None, **problems(409, 413, 415, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def verify_email(request: HttpRequest, body: LinkToken) -> Status[Any]:
    """`422 invalid_link` for a link that does not count."""
    verification.confirm(token=body.token)
    return Status(204, None)


@router.post(
    "/email/verify/resend",
    operation_id="resend_verification",
    summary="Send the link that confirms my address again",
    auth=MEMBERS,
    response={202: None, **problems(401, 403, 409, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def resend_verification(request: HttpRequest) -> Status[Any]:
    """`409 already_verified` when there is nothing to confirm."""
    verification.resend(principal=require_principal(request))
    return Status(202, None)
