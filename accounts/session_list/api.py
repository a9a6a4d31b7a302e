"""Endpoints for one's own sessions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from accounts.authentication import clear_session_cookie, require_principal
from accounts.session_list import service
from accounts.session_list.schemas import Ended, Session, SessionList
from orgportal.conventions import cursor_after, read_cursor
from orgportal.conventions.callers import MEMBERS
from orgportal.conventions.identities import IdInPath, object_id
from orgportal.conventions.schemas import ListParameters, problems

router = Router(tags=["Authentication"])
LISTING = "sessions"


@router.get(
    "/sessions",
    operation_id="list_sessions",
    summary="Where am I logged in?",
    auth=MEMBERS,
    response={200: SessionList, **problems(401, 403, 422)},
)
def list_sessions(request: HttpRequest, query: ListParameters) -> SessionList:
    """The account's browser sessions and tokens, in every organization, the newest first."""
    after = read_cursor(query.cursor, listing=LISTING)
    found = service.list_sessions(principal=require_principal(request), limit=query.limit, after=after)
    page = found[: query.limit]
    return SessionList(
        items=[Session.of(session) for session in page],
        next_cursor=cursor_after(page[-1].id, listing=LISTING) if len(found) > query.limit else None,
    )


@router.delete(
    "/sessions",
    operation_id="end_other_sessions",
    summary="Log out everywhere else",
    auth=MEMBERS,
    response={200: Ended, **problems(401, 403)},
)
def end_other_sessions(request: HttpRequest) -> Ended:
    """End every session and token of the account but the one that calls."""
    return Ended(ended=service.end_other_sessions(principal=require_principal(request)))


@router.delete(
    "/sessions/{session_id}",
    operation_id="end_own_session",
    summary="End a session",
    auth=MEMBERS,
    response={204: None, **problems(401, 403, 404)},
)
def end_session(request: HttpRequest, response: HttpResponse, session_id: IdInPath) -> Status[Any]:
    """It is refused from the next request on, with every token that came from it."""
    principal = require_principal(request)
    if service.end_session(principal=principal, handle=object_id(session_id)) and principal.method == "session":
        clear_session_cookie(response)
    return Status(204, None)
