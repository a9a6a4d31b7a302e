"""No request ever sees anything of another organization: not under load, not during renames, not by guessing.

Sixteen threads make two thousand requests for twenty organizations whose names, metadata and documents carry a
marker each. Every answer may hold the marker of its own organization and no other.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import pytest
from bson import ObjectId
from django.test import override_settings

from orgportal import database
from orgportal.errors import PortalError
from tenants.bound import TenantCollection
from tests.effort import effort
from tests.portals import Portal
from tests.wire.marked import CSRF, Marked, marked_organizations, markers_in, without_request_id, words_of
from tests.wire.people import PASSWORD

THREADS = 16
ORGANIZATIONS = 20
SIGN_UPS_AT_ONCE = 4
REQUESTS = effort(short=320, full=2000)
RENAMES_EVERY = effort(short=20, full=100)
# What an honest caller may be told while its organization is renamed under it.
PASSING = {401, 404, 412, 503}


@dataclass
class Watch:
    """What came back: how many of each kind, how many with their own marker, and every marker that crossed."""

    kinds: Counter[str] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    crossed: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def judge(self, kind: str, owner: Marked, text: str) -> None:
        self.kinds[kind] += 1
        found = markers_in(text)
        if owner.marker in found:
            self.own[kind] += 1
        if found - {owner.marker}:
            self.crossed.append(f"{kind} for {owner.marker}: {text[:2000]}")


Action = Callable[[httpx.Client, Marked, list[Marked], Watch], None]


def _expect(watch: Watch, kind: str, answer: httpx.Response, *good: int) -> None:
    if answer.status_code not in {*good, *PASSING}:
        watch.odd.append(f"{kind}: {words_of(answer)[:500]}")


def _over_token(kind: str, path: str) -> Action:
    def act(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
        answer = http.get(path.format(org=owner.slug), headers=owner.bearer)
        _expect(watch, kind, answer, 200)
        watch.judge(kind, owner, words_of(answer))

    return act


def _page(kind: str, path: str) -> Action:
    def act(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
        answer = http.get(path, headers=owner.browser)
        _expect(watch, kind, answer, 200, 302)
        watch.judge(kind, owner, words_of(answer))

    return act


def _metadata(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
    changes = {"metadata": {"secret": f"metadata of {owner.marker}", "number": random.randrange(1000)}}
    answer = http.patch(f"/api/v1/orgs/{owner.slug}", json=changes, headers=owner.bearer)
    _expect(watch, "metadata", answer, 200)
    watch.judge("metadata", owner, words_of(answer))


def _stranger(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
    """Ask for another's organization, by token or by cookie, to read, change or delete it."""
    other = random.choice(others)
    credentials = random.choice([owner.bearer, {**owner.browser, "X-CSRFToken": CSRF}])
    method = random.choice(["GET", "PATCH", "DELETE"])
    body = {"organization_name": "Taken"} if method == "PATCH" else None
    answer = http.request(method, f"/api/v1/orgs/{other.slug}", json=body, headers=credentials)
    if answer.status_code not in {401, 404}:
        watch.odd.append(f"stranger: {words_of(answer)[:500]}")
    watch.judge("stranger", owner, answer.text)


