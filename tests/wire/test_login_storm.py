"""Many logins at once at a real cost of hashing: nobody else waits for them."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import httpx
import pytest

from tests.portals import Portal
from tests.wire.people import PASSWORD

LOGINS = 40
READS = 10
EMAIL = "storm@example.org"


@pytest.fixture
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One process with its sixteen threads, hashing as in production."""
    made = Portal(
        uri=os.environ["TEST_MONGODB_URI"],
        database=f"storm_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        folder=tmp_path_factory.mktemp("storm"),
        settings={"BCRYPT_ROUNDS": "12", "BCRYPT_CONCURRENCY": "1"},
    )
    with made.mongo() as client:
        client.drop_database(made.database)
    made.start(worker=False)
    yield made
    made.stop()


def test_reads_go_on_while_more_people_log_in_than_can_be_served(portal: Portal) -> None:
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=portal.base_url, limits=limits, timeout=120) as http:
        sign_up = {"organization_name": "Storm", "email": EMAIL, "password": PASSWORD}
        assert http.post("/api/v1/orgs", json=sign_up).status_code == 201
        body = {"email": EMAIL, "password": PASSWORD}
        bearer = {"Authorization": f"Bearer {http.post('/api/v1/auth/login', json=body).json()['access_token']}"}

        with ThreadPoolExecutor(LOGINS) as threads:
            logins = [threads.submit(http.post, "/api/v1/auth/login", json=body) for _ in range(LOGINS)]
            reads = [http.get("/api/v1/auth/me", headers=bearer).status_code for _ in range(READS)]
            waited_for = [login for login in logins if not login.done()]
            wait(logins)

    assert reads == [200] * READS
    assert waited_for, "the reads did not have to wait for the last login"
    answers = [login.result() for login in logins]
    found = Counter(answer.status_code for answer in answers)
    assert set(found) == {200, 429}, found
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {(one.json()["code"], one.headers["Retry-After"]) for one in refused} == {("too_many_logins", "2")}
