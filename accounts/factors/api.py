"""Endpoints of the second factor, and of entering the password again."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts import sudo
from accounts.authentication import require_principal
from accounts.factors import service
from accounts.factors.schemas import (
    Confirmation,
    NewSecondFactor,
    PasswordAgain,
    RecoveryCodes,
    SecondFactor,
    SudoUntil,
)
from orgportal.conventions import idempotent
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, headers_of, problems

router = Router(tags=["Authentication"])


@router.post(
    "/sudo",
    operation_id="sudo",
    summary="Enter the password again",
    auth=MEMBERS,
    response={200: SudoUntil, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def enter_password_again(request: HttpRequest, body: PasswordAgain) -> SudoUntil:
    """Changes of security need a password that was entered a moment ago: at the login, or here.

    Without it they answer `403 sudo_required`. It counts for this session, or for every token of this login.
    """
    until = sudo.confirm(principal=require_principal(request), password=body.password, otp=body.otp)
    return SudoUntil(sudo_until=until)


@router.get(
    "/second-factor",
    operation_id="get_second_factor",
    summary="Look at my second factor",
    auth=MEMBERS,
    response={200: SecondFactor, **problems(401, 403)},
)
def get_second_factor(request: HttpRequest) -> SecondFactor:
    """Whether a login of this account wants more than the password: a code of an authenticator app, or a passkey."""
    return SecondFactor.of(service.status(principal=require_principal(request)))


@router.post(
    "/second-factor",
    operation_id="begin_second_factor",
    summary="Begin to set up a second factor",
    auth=MEMBERS,
    response={201: NewSecondFactor, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def begin_second_factor(request: HttpRequest) -> Status[Any]:
    """A new key for an authenticator app. Nothing changes until a code of it is confirmed within half an hour.

    `403 sudo_required` when the password was entered too long ago, `409 second_factor_on` when there is an app already.
    """
    return Status(201, NewSecondFactor.of(service.begin(principal=require_principal(request))))


@router.post(
    "/second-factor/confirm",
    operation_id="confirm_second_factor",
    summary="Switch the second factor on",
    auth=MEMBERS,
    response={200: RecoveryCodes, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def confirm_second_factor(request: HttpRequest, body: Confirmation) -> RecoveryCodes:
    """The first right code switches it on. The answer has the recovery codes, this once.

    Every other session, token and API key of the account ends; the caller's goes on. Beside a passkey nothing ends, and
    the recovery codes that there are stay good: the answer has none.
    """
    return RecoveryCodes(recovery_codes=service.confirm(principal=require_principal(request), otp=body.otp))


@router.post(
    "/second-factor/remove",
    operation_id="remove_second_factor",
    summary="Switch the second factor off",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def remove_second_factor(request: HttpRequest) -> Status[Any]:
    """Takes the app away. Without a passkey the password alone opens the account again.

    Every other session, token and API key of the account ends.

    `409 password_too_short` when the password is long enough only beside a second factor: set a longer one first.
    """
    service.switch_off(principal=require_principal(request))
    return Status(204, None)


@router.post(
    "/second-factor/recovery-codes",
    operation_id="renew_recovery_codes",
    summary="Make new recovery codes",
    auth=MEMBERS,
    response={200: RecoveryCodes, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def renew_recovery_codes(request: HttpRequest) -> RecoveryCodes:
    """Ten new ones, this once; the earlier ones work no more."""
    return RecoveryCodes(recovery_codes=service.renew_recovery_codes(principal=require_principal(request)))