def _choose(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
    """Try to switch the session to another's organization."""
    form = {"slug": random.choice(others).slug, "csrfmiddlewaretoken": CSRF}
    answer = http.post("/choose", data=form, headers=owner.browser)
    if answer.status_code != 404:
        watch.odd.append(f"choose: {words_of(answer)[:500]}")
    watch.judge("choose", owner, words_of(answer))


def _bound(kind: str, operation: Callable[[TenantCollection, Marked], object]) -> Action:
    """A use of the organization's collection in this process."""

    def act(http: httpx.Client, owner: Marked, others: list[Marked], watch: Watch) -> None:
        try:
            outcome = operation(owner.records(), owner)
        except PortalError as refused:
            outcome = refused
            if refused.status not in PASSING:
                watch.odd.append(f"{kind}: {refused!r}")
        watch.judge(kind, owner, str(outcome))

    return act


def _write_and_read(records: TenantCollection, owner: Marked) -> object:
    stored = records.insert_one({"_id": ObjectId(), "data": {"secret": f"document of {owner.marker}"}})
    return records.find_one({"_id": stored.inserted_id})


ACTIONS: dict[str, Action] = {
    "organization": _over_token("organization", "/api/v1/orgs/{org}"),
    "list": _over_token("list", "/api/v1/orgs"),
    "me": _over_token("me", "/api/v1/auth/me"),
    "dashboard": _page("dashboard", "/dashboard"),
    "settings": _page("settings", "/settings"),
    "account": _page("account", "/account"),
    "choices": _page("choices", "/choose"),
    "metadata": _metadata,
    "stranger": _stranger,
    "choose": _choose,
    "read": _bound("read", lambda records, owner: records.find({}, limit=50)),
    "write": _bound("write", _write_and_read),
}
# Those whose every good answer names the organization, so that a test that sees nothing fails.
TELLING = ("organization", "list", "me", "dashboard", "settings", "choices", "metadata", "read", "write")


@pytest.fixture(scope="module")
def http(live_portal: Portal) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
    # No cookie is kept: every request says whose it is, on connections that all share.
    forgetful = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    with (
        override_settings(MONGODB_DATABASE=live_portal.database),
        httpx.Client(base_url=live_portal.base_url, limits=limits, timeout=60, cookies=forgetful) as client,
    ):
        yield client


def _signed_up(http: httpx.Client, number: int) -> list[Marked]:
    made = marked_organizations(number)
    # No more at once than the portal lets log in, on a machine that is busy with other tests as well.
    with ThreadPoolExecutor(SIGN_UPS_AT_ONCE) as threads:
        list(threads.map(lambda one: one.sign_up(http), made))
    return made


@pytest.fixture(scope="module")
def organizations(http: httpx.Client) -> list[Marked]:
    """Twenty of them in the live portal; this process looks into the same database."""
    return _signed_up(http, ORGANIZATIONS)


def _work(http: httpx.Client, organizations: list[Marked], seed: int, requests: int) -> Watch:
    chance, watch = random.Random(seed), Watch()
    names = list(ACTIONS)
    for number in range(requests):
        owner = chance.choice(organizations)
        if number % RENAMES_EVERY == seed % RENAMES_EVERY:
            answer = owner.rename(http)
            if answer is not None:
                _expect(watch, "rename", answer, 200, 202)
                watch.judge("rename", owner, words_of(answer))
        others = [one for one in organizations if one is not owner]
        ACTIONS[chance.choice(names)](http, owner, others, watch)
    return watch


def test_no_marker_crosses_in_many_requests_of_sixteen_threads(http: httpx.Client, organizations: list[Marked]) -> None:
    each = REQUESTS // THREADS
    with ThreadPoolExecutor(THREADS) as threads:
        watches = list(threads.map(lambda seed: _work(http, organizations, seed, each), range(THREADS)))

    crossed = [line for watch in watches for line in watch.crossed]
    assert not crossed, crossed[:3]
    odd = [line for watch in watches for line in watch.odd]
    assert not odd, odd[:3]
    kinds, own = sum((watch.kinds for watch in watches), Counter()), sum((watch.own for watch in watches), Counter())
    assert kinds.total() >= REQUESTS
    assert sum(one.renames for one in organizations) >= effort(short=2, full=8), "renames went on all the while"
    for kind in TELLING:
        assert own[kind] > kinds[kind] / 2, f"{kind}: only {own[kind]} of {kinds[kind]} answers were real ones"
    for one in organizations:
        one.log_in(http)
        answer = http.get(f"/api/v1/orgs/{one.slug}", headers=one.bearer)
        assert answer.json()["metadata"]["secret"] == f"metadata of {one.marker}", "nobody else changed it"
        stored = database.collection(f"org_{one.slug}").find({})
        assert all(markers_in(str(document)) == {one.marker} for document in stored)


def test_anothers_slug_is_the_same_404_as_one_that_does_not_exist(
    http: httpx.Client, organizations: list[Marked]
) -> None:
    alice, bob = organizations[:2]
    bodies = {"GET": None, "PATCH": {"organization_name": "Taken"}, "DELETE": None}
    for credentials in (alice.bearer, {**alice.browser, "X-CSRFToken": CSRF}):
        for method, body in bodies.items():
            theirs = http.request(method, f"/api/v1/orgs/{bob.slug}", json=body, headers=credentials)
            nobodys = http.request(method, "/api/v1/orgs/no_such_organization", json=body, headers=credentials)
            assert theirs.status_code == 404
            assert without_request_id(theirs) == without_request_id(nobodys)


def test_the_same_404_holds_for_a_name_in_use_before_and_after_a_rename(
    http: httpx.Client, organizations: list[Marked]
) -> None:
    alice, bob = organizations[:2]
    before = bob.slug
    nobodys = without_request_id(http.get("/api/v1/orgs/no_such_organization", headers=alice.bearer))
    assert bob.rename(http) is not None
    assert bob.slug != before
    for slug in (before, bob.slug):
        assert without_request_id(http.get(f"/api/v1/orgs/{slug}", headers=alice.bearer)) == nobodys


def test_anothers_choice_on_a_page_is_the_same_404_as_one_that_does_not_exist(
    http: httpx.Client, organizations: list[Marked]
) -> None:
    alice, bob = organizations[:2]
    answers = []
    for slug in (bob.slug, "no_such_organization"):
        form = {"slug": slug, "csrfmiddlewaretoken": CSRF}
        headers = {**alice.browser, "X-Request-ID": "same"}
        answers.append(http.post("/choose", data=form, headers=headers))
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text


def test_one_account_in_two_organizations_sees_in_each_only_that_one(http: httpx.Client) -> None:
    alice, bob = _signed_up(http, 2)
    theirs = database.collection("accounts").find_one({"email": bob.email}, {"memberships": 1})
    assert theirs is not None
    membership = {**theirs["memberships"][0], "role": "viewer"}
    database.collection("accounts").update_one({"email": alice.email}, {"$push": {"memberships": membership}})
    body = {"email": alice.email, "password": PASSWORD, "org": bob.slug}
    token = http.post("/api/v1/auth/login", json=body).json()["access_token"]
    as_viewer = {"Authorization": f"Bearer {token}"}
    assert markers_in(http.get(f"/api/v1/orgs/{bob.slug}", headers=as_viewer).text) == {bob.marker}
    assert http.get(f"/api/v1/orgs/{alice.slug}", headers=as_viewer).status_code == 404
    assert http.patch(f"/api/v1/orgs/{bob.slug}", json={"slug": "mine"}, headers=as_viewer).status_code == 403
    assert http.get(f"/api/v1/orgs/{bob.slug}", headers=alice.bearer).status_code == 404
    assert bob.marker not in http.get("/dashboard", headers=alice.browser).text
