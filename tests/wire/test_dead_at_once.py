"""What must die is dead at the next request, in every process: two workers of a real portal, asked side by side.

The same acts in one process stand in tests/accounts/ (test_api_keys, test_membership, test_session_list).
"""

import http.client
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.factors import totp
from tests.accounts.cast import NEW_PASSWORD
from tests.accounts.mail_server import link_in
from tests.accounts.passkeys.authenticator import Authenticator, lying
from tests.mails import mail_to
from tests.portals import Portal
from tests.scripts import PASSWORD

pytestmark = [pytest.mark.long, pytest.mark.chaos]

FACTOR = "/api/v1/auth/second-factor"
PASSKEYS = "/api/v1/auth/passkeys"
SESSIONS = "/api/v1/auth/sessions"
SESSION_COOKIE = "orgportal_session"
PROBES = 60
AT_ONCE = 8


class Live:
    """A portal of two workers, and one organization in it with an owner, a second owner, and an admin to act upon."""

    def __init__(self, portal: Portal, name: str) -> None:
        self.portal = portal
        self.slug = name
        self.owner = self.sign_up(name)
        self.victim_email = f"victim@{name.replace('_', '-')}.example"
        self.victim_id = self.sign_up_elsewhere(self.victim_email)
        self.join(self.victim_email, "admin")
        self.victim = self.log_in(self.victim_email)

    def call(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """One call on a connection of its own, so that any worker may take it. `token`: or the cookie of a session."""
        connection = http.client.HTTPConnection("127.0.0.1", self.portal.port, timeout=30)
        headers = {"Content-Type": "application/json", **_proof(token)}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None
        finally:
            connection.close()

    def sign_up(self, name: str) -> str:
        email = f"owner@{name.replace('_', '-')}.example"
        status, _ = self.call("POST", "/api/v1/orgs", "", self._new(name, email))
        assert status == 201
        return self.log_in(email)

    def sign_up_elsewhere(self, email: str) -> str:
        status, created = self.call("POST", "/api/v1/orgs", "", self._new(f"{self.slug}_victims", email))
        assert status == 201
        return str(created["admin"]["id"])

    def _new(self, name: str, email: str) -> dict[str, str]:
        return {"organization_name": name, "slug": name, "email": email, "password": PASSWORD}

    def join(self, email: str, role: str) -> None:
        with self.portal.mongo() as client:
            master = client[self.portal.database]
            organization = master.organizations.find_one({"slug": self.slug})
            assert organization is not None
            place = {"org_id": organization["_id"], "role": role, "joined_at": datetime.now(timezone.utc)}
            master.accounts.update_one({"email": email}, {"$push": {"memberships": place}})

    def log_in(self, email: str) -> str:
        return str(self.tokens(email)["access_token"])

    def tokens(self, email: str, otp: str | None = None) -> dict[str, Any]:
        """What a login with the password answers, and with a code where there is a second factor."""
        body = {"email": email, "password": PASSWORD, "org": self.slug, **({"otp": otp} if otp else {})}
        status, tokens = self.call("POST", "/api/v1/auth/login", "", body)
        assert status == 200, tokens
        return dict(tokens)

    def browser(self, otp: str | None = None) -> str:
        """The cookie of a browser in which the victim has logged in."""
        with httpx.Client(base_url=self.portal.base_url) as browser:
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/login").text)
            assert token
            form = {"csrfmiddlewaretoken": token[1], "email": self.victim_email, "password": PASSWORD}
            browser.post("/login", data=form)
            if otp:
                browser.post("/login/code", data={"csrfmiddlewaretoken": token[1], "otp": otp})
            return f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"

    def key(self, token: str) -> dict[str, Any]:
        body = {"name": "Job", "scopes": ["organization", "members"]}
        status, made = self.call("POST", f"/api/v1/orgs/{self.slug}/keys", token, body)
        assert status == 201, made
        return dict(made)

    def probe(self, token: str, path: str = "", *, method: str = "GET", body: Any = None) -> Counter[int]:
        """The statuses of many calls side by side; fails unless every worker had a share in them."""
        before = self._work_done()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            calls = [
                pool.submit(self.call, method, path or f"/api/v1/orgs/{self.slug}", token, body) for _ in range(PROBES)
            ]
            statuses = Counter(call.result()[0] for call in calls)
        after = self._work_done()
        assert len(after) == 2
        assert all(after[pid] > before[pid] for pid in after), (before, after)
        return statuses

    def _work_done(self) -> dict[int, int]:
        """Processor time that each worker of gunicorn has used, in ticks."""
        master = self.portal.pid("web")
        workers = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
        fields = {int(pid): Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1] for pid in workers}
        return {pid: sum(map(int, stat.split()[11:13])) for pid, stat in fields.items()}


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    portal = Portal(
        uri=os.environ["TEST_MONGODB_URI"],
        database=f"dead_at_once_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        folder=tmp_path_factory.mktemp("two-workers"),
        # Passkeys are for host names only.
        host="localhost",
        settings={"WEB_WORKERS": "2"},
    )
    with portal.mongo() as client:
        client.drop_database(portal.database)
    portal.start()
    yield portal
    portal.stop()


