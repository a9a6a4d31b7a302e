"""What a read, a login and a sign-up cost beside the least they could: `python -m bench.reads`, about 40 seconds.

Starts a portal and a database of its own, durable and with the production cost of bcrypt.
"""

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import httpx

from bench.measure import Comparison, Work, compare, latencies, percentile
from tests.portals import Portal
from tests.servers import DatabaseServer

ROUNDS = 12
PASSWORD = "violet kettle under the stairs"
EMAIL = "ada@example.org"
READERS, STORMERS = 2, 8


@contextmanager
def running_portal() -> Iterator[Portal]:
    """A portal with one organization, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="orgportal-bench-") as folder:
        server = DatabaseServer(Path(folder) / "database", durable=True).start()
        settings = {"BCRYPT_ROUNDS": str(ROUNDS), "WEB_WORKERS": "2", "LOG_LEVEL": "WARNING"}
        portal = Portal(uri=server.uri, database="bench", folder=Path(folder) / "portal", settings=settings)
        try:
            portal.start()
            yield portal
        finally:
            portal.stop()
            server.stop()


def client_of(portal: Portal) -> httpx.Client:
    """A client that keeps its connection."""
    return httpx.Client(base_url=portal.base_url, timeout=60)


def sign_up(http: httpx.Client, name: str, email: str) -> None:
    """A new organization with an account."""
    fields = {"organization_name": name, "email": email, "password": PASSWORD}
    http.post("/api/v1/orgs", json=fields).raise_for_status()


def log_in(http: httpx.Client) -> str:
    """A fresh access token."""
    answer = http.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
    return str(answer.raise_for_status().json()["access_token"])


def storm(http: httpx.Client, answers: "Counter[int]") -> None:
    """A login that may be put off: the gate lets in only as many as the cores can take."""
    answer = http.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code in {200, 429, 503}, answer.text
    answers[answer.status_code] += 1


def hash_once() -> None:
    """The least that a login can cost."""
    bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(ROUNDS))


def authenticated_read(portal: Portal, http: httpx.Client) -> Comparison:
    headers = {"Authorization": f"Bearer {log_in(http)}"}
    return compare(
        "GET /auth/me",
        lambda: http.get("/api/v1/auth/me", headers=headers).raise_for_status(),
        "GET /healthz",
        lambda: http.get("/healthz").raise_for_status(),
        seconds=6,
        warm_up=20,
    )


def login(portal: Portal, http: httpx.Client) -> Comparison:
    return compare("POST /auth/login", lambda: log_in(http), "one bcrypt hash", hash_once, seconds=8)


def new_organization(portal: Portal, http: httpx.Client) -> Comparison:
    numbers = itertools.count()
    with portal.mongo() as mongo:
        bare = mongo["bare"]["documents"]

        def hash_and_insert() -> None:
            hash_once()
            bare.insert_one({"email": EMAIL})

        def next_one() -> None:
            number = next(numbers)
            sign_up(http, f"Bench {number}", f"bench{number}@example.org")

        return compare("POST /orgs", next_one, "one bcrypt hash and one insert", hash_and_insert, seconds=8)


def reads_in_a_storm(portal: Portal, http: httpx.Client) -> Comparison:
    """p99 of authenticated reads while logins come without a pause, against the same reads alone."""
    headers = {"Authorization": f"Bearer {log_in(http)}"}

    answers: Counter[int] = Counter()

    def reader() -> Work:
        own = client_of(portal)
        return lambda: own.get("/api/v1/auth/me", headers=headers).raise_for_status()

    def stormer() -> Work:
        own = client_of(portal)
        return lambda: storm(own, answers)

    alone = latencies([reader] * READERS, seconds=5)
    together = latencies([reader] * READERS + [stormer] * STORMERS, seconds=8)[:READERS]
    print(f"the storm's logins were answered with {dict(answers)}")
    stormy, quiet = ([time for one in many for time in one] for many in (together, alone))
    return Comparison(
        f"p99 of GET /auth/me while {STORMERS} clients log in without a pause",
        percentile(stormy, 0.99),
        "p99 of GET /auth/me alone",
        percentile(quiet, 0.99),
        len(stormy),
    )


BENCHMARKS: list[Callable[[Portal, httpx.Client], Comparison]] = [
    authenticated_read,
    login,
    reads_in_a_storm,
    new_organization,
]


def main() -> None:
    with running_portal() as portal, client_of(portal) as http:
        sign_up(http, "Ada", EMAIL)
        for benchmark in BENCHMARKS:
            print(benchmark(portal, http), flush=True)


if __name__ == "__main__":
    main()
