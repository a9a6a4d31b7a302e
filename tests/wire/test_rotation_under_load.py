"""Keys rotate while the portal is used: no request fails, and nobody is logged out."""

import os
import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.accounts.victims import json_part
from tests.portals import Portal
from tests.wire.people import PASSWORD


class Users:
    """Several people at once, each with an old session and an old token, who go on doing what people do."""

    def __init__(self, portal: Portal, *, think: float) -> None:
        self._think = think
        self.base = portal.base_url
        self.answers: Counter[str] = Counter()
        self.refused: list[str] = []
        self.key_ids: set[str] = set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, number: int) -> None:
        for _ in range(number):
            thread = threading.Thread(target=self._use)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _use(self) -> None:
        with httpx.Client(base_url=self.base, timeout=30) as http, httpx.Client(base_url=self.base) as browser:
            for what, answer in self._life(http, browser, f"{secrets.token_hex(6)}@example.org"):
                self._check(what, answer)
                if self._stopping.wait(self._think):
                    return

    def _life(self, http: httpx.Client, browser: httpx.Client, email: str) -> Iterator[tuple[str, httpx.Response]]:
        name = f"Rotating {secrets.token_hex(5)}"
        body = {"organization_name": name, "email": email, "password": PASSWORD}
        yield "sign up", http.post("/api/v1/orgs", json=body, headers={"Idempotency-Key": email})
        login = {"email": email, "password": PASSWORD}
        first = http.post("/api/v1/auth/login", json=login)
        yield "log in", first
        old, refresh = first.json()["access_token"], first.json()["refresh_token"]
        page = browser.get("/login")
        form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": _csrf(page.text)}
        yield "log in by form", browser.post("/login", data=form)
        while True:
            yield "old token", http.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {old}"})
            dashboard = browser.get("/dashboard")
            yield "old session", dashboard
            yield "form", browser.post("/theme", data={"theme": "dark", "csrfmiddlewaretoken": _csrf(dashboard.text)})
            renewed = http.post("/api/v1/auth/refresh", json={"refresh_token": refresh})
            yield "refresh", renewed
            refresh, token = renewed.json()["refresh_token"], renewed.json()["access_token"]
            with self._lock:
                self.key_ids.add(json_part(token, 0)["kid"])
            yield "new token", http.get("/api/v1/orgs", headers={"Authorization": f"Bearer {token}"})
            again = http.post("/api/v1/orgs", json=body, headers={"Idempotency-Key": email})
            yield ("repeat" if again.headers.get("Idempotent-Replayed") else "NOT REPLAYED"), again

    def _check(self, what: str, answer: httpx.Response) -> None:
        with self._lock:
            self.answers[what] += 1
            if answer.status_code >= 400 or "/login" in answer.headers.get("Location", "") or what.isupper():
                self.refused.append(f"{what}: {answer.status_code} {answer.text[:200]}")


def _csrf(page: str) -> str:
    match = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert match, page[:300]
    return match[1]


def _rotate_while_used(portal: Portal, *, users: int, rounds: int, pause: float, think: float) -> Users:
    crowd = Users(portal, think=think)
    crowd.start(users)
    try:
        time.sleep(pause)
        for _ in range(rounds):
            done = portal.manage("rotate_keys", "signing", "secret", "audit", "--overlap", "0.5")
            assert done.returncode == 0, done.stderr
            time.sleep(0.5 + pause)
    finally:
        crowd.stop()
    assert crowd.refused == []
    assert len(crowd.key_ids) >= 2
    total = sum(crowd.answers.values())
    print(f"{total} requests, none refused, signed with {len(crowd.key_ids)} keys: {dict(crowd.answers)}")
    return crowd


def test_no_request_fails_while_the_keys_rotate(live_portal: Portal) -> None:
    _rotate_while_used(live_portal, users=2, rounds=1, pause=0.5, think=0.05)


@pytest.fixture
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal of its own, of two processes."""
    made = Portal(
        uri=os.environ["TEST_MONGODB_URI"],
        database=f"rotating_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        folder=tmp_path_factory.mktemp("rotating"),
        settings={"WEB_WORKERS": "2"},
    )
    with made.mongo() as client:
        client.drop_database(made.database)
    made.start()
    yield made
    made.stop()


@pytest.mark.long
def test_no_request_fails_while_the_keys_of_two_processes_rotate_again_and_again(busy: Portal) -> None:
    crowd = _rotate_while_used(busy, users=8, rounds=6, pause=2.0, think=0.0)
    assert len(crowd.key_ids) >= 6
    check = busy.manage("verify_audit")
    assert check.returncode == 0, check.stdout
    print(check.stdout)
