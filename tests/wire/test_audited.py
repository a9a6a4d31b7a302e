"""Whatever changes something is in the audit: every unsafe route writes an entry, or says here why it does not."""

import pytest

from orgportal import database
from tests.wire.callers import CALLERS
from tests.wire.routes import ROUTES, Route

pytestmark = pytest.mark.usefixtures("clean_database")

ONE_BY_ONE = "records are not audited one by one: each says itself who made it, and keeps its revision"
ASKS_FIRST = "it begins something that is written when it happens"
# Nothing comes of these calls: they are refused, or find nothing to do.
NOTHING = "nothing happens in this call"
SILENT: dict[str, str] = {
    "POST /theme": "the colours of one's own browser",
    "POST /api/v1/auth/refresh": "renews what a login that is written began; its second use is written",
    "POST /login/code": NOTHING,
}


def _written() -> int:
    entries = database.collection("audit").count_documents({})
    return entries + sum(row["times"] for row in database.collection("audit_tallies").find({}))


UNSAFE = [route for route in ROUTES if not route.is_safe]


@pytest.mark.parametrize("route", UNSAFE, ids=lambda route: str(route.name))
def test_every_unsafe_route_writes_an_entry(route: Route) -> None:
    caller = CALLERS["owner"]()
    before = _written()
    answer = caller.call(route, "token" if route.is_api else "cookie")
    assert answer.status_code < 500
    wrote = _written() > before
    assert wrote == (route.name not in SILENT), (route.name, answer.status_code)


def test_what_is_silent_is_a_route() -> None:
    assert set(SILENT) <= {route.name for route in UNSAFE}
