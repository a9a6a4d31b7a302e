"""The database gone, silent, resetting, slow, answering half: what every route says, and that it passes.

One portal, real processes, default deadline; between it and its database lies a cable that can be cut in every
way. In each fault every route is called at once: those that need the database answer 503 within six seconds.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx
import pytest
from bson import ObjectId
from django.conf import settings
from django.test import override_settings

from orgportal import database
from tenants.documents import now
from tests.accounts.cast import an_organization, change_organization
from tests.effort import FULL
from tests.portals import Portal
from tests.processes import is_alive
from tests.servers import DatabaseServer
from tests.waiting import wait_until
from tests.wire.cables import Cable
from tests.wire.callers import CALLERS, Sent
from tests.wire.routes import ROUTES, Route

pytestmark = pytest.mark.chaos

# The promise: a request during an outage is answered within this.
PROMISED_SECONDS = 6.0
# Between two calls: their answers are promised one by one, not all in the same instant on one busy core.
STAGGERED_SECONDS = 0.04
# Callers who have a request under way when the fault comes.
STREAMS = 4
# Every route at once, so that none waits for the outage of another.
AT_ONCE = len(ROUTES) + STREAMS + 20
DATABASE = "faults"
ROUTE = {route.name: route for route in ROUTES}
READY, ME, DASHBOARD = ROUTE["GET /readyz"], ROUTE["GET /api/v1/auth/me"], ROUTE["GET /dashboard"]
# What a driver or an operating system would say.
NOT_FOR_CALLERS = (
    "pymongo",
    "mongodb://",
    "topology",
    "timed out",
    "timeout",
    "refused",
    "errno",
    "socket",
    "traceback",
)


@dataclass
class Situation:
    """The portal, its database, and the cable between them."""

    portal: Portal
    server: DatabaseServer
    cable: Cable
    http: httpx.Client

    def break_it(self, fault: str) -> None:
        if fault == "down":
            self.server.kill()
        else:
            self.cable.set(fault)

    def mend_it(self, fault: str) -> None:
        if fault == "down":
            self.server.start()
        else:
            self.cable.set("whole")


@pytest.fixture(scope="module")
def situation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    folder = tmp_path_factory.mktemp("faults")
    server = DatabaseServer(folder / "database", durable=True).start()
    # No cookie is kept: every request says whose it is.
    forgetful = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    with Cable(server.port) as cable, override_settings(MONGODB_URI=server.uri, MONGODB_DATABASE=DATABASE):
        database.forget_clients()
        # Otherwise the driver would learn the server's own address from it, and use that.
        portal = _portal(f"mongodb://127.0.0.1:{cable.port}/?retryWrites=false&directConnection=true", folder)
        portal.start()
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
        with httpx.Client(base_url=portal.base_url, limits=limits, timeout=30, cookies=forgetful) as http:
            yield Situation(portal, server, cable, http)
        portal.stop()
        database.forget_clients()
    server.stop()


def _portal(uri: str, folder: Path) -> Portal:
    """With this process's keys and name, so that credentials made here count there."""
    ours = {"DATA_DIR": str(settings.DATA_DIR), "SITE_URL": settings.SITE_URL, "ALLOWED_HOSTS": "127.0.0.1"}
    return Portal(uri=uri, database=DATABASE, folder=folder / "portal", settings={**ours, "WEB_THREADS": str(AT_ONCE)})


@dataclass(frozen=True)
class Call:
    """One route, and the request to it by an owner made for this call alone: what a cut call did is not known."""

    route: Route
    sent: Sent

    def make(self, http: httpx.Client) -> tuple[httpx.Response, float]:
        """The answer, and the seconds that it took."""
        sent, begun = self.sent, time.monotonic()
        answer = http.request(sent.method, sent.path, headers=dict(sent.headers), content=sent.body)
        return answer, time.monotonic() - begun


def call_to(route: Route) -> Call:
    """By token where the route is the API's, by cookie where it is a page."""
    return Call(route, CALLERS["owner"]().request(route, "token" if route.is_api else "cookie"))


def until_refused(call: Call, http: httpx.Client) -> tuple[httpx.Response, float]:
    """The first answer that is not 200, of a caller who keeps asking: some request of it is under way at any moment."""
    while (made := call.make(http))[0].status_code == 200:
        pass
    return made


