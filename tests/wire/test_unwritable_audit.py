"""When the audit cannot be written, nothing happens that would have to be in it: 503, and all is as before."""

from collections.abc import Iterator
from typing import Any

import pytest

from orgportal import database
from tests.effort import FULL
from tests.scripts import Script, body_of, problem_of, sign_up
from tests.wire.callers import CALLERS
from tests.wire.routes import ROUTES, Route
from tests.wire.test_audited import BY_A_VISITOR, SILENT

AUDITED = [route for route in ROUTES if not route.is_safe and route.name not in SILENT]
# The suite looks at these; `make chaos` at all.
SOME = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login/passkey",
    "POST /api/v1/auth/logout",
    "POST /api/v1/orgs signing up",
    "PATCH /api/v1/orgs/{org}",
    "PATCH /api/v1/orgs/{org} renaming",
    "DELETE /api/v1/orgs/{org}",
    "POST /api/v1/orgs/{org}/records/delete-matching",
    "POST /account",
    "POST /choose",
    "POST /members/{member}/remove",
}
# What counts, and what stays: not how often something was tried, and what answers it got.
LASTING = ("accounts", "organizations", "sessions", "api_keys", "invitations")


@pytest.fixture
def unwritable(clean_database: None) -> Iterator[Any]:
    """Makes the database refuse every entry from now on: `unwritable()`."""

    def refuse() -> None:
        for name in ("audit", "audit_tallies"):
            database.master().command("collMod", name, validator={"never": {"$exists": True}})

    yield refuse
    for name in ("audit", "audit_tallies"):
        database.master().command("collMod", name, validator={})


def _state() -> dict[str, list[Any]]:
    """Everything that lasts; when it was last seen does not."""
    found: dict[str, list[Any]] = {}
    for name in LASTING:
        rows = database.collection(name).find({}).sort("_id", 1)
        found[name] = [{key: row[key] for key in row if key not in {"seen_at", "idle_until"}} for row in rows]
    return found


@pytest.mark.parametrize(
    "route", [route for route in AUDITED if FULL or route.name in SOME], ids=lambda route: str(route.name)
)
def test_what_cannot_be_written_down_does_not_happen(route: Route, unwritable: Any) -> None:
    caller = CALLERS["anonymous" if route.name in BY_A_VISITOR else "owner"]()
    way = "token" if route.is_api else "cookie"
    caller.request(route, way)
    unwritable()
    before = _state()

    answer = caller.call(route, way)

    assert answer.status_code == 503, (route.name, answer.status_code)
    assert _state() == before


def test_it_is_said_to_be_the_audit_and_a_try_later_succeeds(unwritable: Any) -> None:
    sign_up("Acme")
    unwritable()
    login = {"email": "owner@acme.example", "password": "a long walk on the beach"}
    refused = Script().post("/api/v1/auth/login", login)
    assert problem_of(refused) == (503, "audit_unavailable")
    assert refused["Retry-After"] == "2"
    database.master().command("collMod", "audit", validator={})
    assert "access_token" in body_of(Script().post("/api/v1/auth/login", login))


def test_a_sign_up_that_cannot_be_written_down_leaves_its_name_free(unwritable: Any) -> None:
    unwritable()
    body = {"organization_name": "Acme", "email": "a@acme.example", "password": "a long walk on the beach"}
    assert problem_of(Script().post("/api/v1/orgs", body)) == (503, "audit_unavailable")
    assert database.collection("organizations").find_one({}) is None
    assert "org_acme" not in database.master().list_collection_names()
    for name in ("audit", "audit_tallies"):
        database.master().command("collMod", name, validator={})
    assert Script().post("/api/v1/orgs", body).status_code == 201
