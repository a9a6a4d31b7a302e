"""Endpoints of passkeys: one's own, logging in with one, and showing one before a change of security."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from ninja.decorators import decorate_view

from accounts import service as accounts
from accounts.authentication import require_principal
from accounts.cookies import device_of
from accounts.factors.schemas import SudoUntil
from accounts.passkeys import login, service
from accounts.passkeys.schemas import (
    AddedPasskey,
    NewPasskey,
    Passkey,
    PasskeyConfirmation,
    PasskeyList,
    PasskeyLogin,
    PasskeyLoginBegin,
    PasskeyName,
    PasskeyOptions,
)
from accounts.schemas import ChooseOrganization, Tokens
from orgportal.conventions import idempotent
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.identities import IdInPath, object_id
from orgportal.conventions.schemas import IDEMPOTENCY_KEY, headers_of, problems

router = Router(tags=["Passkeys"])


@router.get(
    "/passkeys",
    operation_id="list_passkeys",
    summary="List my passkeys",
    auth=MEMBERS,
    response={200: PasskeyList, **problems(401, 403)},
)
def list_passkeys(request: HttpRequest) -> PasskeyList:
    """All of the account's, the oldest first: ten at most, so there are no pages."""
    found = service.list_passkeys(principal=require_principal(request))
    return PasskeyList(items=[Passkey.of(one) for one in found])


@router.post(
    "/passkeys/options",
    operation_id="begin_passkey",
    summary="Begin to add a passkey",
    auth=MEMBERS,
    response={200: PasskeyOptions, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def begin_passkey(request: HttpRequest) -> PasskeyOptions:
    """What `navigator.credentials.create()` needs. Nothing changes until its answer is sent to `POST /auth/passkeys`.

    `403 sudo_required` when the password was entered too long ago, `409 too_many_passkeys` with ten of them,
    `409 passkeys_unavailable` where the portal has no host name that passkeys could be for.
    """
    return PasskeyOptions(publicKey=service.begin(principal=require_principal(request)))


@router.post(
    "/passkeys",
    operation_id="add_passkey",
    summary="Add a passkey",
    auth=MEMBERS,
    response={201: AddedPasskey, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def add_passkey(request: HttpRequest, body: NewPasskey) -> Status[Any]:
    """Keep what the browser made. The user must have been verified by the device; no attestation is needed.

    As the account's first second factor it comes with recovery codes, and every other session, token and API key of
    the account ends; the caller's goes on. `409 passkey_taken` when an account has this passkey already.
    """
    added, codes = service.add(
        principal=require_principal(request), name=body.name, attestation=body.credential.decoded()
    )
    return Status(201, AddedPasskey(**Passkey.of(added).model_dump(), recovery_codes=codes))


@router.patch(
    "/passkeys/{passkey_id}",
    operation_id="rename_passkey",
    summary="Rename a passkey",
    auth=MEMBERS,
    response={200: Passkey, **problems(401, 403, 404, 413, 415, 422)},
)
def rename_passkey(request: HttpRequest, body: PasskeyName, passkey_id: IdInPath) -> Passkey:
    """Give it another name."""
    principal = require_principal(request)
    return Passkey.of(service.rename(principal=principal, passkey_id=object_id(passkey_id), name=body.name))


@router.delete(
    "/passkeys/{passkey_id}",
    operation_id="remove_passkey",
    summary="Remove a passkey",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 404, 409)},
)
def remove_passkey(request: HttpRequest, passkey_id: IdInPath) -> Status[Any]:
    """It opens the account no more. Every other session, token and API key of the account ends.

    Where it was the only second factor, the password alone opens the account again; `409 password_too_short` when the
    password is long enough only beside a second factor.
    """
    service.remove(principal=require_principal(request), passkey_id=object_id(passkey_id))
    return Status(204, None)


@router.post(
    "/login/passkey/options",
    operation_id="begin_passkey_login",
    summary="Begin to log in with a passkey",
    auth=None,
    response={200: PasskeyOptions, **problems(401, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def begin_passkey_login(request: HttpRequest, body: PasskeyLoginBegin) -> PasskeyOptions:
    """What `navigator.credentials.get()` needs.

    With `{}` for a passkey alone: the user picks one, is verified by the device, and that is both factors. With an
    email and a password, for a passkey of that account as the second factor: `401 invalid_credentials` for every wrong
    pair, `409 no_passkey` only after a right one.
    """
    if body.email is None or body.password is None:
        return PasskeyOptions(publicKey=login.begin())
    device = device_of(request)
    found = login.begin_with_password(email=body.email, password=body.password, device=device)
    return PasskeyOptions(publicKey=found)


@router.post(
    "/login/passkey",
    operation_id="login_with_passkey",
    summary="Log in with a passkey",
    auth=None,
    response={200: Tokens, **problems(401, 413, 415, 422, 429), 409: ChooseOrganization},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def login_with_passkey(request: HttpRequest, body: PasskeyLogin) -> Tokens:
    """Exchange the answer to the options for an access token and a refresh token.

    Everything that is not right is `401 invalid_passkey`, in the same words. A challenge is good once: begin anew after
    any refusal, `409 choose_organization` included.
    """
    logged_in = login.log_in(
        assertion=body.credential.decoded(), org_slug=body.org, choose_later=False, device=device_of(request)
    )
    return Tokens.of(accounts.issue_tokens(logged_in=logged_in))


@router.post(
    "/sudo/passkey/options",
    operation_id="begin_passkey_sudo",
    summary="Begin to show a passkey again",
    auth=MEMBERS,
    response={200: PasskeyOptions, **problems(401, 403, 409, 422)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def begin_passkey_sudo(request: HttpRequest) -> PasskeyOptions:
    """What `navigator.credentials.get()` needs, before a change of security. `409 no_passkey` without one."""
    return PasskeyOptions(publicKey=login.begin_confirming(principal=require_principal(request)))


@router.post(
    "/sudo/passkey",
    operation_id="passkey_sudo",
    summary="Show a passkey again",
    auth=MEMBERS,
    response={200: SudoUntil, **problems(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra=headers_of(IDEMPOTENCY_KEY),
)
@decorate_view(idempotent)
def passkey_sudo(request: HttpRequest, body: PasskeyConfirmation) -> SudoUntil:
    """In place of the password and a code: the device verifies its user. It counts as `POST /auth/sudo` does."""
    until = login.confirm(principal=require_principal(request), assertion=body.credential.decoded())
    return SudoUntil(sudo_until=until)