def _proof(token: str) -> dict[str, str]:
    if token.startswith(f"{SESSION_COOKIE}="):
        return {"Cookie": token}
    return {"Authorization": f"Bearer {token}"} if token else {}


def revoke_key(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    made = live.key(live.owner)
    return made["key"], lambda: live.call("DELETE", f"/api/v1/orgs/{live.slug}/keys/{made['id']}", live.owner)


def remove_member(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    return live.victim, lambda: _remove(live)


def remove_member_with_key(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    return live.key(live.victim)["key"], lambda: _remove(live)


def leave(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    return live.victim, lambda: live.call("POST", f"/api/v1/orgs/{live.slug}/members/leave", live.victim)


def end_session(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    other = live.log_in(live.victim_email)
    _, listed = live.call("GET", "/api/v1/auth/sessions", other)
    lost = next(one for one in listed["items"] if not one["is_current"])
    return live.victim, lambda: live.call("DELETE", f"/api/v1/auth/sessions/{lost['id']}", other)


def end_others(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    other = live.log_in(live.victim_email)
    return live.victim, lambda: live.call("DELETE", "/api/v1/auth/sessions", other)


def switch_factor_on(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    return live.victim, _switching_on(live, live.log_in(live.victim_email))


def switch_factor_on_with_key(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    return live.key(live.victim)["key"], _switching_on(live, live.victim)


def switch_factor_off(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    _, shown = _switching_on(live, live.victim)()
    body = {"email": live.victim_email, "password": PASSWORD, "org": live.slug, "otp": shown["recovery_codes"][0]}
    status, tokens = live.call("POST", "/api/v1/auth/login", "", body)
    assert status == 200, tokens
    return tokens["access_token"], lambda: live.call("POST", f"{FACTOR}/remove", live.victim)


def add_passkey(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    other = live.log_in(live.victim_email)
    return live.victim, lambda: _add_passkey(live, other, Authenticator())


def add_passkey_with_key(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    other = live.log_in(live.victim_email)
    return live.key(live.victim)["key"], lambda: _add_passkey(live, other, Authenticator())


def remove_passkey_with_key(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    _, made = _add_passkey(live, live.victim, Authenticator())
    return live.key(live.victim)["key"], lambda: live.call("DELETE", f"{PASSKEYS}/{made['id']}", live.victim)


def remove_passkey(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    device = Authenticator()
    _, made = _add_passkey(live, live.victim, device)
    status, tokens = _log_in_alone(live, device)
    assert status == 200, tokens

    def remove() -> tuple[int, Any]:
        removed = live.call("DELETE", f"{PASSKEYS}/{made['id']}", live.victim)
        assert {_log_in_alone(live, device)[0] for _ in range(AT_ONCE)} == {401}
        return removed

    return tokens["access_token"], remove


def _add_passkey(live: Live, token: str, device: Authenticator) -> tuple[int, Any]:
    """A passkey as the account's first factor; 200 for the 201 that it is answered with."""
    status, given = live.call("POST", f"{PASSKEYS}/options", token)
    assert status == 200, given
    credential = device.create(given["publicKey"], lying(origin=live.portal.base_url))
    status, made = live.call("POST", PASSKEYS, token, {"name": "Phone", "credential": credential})
    assert status == 201, made
    return 200, made


def _log_in_alone(live: Live, device: Authenticator) -> tuple[int, Any]:
    status, given = live.call("POST", "/api/v1/auth/login/passkey/options", "", {})
    assert status == 200, given
    credential = device.get(given["publicKey"], lying(origin=live.portal.base_url))
    return live.call("POST", "/api/v1/auth/login/passkey", "", {"credential": credential, "org": live.slug})


def reuse_refresh_token(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    body = {"email": live.victim_email, "password": PASSWORD, "org": live.slug}
    _, tokens = live.call("POST", "/api/v1/auth/login", "", body)

    def use_twice() -> tuple[int, Any]:
        once = live.call("POST", "/api/v1/auth/refresh", "", {"refresh_token": tokens["refresh_token"]})
        again = live.call("POST", "/api/v1/auth/refresh", "", {"refresh_token": tokens["refresh_token"]})
        assert again[0] == 401
        assert live.probe(once[1]["access_token"]) == {401: PROBES}
        return once

    return tokens["access_token"], use_twice


def reset_password(live: Live) -> tuple[str, Callable[[], tuple[int, Any]]]:
    def reset() -> tuple[int, Any]:
        assert live.call("POST", "/api/v1/auth/password/forgot", "", {"email": live.victim_email})[0] in {200, 202, 204}
        link = link_in(mail_to(live.portal, live.victim_email, "Reset your password"))
        token = link.rsplit("/", 1)[1]
        return live.call("POST", "/api/v1/auth/password/reset", "", {"token": token, "password": NEW_PASSWORD})

    return live.victim, reset


def _switching_on(live: Live, token: str) -> Callable[[], tuple[int, Any]]:
    status, begun = live.call("POST", FACTOR, token)
    assert status == 201, begun

    def confirm() -> tuple[int, Any]:
        code = totp.code_at(begun["secret"], totp.step_of(datetime.now(timezone.utc)))
        return live.call("POST", f"{FACTOR}/confirm", token, {"otp": code})

    return confirm


def _remove(live: Live) -> tuple[int, Any]:
    return live.call("DELETE", f"/api/v1/orgs/{live.slug}/members/{live.victim_id}", live.owner)


@pytest.mark.parametrize(
    "begin",
    [
        revoke_key,
        remove_member,
        remove_member_with_key,
        leave,
        end_session,
        end_others,
        reuse_refresh_token,
        reset_password,
        switch_factor_on,
        switch_factor_on_with_key,
        switch_factor_off,
        add_passkey,
        add_passkey_with_key,
        remove_passkey,
        remove_passkey_with_key,
    ],
    ids=lambda f: f.__name__,
)
def test_what_ends_is_refused_by_every_worker(
    two_workers: Portal, begin: Callable[[Live], tuple[str, Callable[[], tuple[int, Any]]]]
) -> None:
    live = Live(two_workers, f"dead_{begin.__name__}")
    credential, end = begin(live)
    assert live.probe(credential) == {200: PROBES}
    status, answer = end()
    assert status in {200, 204}, answer
    assert live.probe(credential) == {401: PROBES}


def test_the_first_passkey_ends_browsers_and_refresh_tokens_in_every_worker_and_another_one_nothing(
    two_workers: Portal,
) -> None:
    live = Live(two_workers, "dead_passkey_added")
    browser, tokens = live.browser(), live.tokens(live.victim_email)
    assert live.probe(browser, SESSIONS) == {200: PROBES}
    _, made = _add_passkey(live, live.victim, Authenticator())
    _are_dead(live, browser, tokens)
    _go_on(live, live.victim, live.owner)

    code, other_code = made["recovery_codes"][:2]
    browser, tokens = live.browser(code), live.tokens(live.victim_email, other_code)
    assert _add_passkey(live, live.victim, Authenticator())[1]["recovery_codes"] == []
    _go_on(live, live.victim, tokens["access_token"], live.owner)
    assert live.probe(browser, SESSIONS) == {200: PROBES}
    assert live.call("POST", "/api/v1/auth/refresh", "", {"refresh_token": tokens["refresh_token"]})[0] == 200


def test_a_passkey_that_is_removed_ends_browsers_and_refresh_tokens_in_every_worker_though_another_stays(
    two_workers: Portal,
) -> None:
    live = Live(two_workers, "dead_passkey_gone")
    gone, kept = Authenticator(), Authenticator()
    _, first = _add_passkey(live, live.victim, gone)
    _add_passkey(live, live.victim, kept)
    browser, (_, tokens) = live.browser(first["recovery_codes"][0]), _log_in_alone(live, gone)
    assert live.probe(browser, SESSIONS) == {200: PROBES}
    assert live.call("DELETE", f"{PASSKEYS}/{first['id']}", live.victim)[0] == 204
    _are_dead(live, browser, tokens)
    _go_on(live, live.victim, live.owner)
    assert {_log_in_alone(live, gone)[0] for _ in range(AT_ONCE)} == {401}
    assert {_log_in_alone(live, kept)[0] for _ in range(AT_ONCE)} == {200}


def _are_dead(live: Live, browser: str, tokens: dict[str, Any]) -> None:
    assert live.probe(browser, SESSIONS) == {401: PROBES}
    assert live.probe(tokens["access_token"]) == {401: PROBES}
    again = {"refresh_token": tokens["refresh_token"]}
    assert live.probe("", "/api/v1/auth/refresh", method="POST", body=again) == {401: PROBES}


def _go_on(live: Live, *tokens: str) -> None:
    for token in tokens:
        assert live.probe(token) == {200: PROBES}


def test_a_lower_role_counts_in_every_worker(two_workers: Portal) -> None:
    live = Live(two_workers, "dead_role")
    path = f"/api/v1/orgs/{live.slug}/keys"
    assert live.probe(live.victim, path) == {200: PROBES}
    target = f"/api/v1/orgs/{live.slug}/members/{live.victim_id}"
    assert live.call("PATCH", target, live.owner, {"role": "viewer"})[0] == 200
    assert live.probe(live.victim, path) == {403: PROBES}
