"""How often the database is asked, and for how much: little, and no more with a thousand organizations than with ten.

Commands are counted where the driver sends them, with the documents that come back, and each filter is held
against the indexes.
"""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.conf import settings

from accounts.authentication import principal_of
from accounts.documents import SESSIONS
from accounts.tokens import now
from orgportal import database, health
from tenants import manager, placement
from tenants.access import organization_access
from tenants.documents import Placement, validated
from tenants.lifecycle import reconcile
from tests.accounts.cast import a_request
from tests.wire.callers import CALLERS, Caller
from tests.wire.ears import EAR, Heard, reads_whole_collection
from tests.wire.promises import promised
from tests.wire.routes import ROUTES, Route

pytestmark = pytest.mark.usefixtures("clean_database", "ear")

ROUND_TRIPS = 2
FEW, MANY = 10, 1000
# As many documents as there are clusters, or one: reading them whole is the quickest.
SMALL = {"clusters", "probes"}
DOCUMENT = {"_id": "one", "data": {"answer": 42}}
ME = next(route for route in ROUTES if route.name == "GET /api/v1/auth/me")


def an_owner() -> Caller:
    """An owner whose organization has its collection, with one document in it."""
    caller = CALLERS["owner"]()
    slug = caller.facts["org"]
    where = Placement(cluster="master", database=settings.MONGODB_DATABASE, collection=f"org_{slug}")
    manager.create(where, caller.org_id)
    database.collection(where.collection).insert_one(dict(DOCUMENT))
    return caller


def many_organizations(number: int) -> None:
    """That many organizations, each with an owner and a session, as sign-ups would have left them."""
    moment = now()
    organizations, accounts, sessions = [], [], []
    for index in range(number):
        org_id, account_id, slug = ObjectId(), ObjectId(), f"crowd_{ObjectId()}"
        organizations.append(_organization(org_id, slug, moment))
        membership = {"org_id": org_id, "role": "owner", "joined_at": moment}
        accounts.append(
            {
                "_id": account_id,
                "email": f"{slug}@example.org",
                "name": f"Owner {index}",
                "password": "bcrypt_sha256$$2b$04$" + "x" * 53,
                "generation": 0,
                "memberships": [membership],
                "created_at": moment,
                "updated_at": moment,
            }
        )
        sessions.append(_session(account_id, org_id, moment))
    for name, rows in (("organizations", organizations), ("accounts", accounts), (SESSIONS, sessions)):
        database.collection(name).insert_many(rows, ordered=False)
    placement.recount()


def _organization(org_id: ObjectId, slug: str, moment: Any) -> dict[str, Any]:
    return validated(
        {
            "_id": org_id,
            "name": slug,
            "slug": slug,
            "names": [slug],
            "status": "active",
            "epoch": 1,
            "rev": 1,
            "placement": {"cluster": "master", "database": settings.MONGODB_DATABASE, "collection": f"org_{slug}"},
            "metadata": {"country": "SE"},
            "created_at": moment,
            "updated_at": moment,
        }
    )


def _session(account_id: ObjectId, org_id: ObjectId, moment: Any) -> dict[str, Any]:
    return {
        "_id": f"{account_id}{org_id}".ljust(64, "0"),
        "kind": "session",
        "account_id": account_id,
        "org_id": org_id,
        "generation": 0,
        "refresh": "",
        "created_at": moment,
        "seen_at": moment,
        "idle_until": moment + timedelta(hours=12),
        "expires_at": moment + timedelta(days=7),
    }


def heard_from(route: Route, caller: Caller, way: str) -> Heard:
    """What one call, which must succeed, sends to the database."""
    health.readiness.__init__()  # type: ignore[misc]  # its last result counts for a second
    # What the call names may have to be made first.
    caller.request(route, way)
    with EAR.listening() as heard:
        answer = caller.call(route, way)
    assert answer.status_code < 400 or str(answer.status_code) == promised(route, "owner"), (
        f"{route.name}: {answer.status_code}"
    )
    return heard


@pytest.mark.parametrize("way", ["token", "cookie"])
def test_who_am_i_is_at_most_two_round_trips(way: str) -> None:
    caller = an_owner()
    many_organizations(FEW)
    heard = heard_from(ME, caller, way)
    assert 1 <= len(heard.commands) <= ROUND_TRIPS, heard.names


def test_who_am_i_is_at_most_two_round_trips_also_when_the_session_is_marked_as_used() -> None:
    caller = an_owner()
    earlier = {"seen_at": now() - timedelta(minutes=5)}
    database.collection(SESSIONS).update_many({"account_id": caller.account_id}, {"$set": earlier})
    heard = heard_from(ME, caller, "cookie")
    assert heard.names == ["aggregate sessions", "update sessions"]


@pytest.mark.parametrize("way", ["token", "cookie"])
def test_an_authenticated_read_of_one_document_is_at_most_two_round_trips(way: str) -> None:
    caller = an_owner()
    request = a_request(**{"bearer" if way == "token" else "cookie": getattr(caller, way)})
    with EAR.listening() as heard:
        principal = principal_of(request)
        assert principal is not None
        access = organization_access(principal=principal, slug=caller.facts["org"])
        found = manager.bind(access).find_one({"_id": "one"})
    assert found == DOCUMENT
    assert len(heard.commands) <= ROUND_TRIPS, heard.names
    assert heard.documents == 2, "the session with what belongs to it, and the document"


def test_no_route_asks_more_or_gets_more_with_a_thousand_organizations_than_with_ten() -> None:
    many_organizations(FEW)
    few = heard_from_every_route()
    many_organizations(MANY - FEW)
    assert database.collection("organizations").estimated_document_count() >= MANY
    for name, heard in heard_from_every_route().items():
        assert _general(heard) == _general(few[name]), name
        assert heard.documents == few[name].documents, name
        for command in heard.commands:
            may = _is_own(command) or command[next(iter(command))] in SMALL
            assert may or not reads_whole_collection(command), f"{name}: {command}"


def test_the_worker_asks_for_what_is_due_and_not_for_every_organization() -> None:
    many_organizations(FEW)
    with EAR.listening() as heard:
        reconcile.run_due()
    assert len(heard.commands) <= ROUND_TRIPS, heard.names
    assert heard.documents == 0
    assert not any(reads_whole_collection(command) for command in heard.commands)


def test_the_check_can_fail() -> None:
    with EAR.listening() as heard:
        list(database.collection("organizations").find({"name": "nobody"}))
    assert heard.names == ["find organizations"]
    assert reads_whole_collection(heard.commands[0])


def heard_from_every_route() -> dict[str, Heard]:
    """Each route by an owner; another one wherever a call uses its caller up."""
    lasting = an_owner()
    return {
        route.name: heard_from(route, an_owner() if route.spends else lasting, "token" if route.is_api else "cookie")
        for route in ROUTES
    }


def _general(heard: Heard) -> list[str]:
    """The commands without the name of the one organization's collection."""
    return [name.split(" org_")[0] for name in heard.names]


def _is_own(command: dict[str, Any]) -> bool:
    """A command on the caller's own collection: counting that whole is what the page is for."""
    return str(command[next(iter(command))]).startswith("org_")
