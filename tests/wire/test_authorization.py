"""Who may do what: every route x every kind of caller, in one table that is made from `accounts.roles.ACTIONS`.

The routes are held against the URL resolver and the OpenAPI document: a route that is not listed fails. Pages are
called by cookie, the API by token and by cookie, or by key. `python -m pytest -k whole_table -s` prints the table.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts import service
from accounts.roles import ACTION
from orgportal.api import api
from orgportal.errors import PortalError
from orgportal.management.commands.roles import page
from tests.answers import Answer
from tests.effort import FULL, effort
from tests.wire.callers import CALLERS, KEY_CALLERS, Caller
from tests.wire.ears import EAR, Heard
from tests.wire.people import principal_with
from tests.wire.promises import promised, table
from tests.wire.routes import DEAD, ROUTES, Route, operations_of_the_document, routes_of_the_resolver

pytestmark = pytest.mark.usefixtures("clean_database", "ear")

EVERYBODY = (*CALLERS, *KEY_CALLERS)
# Whose credentials count no more, and keys that differ in their role alone: in the suite they share the routes among
# themselves, so that each route is tried with some of them; `make chaos` tries all with all.
ALIKE = (
    *DEAD,
    "both, the token bad",
    *(name for name, key in KEY_CALLERS.items() if not key.counts),
    "key of editor",
    "key of admin",
    "key of one demoted",
)
SHARES = 12
TRIED_IN_FULL = tuple(who for who in EVERYBODY if who not in ALIKE)

FOREIGN_METHODS = effort(short=3, full=9)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
WRITES = {"insert", "update", "delete", "findAndModify"}

# After these outcomes the caller goes on to the next route, and nothing may have changed.
REFUSALS = {"400", "401", "403", "404", "409", "422", "503", "logi", "choo"}


# By token, by cookie.
MIXED = ["401", "201"]


def outcome_of(response: Answer) -> str:
    if response.status_code == 302:
        return response["Location"].split("?")[0].strip("/")[:4] or "home"
    return str(response.status_code)


def cells_of(who: str, caller: Caller, routes: Sequence[Route]) -> Iterator[tuple[Route, str, str]]:
    """Each route, each way that this caller has to call it, and what the table promises. Keys call the API only."""
    for number, route in enumerate(routes, start=EVERYBODY.index(who)):
        if (who in KEY_CALLERS and not route.is_api) or not (FULL or is_tried(route, who)):
            continue
        outcome = promised(route, who)
        ways = caller.ways if route.is_api else caller.ways[-1:]
        outcomes = MIXED if outcome == "mix" else [outcome] * len(ways)
        cells = [(route, way, one) for way, one in zip(ways, outcomes, strict=True)]
        # In the suite each route is called by token or by cookie in turn; `make chaos` calls it by both.
        yield from cells if FULL or outcome == "mix" else [cells[number % len(cells)]]


def is_tried(route: Route, who: str) -> bool:
    """In the suite everything that is refused is tried, and what is not by some of those who may.

    By the least of them, since that is where what is allowed begins, and by another from route to route.
    """
    if promised(route, who) != route.ok or who in ALIKE:
        return True
    kind = KEY_CALLERS if who in KEY_CALLERS else CALLERS
    least, *others = [one for one in TRIED_IN_FULL if one in kind and promised(route, one) == route.ok]
    return who == least or who == others[ROUTES.index(route) % len(others)]


def changed_by(heard: Heard) -> list[str]:
    """The writes to what organizations are and have, and to who belongs to them."""
    kept = ("organizations", "accounts", "org_")
    return [name for name in heard.names if name.split()[0] in WRITES and name.split()[1].startswith(kept)]


@pytest.mark.parametrize("who", TRIED_IN_FULL)
def test_every_route_gives_each_caller_what_the_table_says(who: str) -> None:
    check(who, ROUTES)


@pytest.mark.parametrize("who", ALIKE)
def test_a_share_of_the_routes_gives_each_of_those_alike_what_the_table_says(who: str) -> None:
    check(who, ROUTES[ALIKE.index(who) % SHARES :: SHARES])


@pytest.mark.long
@pytest.mark.parametrize("who", ALIKE)
def test_every_route_gives_each_of_those_alike_what_the_table_says(who: str) -> None:
    check(who, ROUTES)


def check(who: str, routes: Sequence[Route]) -> None:
    """Make the calls of one column of the table, and compare."""
    make = KEY_CALLERS[who].make if who in KEY_CALLERS else CALLERS[who]
    lasting, wrong = make(), []
    for route, way, outcome in cells_of(who, lasting, routes):
        refused = outcome in REFUSALS and outcome != route.ok and not route.is_safe
        caller = make() if route.spends and not refused else lasting
        # First, for what the call names may have to be made.
        caller.request(route, way)
        with EAR.listening() as heard:
            found = outcome_of(caller.call(route, way))
        if found != outcome:
            wrong.append(f"{route.name} by {way}: {found}, not {outcome}")
        if refused and changed_by(heard):
            wrong.append(f"{route.name} by {way}: refused, and yet {changed_by(heard)}")
    assert not wrong, "\n".join(wrong)


def test_no_token_and_no_key_opens_a_private_page() -> None:
    """The dashboard shows a new access token: a token that opened it would never run out."""
    for caller in (CALLERS["owner"](), KEY_CALLERS["key of owner"].make()):
        for route in ROUTES:
            if not route.is_api and route.allows not in {"everybody", "visitors"}:
                assert outcome_of(caller.call(route, "token")) == "401", route.name


def test_a_token_cannot_be_exchanged_for_a_later_one() -> None:
    principal = principal_with(CALLERS["owner"]().token)
    with pytest.raises(PortalError) as refused:
        service.access_token(principal=principal)
    assert refused.value.status == 403


def test_every_route_is_listed() -> None:
    assert {route.path for route in ROUTES} | {"/api/v1/"} == routes_of_the_resolver()
    listed = {" ".join(route.name.split(" ")[:2]) for route in ROUTES if route.is_api}
    assert listed - {"GET /api/v1/openapi.json", "GET /api/v1/docs"} == operations_of_the_document()
    assert len({route.name for route in ROUTES}) == len(ROUTES)


def test_every_action_has_a_route_and_every_route_an_action() -> None:
    acted = {route.allows for route in ROUTES} - {"everybody", "visitors", "accounts"}
    assert acted == set(ACTION)


def test_the_document_of_roles_is_made_from_the_same_table() -> None:
    written = (Path(settings.BASE_DIR) / "docs" / "roles.md").read_text(encoding="utf-8")
    assert written == page(), "run `manage.py roles --write-docs`"


def test_an_operation_takes_keys_exactly_where_the_table_lets_a_scope_in() -> None:
    paths = api.get_openapi_schema()["paths"]
    for route in (route for route in ROUTES if route.is_api and route.path in paths):
        schemes = {name for one in paths[route.path][route.method.lower()].get("security", []) for name in one}
        wanted = route.keys if route.allows not in ACTION else ACTION[route.allows].scope
        assert ("ApiKey" in schemes) == bool(wanted), route.name


def test_a_route_has_the_methods_of_the_table_and_no_other() -> None:
    owner, wrong = CALLERS["owner"](), []
    for number, path in enumerate(sorted({route.path for route in ROUTES})):
        known = {route.method for route in ROUTES if route.path == path}
        methods = known | ({"HEAD"} if "GET" in known else set())
        foreign = sorted(METHODS - methods)
        for method in (foreign[number % len(foreign) :] + foreign)[:FOREIGN_METHODS]:
            answer = owner.call(Route(f"{method} {path}"), "token" if path.startswith("/api/") else "cookie")
            allowed = set(re.split(r",\s*", answer.headers.get("Allow", "")))
            if (answer.status_code, allowed) != (405, methods):
                wrong.append(f"{method} {path}: {answer.status_code}, Allow {sorted(allowed)}")
    assert not wrong, "\n".join(wrong)


def test_the_root_of_the_api_is_nothing() -> None:
    assert Client().get("/api/v1/").status_code == 404


def test_the_whole_table_can_be_printed() -> None:
    text = table(ROUTES)
    print(text)
    assert len(text.splitlines()) == len(ROUTES) + 1
