"""One's own sessions: browser sessions and families of tokens, each with where it was used last."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId

from accounts import audit, sessions
from accounts.agents import family_of
from accounts.directory import directory
from accounts.documents import SESSIONS
from accounts.principal import Principal
from accounts.scopes import require_person
from accounts.tokens import digest, now
from orgportal import database
from orgportal.errors import not_found, unauthenticated

_SHOWN = {"kind": 1, "org_id": 1, "generation": 1, "address": 1, "agent": 1, "remembered": 1, **sessions.TIMES}


@dataclass(frozen=True)
class OwnSession:
    """A session that counts. `kind` "token" is what a program got at a login; `device` is in plain words.

    `id` tells it from the account's others and says nothing about the credential. `organization` is empty while none
    is chosen.
    """

    id: ObjectId
    kind: Literal["session", "token"]
    organization: str
    device: str
    address: str
    created_at: datetime
    seen_at: datetime
    is_current: bool
    is_remembered: bool


def list_sessions(*, principal: Principal, limit: int, after: ObjectId | None = None) -> list[OwnSession]:
    """The caller's sessions, the newest first, from the one after `after`; at most `limit` + 1.

    Raises PortalError 403 for an API key.
    """
    require_person(principal)
    rows = sorted(_rows(principal), key=handle_of, reverse=True)
    page = [row for row in rows if after is None or handle_of(row) < after][: limit + 1]
    names = {one.id: one.name for one in directory().open_ones({row["org_id"] for row in page if row["org_id"]})}
    return [_own(row, names.get(row["org_id"], ""), principal) for row in page]


def end_session(*, principal: Principal, handle: ObjectId) -> bool:
    """End one of the caller's sessions, with every token that came from it. Whether it was the one that calls.

    It is refused from the next request on. Raises PortalError 403 for an API key, 404 when there is none such.
    """
    require_person(principal)
    row = next((row for row in _rows(principal) if handle_of(row) == handle), None)
    if row is None:
        raise not_found()
    details = {"device": family_of(row.get("agent", ""))}
    with audit.act(
        action="session.revoked", org_ids=_organizations([row], principal), actor=principal, details=details
    ):
        if not sessions.end(row["_id"]):
            raise not_found()
    return bool(row["_id"] == principal.session_id)


def end_other_sessions(*, principal: Principal) -> int:
    """End all of the caller's sessions but the one that calls; how many there were. Raises PortalError 403, 401."""
    require_person(principal)
    others = [row for row in _rows(principal) if row["_id"] != principal.session_id]
    with audit.act(
        action="session.others_ended",
        org_ids=_organizations(others, principal),
        actor=principal,
        details={"sessions": len(others)},
    ):
        ended = sessions.end_others_of_account(principal.account_id, keep=principal.session_id)
    if sessions.live(principal.session_id) is None:
        raise unauthenticated()
    return ended


def _rows(principal: Principal) -> Iterator[Mapping[str, Any]]:
    """The account's sessions that have not run out, for none or an organization that it still belongs to."""
    moment = now()
    current = sessions.live(principal.session_id)
    if current is None:
        raise unauthenticated()
    places = {one.org_id for one in current.memberships} | {None}
    for row in database.collection(SESSIONS).find({"account_id": principal.account_id}, _SHOWN):
        runs = moment < row["expires_at"] and moment < row["idle_until"]
        if runs and row["generation"] == current.generation and row["org_id"] in places:
            yield row


def handle_of(row: Mapping[str, Any]) -> ObjectId:
    """When it was opened, to the millisecond, and a little of a digest: in the order of time, and unlike any other."""
    milliseconds = int(row["created_at"].timestamp() * 1000)
    return ObjectId(f"{milliseconds:012x}{digest('session handle ' + row['_id'])[:12]}")


def _own(row: Mapping[str, Any], organization: str, principal: Principal) -> OwnSession:
    return OwnSession(
        id=handle_of(row),
        kind=row["kind"],
        organization=organization,
        device=family_of(row.get("agent", "")),
        address=row.get("address", ""),
        created_at=row["created_at"],
        seen_at=row["seen_at"],
        is_current=row["_id"] == principal.session_id,
        is_remembered=bool(row.get("remembered")),
    )


def _organizations(rows: list[Mapping[str, Any]], principal: Principal) -> list[ObjectId]:
    """Those that the sessions are for; a session without one concerns all of the account's."""
    if any(row["org_id"] is None for row in rows):
        return [one.org_id for one in principal.memberships]
    return list(dict.fromkeys(row["org_id"] for row in rows))
