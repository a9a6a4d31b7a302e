"""200 people guess at one account at once, from 200 addresses, at a portal of several processes."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.portals import Portal
from tests.wire.people import PASSWORD

GUESSES = 200
LIMIT = 10
EMAIL = "storm@example.org"
LOGIN = "/api/v1/auth/login"


@pytest.fixture
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Three processes in which nothing but the throttle holds guesses back, behind a proxy that says who calls."""
    made = Portal(
        uri=os.environ["TEST_MONGODB_URI"],
        database=f"guesses_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        folder=tmp_path_factory.mktemp("guesses"),
        settings={
            "WEB_WORKERS": "3",
            "TRUSTED_PROXIES": "1",
            # Whichever process gets how many: neither the gate of hashes nor a slow machine's database refuses any.
            "WEB_THREADS": "200",
            "BCRYPT_CONCURRENCY": "190",
            "DATABASE_DEADLINE": "60",
        },
    )
    with made.mongo() as client:
        client.drop_database(made.database)
    made.start()
    yield made
    made.stop()


def coming_from(turn: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"198.51.100.{turn}", "X-Forwarded-Proto": "http"}


@pytest.mark.long
def test_not_one_more_than_the_limit_is_compared_and_the_owner_gets_in_all_the_same(portal: Portal) -> None:
    limits = httpx.Limits(max_connections=GUESSES)
    here = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
    right = {"email": EMAIL, "password": PASSWORD}
    with httpx.Client(base_url=portal.base_url, limits=limits, timeout=120) as http:
        sign_up = {"organization_name": "Storm", **right}
        assert http.post("/api/v1/orgs", json=sign_up, headers=here).status_code == 201
        assert http.post(LOGIN, json=right, headers=here).status_code == 200

        def guess(turn: int) -> httpx.Response:
            body = {"email": EMAIL, "password": f"a wrong password {turn}"}
            return http.post(LOGIN, json=body, headers=coming_from(turn))

        with ThreadPoolExecutor(GUESSES) as threads:
            answers = list(threads.map(guess, range(GUESSES)))
        stranger = http.post(LOGIN, json=right, headers=coming_from(250))
        owner = http.post(LOGIN, json=right, headers=here)
    found = Counter((answer.status_code, answer.json()["code"]) for answer in answers)
    print(f"{GUESSES} guesses at once: {dict(found)}")
    assert found == {(401, "invalid_credentials"): LIMIT, (429, "too_many_attempts"): GUESSES - LIMIT}
    assert all(0 < int(one.headers["Retry-After"]) <= 900 for one in answers if one.status_code == 429)
    assert stranger.status_code == 429, "a right password is no more compared than a wrong one"
    assert owner.status_code == 200, "from a network that logged in before"
