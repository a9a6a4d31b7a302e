"""Who may do what: every route x every kind of caller, in one table.

The routes are held against the URL resolver and the OpenAPI document: a route without a row fails.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import service
from orgportal import database
from orgportal.errors import PortalError
from tests.answers import Answer
from tests.wire.callers import CALLERS, Caller
from tests.wire.people import principal_with
from tests.wire.routes import ROUTES, Route, operations_of_the_document, routes_of_the_resolver

pytestmark = pytest.mark.usefixtures("clean_database")

PUBLIC = {
    "/",
    "/healthz",
    "/readyz",
    "/.well-known/jwks.json",
    "/login",
    "/logout",
    "/signup",
    "/signup/name",
    "/theme",
}

# A number is a status, a word the beginning of the page that a redirect leads to. The columns are those of CALLERS.
# Pages are called by cookie, the API by token and by cookie; `mix` is 401 by token and 201 by cookie. `both` sends a
# bad token beside a good cookie, `csrf` a good cookie without the CSRF token. The callers from `sett` to `tamp` hold
# credentials that do not count (any more), so that a page takes them for anonymous. The stranger owns another
# organization than the path names.
TABLE = """
                                  anon view edit admi owne stra unde rena sett dele susp gone remo pass expi tamp both csrf
GET /healthz                      200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
GET /readyz                       200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
GET /.well-known/jwks.json        200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
GET /api/v1/openapi.json          200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
GET /api/v1/docs                  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
POST /api/v1/auth/login           200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
POST /api/v1/auth/refresh         200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
POST /api/v1/auth/logout          401  204  204  204  204  204  204  204  401  401  401  401  401  401  401  401  401  403
GET /api/v1/auth/me               401  200  200  200  200  200  200  200  401  401  401  401  401  401  401  401  401  200
POST /api/v1/orgs signing up      201  201  201  201  201  201  201  201  mix  mix  mix  mix  mix  mix  mix  mix  401  403
POST /api/v1/orgs adding          401  201  201  201  201  201  201  201  401  401  401  401  401  401  401  401  401  403
GET /api/v1/orgs                  401  200  200  200  200  200  200  200  401  401  401  401  401  401  401  401  401  200
GET /api/v1/orgs/{org}            401  200  200  200  200  404  404  200  401  401  401  401  401  401  401  401  401  200
PATCH /api/v1/orgs/{org}          401  403  403  200  200  404  404  503  401  401  401  401  401  401  401  401  401  403
PATCH /api/v1/orgs/{org} renaming 401  403  403  200  200  404  404  503  401  401  401  401  401  401  401  401  401  403
DELETE /api/v1/orgs/{org}         401  403  403  403  204  404  404  503  401  401  401  401  401  401  401  401  401  403
GET /                             200  dash dash dash dash dash dash dash 200  200  200  200  200  200  200  200  200  dash
POST /theme                       home home home home home home home home home home home home home home home home home 403
GET /login                        200  dash dash dash dash dash dash dash 200  200  200  200  200  200  200  200  401  dash
POST /login                       dash dash dash dash dash dash dash dash dash dash dash dash dash dash dash dash 401  403
POST /logout                      home home home home home home home home home home home home home home home home 401  403
GET /account                      logi 200  200  200  200  200  200  200  logi logi logi logi logi logi logi logi 401  200
POST /account                     logi acco acco acco acco acco acco acco logi logi logi logi logi logi logi logi 401  403
GET /signup                       200  new  new  new  new  new  new  new  200  200  200  200  200  200  200  200  401  new
POST /signup                      dash dash dash dash dash dash dash dash dash dash dash dash dash dash dash dash 401  403
GET /signup/name                  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200  200
GET /new                          logi 200  200  200  200  200  200  200  logi logi logi logi logi logi logi logi 401  200
POST /new                         logi dash dash dash dash dash dash dash logi logi logi logi logi logi logi logi 401  403
GET /choose                       logi 200  200  200  200  200  200  200  logi logi logi logi logi logi logi logi 401  200
POST /choose                      logi dash dash dash dash 404  dash dash logi logi logi logi logi logi logi logi 401  403
GET /dashboard                    logi 200  200  200  200  200  choo prog logi logi logi logi logi logi logi logi 401  200
GET /progress                     logi dash dash dash dash dash choo 200  logi logi logi logi logi logi logi logi 401  dash
GET /settings                     logi 403  403  200  200  200  choo 200  logi logi logi logi logi logi logi logi 401  200
POST /settings                    logi 403  403  sett sett 409  choo 503  logi logi logi logi logi logi logi logi 401  403
GET /delete                       logi 403  403  403  200  200  choo 200  logi logi logi logi logi logi logi logi 401  200
POST /delete                      logi 403  403  403  home 422  choo 503  logi logi logi logi logi logi logi logi 401  403
"""  # noqa: E501

# After these outcomes the caller goes on to the next route, and nothing may have changed.
REFUSALS = {"400", "401", "403", "404", "409", "422", "503", "logi", "choo"}


MIXED = ["401", "201"]


def expectations() -> dict[str, dict[str, str]]:
    """The table as outcome by route and caller."""
    head, *rows = TABLE.strip("\n").splitlines()
    assert head.split() == [name[:4] for name in CALLERS]
    cells = [row.rsplit(maxsplit=len(CALLERS)) for row in rows]
    return {row[0]: dict(zip(CALLERS, row[1:], strict=True)) for row in cells}


def outcome_of(response: Answer) -> str:
    if response.status_code == 302:
        return response["Location"].split("?")[0].strip("/")[:4] or "home"
    return str(response.status_code)


def cells_of(who: str, caller: Caller) -> Iterator[tuple[Route, str, str]]:
    """Each route, each way that this caller has to call it, and what the table promises."""
    for route in ROUTES:
        promised = expectations()[route.name][who]
        ways = caller.ways if route.is_api else caller.ways[-1:]
        outcomes = MIXED if promised == "mix" else [promised] * len(ways)
        for way, outcome in zip(ways, outcomes, strict=True):
            yield route, way, outcome


def everything() -> list[Any]:
    """Every organization and account, to see whether any changed."""
    return [list(database.collection(name).find({}).sort("_id", 1)) for name in ("organizations", "accounts")]


@pytest.mark.parametrize("who", list(CALLERS))
def test_every_route_gives_each_caller_what_the_table_says(who: str) -> None:
    make = CALLERS[who]
    lasting, wrong = make(), []
    for route, way, promised in cells_of(who, lasting):
        refused = promised in REFUSALS and not route.is_safe
        caller = make() if route.spends and not refused else lasting
        before = everything() if refused else None
        found = outcome_of(caller.call(route, way))
        if found != promised:
            wrong.append(f"{route.name} by {way}: {found}, not {promised}")
        if refused and before != everything():
            wrong.append(f"{route.name} by {way}: refused, and yet something changed")
    assert not wrong, "\n".join(wrong)


PAGES = [route for route in ROUTES if not route.is_api and route.path not in PUBLIC]


@pytest.mark.parametrize("route", PAGES, ids=[route.name for route in PAGES])
def test_no_token_opens_a_private_page(route: Route) -> None:
    """The dashboard shows a new access token: a token that opened it would never run out."""
    assert outcome_of(CALLERS["owner"]().call(route, "token")) == "401"


def test_a_token_cannot_be_exchanged_for_a_later_one() -> None:
    principal = principal_with(CALLERS["owner"]().token)
    with pytest.raises(PortalError) as refused:
        service.access_token(principal=principal)
    assert refused.value.status == 403


def test_every_route_is_listed() -> None:
    assert {route.path for route in ROUTES} | {"/api/v1/"} == routes_of_the_resolver()
    listed = {" ".join(route.name.split(" ")[:2]) for route in ROUTES if route.is_api}
    assert listed - {"GET /api/v1/openapi.json", "GET /api/v1/docs"} == operations_of_the_document()
    assert [route.name for route in ROUTES] == list(expectations())


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_a_route_has_the_methods_of_the_table_and_no_other(path: str) -> None:
    known = {route.method for route in ROUTES if route.path == path}
    methods = known | ({"HEAD"} if "GET" in known else set())
    owner = CALLERS["owner"]()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        if method in methods:
            continue
        answer = owner.call(Route(f"{method} {path}"), "token" if path.startswith("/api/") else "cookie")
        assert answer.status_code == 405, f"{method}: {answer.status_code}"
        assert set(re.split(r",\s*", answer["Allow"])) == methods, method


def test_the_root_of_the_api_is_nothing() -> None:
    assert Client().get("/api/v1/").status_code == 404
