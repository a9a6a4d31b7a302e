"""Whatever changes something is in the audit: every unsafe route writes an entry, or says here why it does not."""

import pytest

from orgportal import database
from tests.wire.callers import CALLERS, Caller
from tests.wire.routes import ROUTES, Route

pytestmark = pytest.mark.usefixtures("clean_database")

RECORDS = "records are not audited one by one: each says who made it, and which revision it is"
NOTHING = "nothing comes of this call: it is refused, or finds nothing to do"
LATER = "it only begins what is written when it happens"
SILENT: dict[str, str] = {
    "POST /theme": "the colours of one's own browser",
    "POST /api/v1/auth/refresh": "goes on with a login that is written; a second use is written, too",
    "POST /api/v1/orgs/{org}/schema/check": "reads, and changes nothing",
    "POST /api/v1/auth/second-factor": LATER,
    "POST /records/delete": LATER,
    "POST /api/v1/auth/passkeys/options": LATER,
    "POST /api/v1/auth/login/passkey/options": LATER,
    **dict.fromkeys(
        (
            "POST /api/v1/orgs/{org}/records",
            "PUT /api/v1/orgs/{org}/records/{id}",
            "PATCH /api/v1/orgs/{org}/records/{id}",
            "DELETE /api/v1/orgs/{org}/records/{id}",
            "POST /records/new",
            "POST /records/id/{id}",
            "POST /records/id/{id}/delete",
        ),
        RECORDS,
    ),
    **dict.fromkeys(
        (
            "POST /login/code",
            "POST /login/code/passkey",
            "POST /login/code/passkey/options",
            "POST /account/security/passkeys/new",
            "POST /account/security/passkeys/{passkey_id}",
            "POST /account/security/passkeys/{passkey_id}/remove",
            "POST /api/v1/auth/passkeys",
            "PATCH /api/v1/auth/passkeys/{passkey_id}",
            "DELETE /api/v1/auth/passkeys/{passkey_id}",
            "POST /api/v1/auth/sudo/passkey/options",
            "POST /account/security/begin",
            "POST /account/security/codes",
            "POST /account/security/off",
            "POST /account/security/setup",
            "POST /api/v1/auth/email/verify/resend",
            "POST /api/v1/auth/second-factor/confirm",
            "POST /api/v1/auth/second-factor/recovery-codes",
            "POST /api/v1/auth/second-factor/remove",
            "POST /api/v1/orgs/{org}/imports/{import_id}/cancel",
            "POST /api/v1/orgs/{org}/members/leave",
            "DELETE /api/v1/orgs/{org}/schema",
            "POST /email/change",
            "POST /email/resend",
            "POST /invitations/{invitation_token}",
            "POST /members/leave",
            "POST /records/import",
            "POST /records/imports/{import_id}/cancel",
            "POST /records/schema/off",
            "POST /security",
        ),
        NOTHING,
    ),
}

# Whom a route is for that leads everybody on who is logged in.
BY_A_VISITOR = {"POST /signup"}
UNSAFE = [route for route in ROUTES if not route.is_safe]


def _written() -> tuple[int, int]:
    """How many entries and counted refusals there are, and how long the portal's own chain is."""
    entries = database.collection("audit").count_documents({})
    refusals = sum(row["times"] for row in database.collection("audit_tallies").find({}))
    head = database.collection("audit_heads").find_one({"_id": "portal"})
    return entries + refusals, int(head["seq"]) if head else 0


def test_every_unsafe_route_writes_an_entry_or_says_why_not() -> None:
    visitor, owner = CALLERS["anonymous"](), CALLERS["owner"]()
    wrong = []
    for route in UNSAFE:
        member = CALLERS["owner"]() if route.spends else owner
        status, wrote = _called(route, visitor if route.name in BY_A_VISITOR else member)
        if status >= 500 or wrote != (route.name not in SILENT):
            wrong.append(f"{route.name}: {status}, {'written' if wrote else 'not written'}")
    assert not wrong, "\n".join(wrong)


def _called(route: Route, caller: Caller) -> tuple[int, bool]:
    """The status of the answer, and whether anything came to be in the audit."""
    way = "token" if route.is_api else "cookie"
    # Once for nothing, so that what the call is filled in with has been made.
    caller.request(route, way)
    before = _written()
    answer = caller.call(route, way)
    # With an organization its chain goes, and the portal's tells of it.
    after = _written()
    return answer.status_code, after[0] > before[0] or after[1] > before[1]


def test_what_is_silent_is_a_route() -> None:
    assert set(SILENT) <= {route.name for route in UNSAFE}
