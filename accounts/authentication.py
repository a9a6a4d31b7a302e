"""From a request to the principal who made it, for cookie, token and API key alike."""

import re
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from accounts import api_keys, sessions, tokens
from accounts.principal import Principal
from accounts.scopes import ALL_SCOPES
from accounts.sessions import LiveSession
from orgportal.errors import unauthenticated

_BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]+)", re.ASCII | re.IGNORECASE)
_COOKIE = re.compile(rf"(?:{re.escape(sessions.REMEMBERED)})?[A-Za-z0-9_-]{{43}}", re.ASCII)
_KEPT = "_orgportal_caller"


@dataclass(frozen=True)
class _Caller:
    """What a request's credentials came to, kept for the rest of the request."""

    principal: Principal | None
    refused: bool = False


def principal_of(request: HttpRequest) -> Principal | None:
    """Who makes this request: verified once, in one database round trip, or None for nobody.

    An `Authorization: Bearer` header wins over the cookie, and a bad one raises PortalError 401 even
    beside a good cookie. A dead cookie is nobody. Other schemes are a proxy's business.
    """
    caller: _Caller | None = getattr(request, _KEPT, None)
    if caller is None:
        caller = _identify(request)
        setattr(request, _KEPT, caller)
    if caller.refused:
        raise unauthenticated()
    return caller.principal


def known_principal(request: HttpRequest) -> Principal | None:
    """Who made this request as far as was established already; never asks the database, never raises.

    For error pages and logs.
    """
    caller: _Caller | None = getattr(request, _KEPT, None)
    return caller.principal if caller else None


def was_asked(request: HttpRequest) -> bool:
    """Whether the answer to this request may depend on who made it."""
    return hasattr(request, _KEPT)


def require_principal(request: HttpRequest) -> Principal:
    """Who makes this request. Raises PortalError 401 for nobody."""
    principal = principal_of(request)
    if principal is None:
        raise unauthenticated()
    return principal


def set_session_cookie(response: HttpResponseBase, secret: str) -> None:
    """Give the browser its session. The attributes come from the settings (`__Host-` over https).

    Unless it is to be remembered, the browser forgets it when it is closed.
    """
    remembered = secret.startswith(sessions.REMEMBERED)
    response.set_cookie(
        settings.SESSION_COOKIE_NAME,
        secret,
        max_age=int(settings.REMEMBERED_ABSOLUTE_SECONDS) if remembered else None,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def clear_session_cookie(response: HttpResponseBase) -> None:
    """Take the session from the browser."""
    # Not delete_cookie: a `__Host-` cookie is only replaced by one that is Secure as well.
    response.set_cookie(
        settings.SESSION_COOKIE_NAME,
        "",
        max_age=0,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _identify(request: HttpRequest) -> _Caller:
    authorization = request.headers.get("Authorization", "")
    if authorization.strip().lower().startswith("bearer"):
        principal = _of_bearer(authorization)
        return _Caller(principal, refused=principal is None)
    return _Caller(_of_cookie(request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")))


def _of_bearer(authorization: str) -> Principal | None:
    match = _BEARER.fullmatch(authorization)
    if match is None:
        return None
    if api_keys.looks_like_key(match[1]):
        return api_keys.principal_with(match[1])
    try:
        claims = tokens.read_access(match[1])
    except tokens.BadToken:
        return None
    session = sessions.live(claims.session_id)
    if session is None or session.organization is None or session.account_id != claims.account_id:
        return None
    # The name is part of what was granted: a token from before a rename is refused, not guessed about.
    if session.organization.id != claims.org_id or session.organization.slug != claims.org_name:
        return None
    return _principal(session, "token")


def _of_cookie(secret: str) -> Principal | None:
    if not _COOKIE.fullmatch(secret):
        return None
    session = sessions.live(sessions.id_of_cookie(secret))
    if session is None or session.kind != "session":
        return None
    sessions.touch(session)
    return _principal(session, "session")


def _principal(session: LiveSession, method: sessions.Kind) -> Principal:
    return Principal(
        account_id=session.account_id,
        email=session.email,
        memberships=session.memberships,
        session_id=session.id,
        method=method,
        organization=session.organization,
        role=session.membership.role if session.membership else None,
        read_at=session.read_at,
        scopes=ALL_SCOPES,
        has_second_factor=session.has_second_factor,
        sudo_until=session.sudo_until,
        email_verified=session.email_verified,
    )