def not_ready(http: httpx.Client) -> tuple[httpx.Response, float]:
    """The answer of /readyz once it is not 200 any more, and how long that took: its probes count for a second."""
    begun = time.monotonic()
    while (answer := http.get(READY.path)).status_code == 200 and time.monotonic() - begun < PROMISED_SECONDS:
        time.sleep(0.05)
    return answer, time.monotonic() - begun


def problems_with(call: Call, answer: httpx.Response, seconds: float) -> list[str]:
    """What is wrong with the answer to a call that was made during an outage."""
    wrong = []
    if seconds > PROMISED_SECONDS:
        wrong.append(f"took {seconds:.1f} s")
    if not call.route.needs_database:
        is_right = answer.status_code < 400 or str(answer.status_code) == call.route.ok
        return wrong if is_right else [*wrong, f"{answer.status_code}"]
    if answer.status_code != 503:
        return [*wrong, f"{answer.status_code} {answer.headers.get('location', '')}"]
    if not answer.headers.get("retry-after", "").isdigit():
        wrong.append("no Retry-After")
    if any(word in answer.text.lower() for word in NOT_FOR_CALLERS):
        wrong.append(f"tells too much: {answer.text[:300]}")
    if settings.SESSION_COOKIE_NAME in answer.headers.get("set-cookie", "") or "access_token" in answer.text:
        wrong.append("lets somebody in")
    is_json = call.route.is_api or call.route.path == "/readyz"
    if not answer.headers["content-type"].startswith("application/problem+json" if is_json else "text/html"):
        wrong.append(answer.headers["content-type"])
    return wrong


FAULTS = ("down", "silent", "resetting", "spoiling")


def routes_under(fault: str) -> list[Route]:
    """In the suite the faults share the routes, so that each meets every fourth; in `make chaos` each meets all."""
    others = [route for route in ROUTES if route != READY]
    return others if FULL else others[FAULTS.index(fault) :: len(FAULTS)]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_route_says_503_in_time_and_all_is_well_afterwards(situation: Situation, fault: str) -> None:
    calls, me, ready = [call_to(route) for route in routes_under(fault)], call_to(ME), call_to(READY)
    streams = [call_to(DASHBOARD) for _ in range(STREAMS)]
    _wait_until_well(situation, me, ready)
    worker = situation.portal.pid("worker")

    try:
        with ThreadPoolExecutor(len(calls) + len(streams) + 1) as threads:
            in_flight = [threads.submit(until_refused, one, situation.http) for one in streams]
            situation.break_it(fault)
            readiness = threads.submit(not_ready, situation.http)
            begun = []
            for call in calls:
                begun.append(threads.submit(call.make, situation.http))
                time.sleep(STAGGERED_SECONDS)
            answers = [one.result() for one in begun]
    finally:
        situation.mend_it(fault)

    answers += [one.result() for one in in_flight]
    judged = zip([ready, *calls, *streams], [readiness.result(), *answers], strict=True)
    wrong = [f"{call.route.name}: {found}" for call, got in judged for found in problems_with(call, *got)]
    assert not wrong, "\n".join(wrong)
    _wait_until_well(situation, me, ready)
    assert is_alive(worker)


def _wait_until_well(situation: Situation, *calls: Call) -> None:
    def well() -> bool:
        return all(call.make(situation.http)[0].status_code == 200 for call in calls)

    wait_until(well, "the portal to serve again")


def test_the_worker_goes_on_with_its_work_after_an_outage(situation: Situation) -> None:
    worker = situation.portal.pid("worker")
    org_id = an_organization(f"leftover_{ObjectId()}", status="deleting")
    pending = {"op": "delete", "step": "stripped", "holder": "h", "since": now(), "target": {"undone": False}}
    before = situation.portal.log.count("database_unavailable")
    situation.cable.set("resetting")
    change_organization(org_id, pending=pending, due_at=now() - timedelta(seconds=1))
    wait_until(lambda: situation.portal.log.count("database_unavailable") > before, "the worker to notice")
    situation.cable.set("whole")
    left = {"_id": org_id}
    wait_until(
        lambda: database.collection("organizations").count_documents(left) == 0, "the worker to finish what was left"
    )
    assert situation.portal.pid("worker") == worker
    assert is_alive(worker)
