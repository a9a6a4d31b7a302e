"""The page of one's own sessions."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import clear_session_cookie, require_principal
from accounts.session_list import service
from orgportal.conventions import cursor_after, read_cursor
from orgportal.conventions.identities import object_id

LISTING = "sessions_page"
PER_PAGE = 25


@require_safe
def own_sessions(request: HttpRequest) -> HttpResponse:
    """Where one is logged in."""
    after = read_cursor(request.GET.get("cursor"), listing=LISTING)
    found = service.list_sessions(principal=require_principal(request), limit=PER_PAGE, after=after)
    shown = found[:PER_PAGE]
    cursor = cursor_after(shown[-1].id, listing=LISTING) if len(found) > PER_PAGE else ""
    return render(request, "accounts/sessions.html", {"sessions": shown, "cursor": cursor, "is_first": after is None})


@require_POST
def session_end(request: HttpRequest, session_id: str) -> HttpResponse:
    """End one; this one is logging out."""
    ended_here = service.end_session(principal=require_principal(request), handle=object_id(session_id))
    if not ended_here:
        messages.success(request, "The session has ended.")
        return redirect("own_sessions")
    messages.success(request, "You are logged out.")
    response = redirect("landing")
    clear_session_cookie(response)
    return response


@require_POST
def sessions_end_others(request: HttpRequest) -> HttpResponse:
    """Log out everywhere else."""
    ended = service.end_other_sessions(principal=require_principal(request))
    said = (
        "There was no other session."
        if not ended
        else f"{ended} other session{'s have' if ended > 1 else ' has'} ended."
    )
    messages.success(request, said)
    return redirect("own_sessions")
