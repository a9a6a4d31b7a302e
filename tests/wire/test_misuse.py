"""What a clumsy user and an attacker do to the running portal: twice at once, in two tabs, with forged everything."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from django.conf import settings

from tests.portals import Portal
from tests.visitors import PASSWORD, sign_up_form

SESSION, CSRF = settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME
AT_ONCE = 5


@dataclass
class Visitor:
    """Somebody at a browser: keeps cookies, fills in forms as the page gave them."""

    http: httpx.Client

    def form(self, path: str, **fields: str) -> dict[str, str]:
        """The hidden and filled inputs of the page's last form, with the given fields on top."""
        inputs = re.findall(r"<input[^>]*>", self.http.get(path).text)
        found = [(re.search(r'name="([^"]*)"', one), re.search(r'value="([^"]*)"', one)) for one in inputs]
        return {**{name[1]: value[1] if value else "" for name, value in found if name}, **fields}

    def log_in(self, email: str, **fields: str) -> httpx.Response:
        form = self.form("/login", email=email, password=PASSWORD, **fields)
        return self.http.post("/login", data=form)

    def twins(self) -> "list[httpx.Client]":
        """The same browser, several times at once."""
        return [
            httpx.Client(base_url=self.http.base_url, cookies=dict(self.http.cookies), timeout=60)
            for _ in range(AT_ONCE)
        ]

    def at_once(self, path: str, form: dict[str, str]) -> list[httpx.Response]:
        """The answers to the same form sent several times at once, as by a nervous finger."""
        twins = self.twins()
        try:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                return list(threads.map(lambda twin: twin.post(path, data=form), twins))
        finally:
            for twin in twins:
                twin.close()


@pytest.fixture
def visitor(live_portal: Portal) -> Iterator[Visitor]:
    with httpx.Client(base_url=live_portal.base_url, timeout=60) as http:
        yield Visitor(http)


@pytest.fixture
def owner(visitor: Visitor) -> Visitor:
    """A visitor who has just signed up."""
    name = f"Misuse {uuid4().hex[:12]}"
    form = visitor.form("/signup", **_filled(name))
    assert visitor.http.post("/signup", data=form).headers.get("Location") == "/dashboard"
    return visitor


def _filled(name: str) -> dict[str, str]:
    fields = sign_up_form(name, f"{name.replace(' ', '.').lower()}@example.org")
    return {key: value for key, value in fields.items() if key != "form_key"}


def _slug(visitor: Visitor) -> str:
    return visitor.form("/settings")["slug"]


# The clumsy


def test_a_sign_up_form_that_is_sent_five_times_at_once_signs_up_once_and_tells_nobody_that_the_name_is_taken(
    visitor: Visitor,
) -> None:
    form = visitor.form("/signup", **_filled(f"Twice {uuid4().hex[:12]}"))
    answers = visitor.at_once("/signup", form)
    assert [(one.status_code, one.headers.get("Location")) for one in answers] == [(302, "/dashboard")] * AT_ONCE
    for one in answers:
        page = httpx.get(f"{visitor.http.base_url}/dashboard", cookies={SESSION: one.cookies[SESSION]})
        assert form["organization_name"] in page.text


def test_the_form_for_another_organization_sent_five_times_at_once_makes_one(owner: Visitor) -> None:
    form = owner.form("/new", organization_name=f"Second {uuid4().hex[:12]}")
    answers = owner.at_once("/new", form)
    # The session moves to the new organization with the first answer, and the old one is over.
    assert (302, "/dashboard") in [(one.status_code, one.headers.get("Location")) for one in answers]
    assert not [one.status_code for one in answers if one.status_code >= 500 or one.status_code == 409]


def test_the_same_form_after_going_back_leads_to_what_it_made(visitor: Visitor) -> None:
    form = visitor.form("/signup", **_filled(f"Back {uuid4().hex[:12]}"))
    before = dict(visitor.http.cookies)
    first = visitor.http.post("/signup", data=form)
    again = httpx.post(f"{visitor.http.base_url}/signup", data=form, cookies=before)
    assert (first.status_code, again.status_code) == (302, 302)


def test_somebody_else_who_sends_the_same_form_is_not_let_in(visitor: Visitor) -> None:
    form = visitor.form("/signup", **_filled(f"Seen {uuid4().hex[:12]}"))
    before = dict(visitor.http.cookies)
    visitor.http.post("/signup", data=form)
    other = {**form, "password": "something else entirely"}
    answer = httpx.post(f"{visitor.http.base_url}/signup", data=other, cookies=before)
    assert answer.status_code >= 400
    assert SESSION not in answer.cookies


def test_the_second_of_two_tabs_is_told_what_changed_and_may_then_save(owner: Visitor) -> None:
    first, second = owner.form("/settings"), owner.form("/settings")
    assert owner.http.post("/settings", data={**first, "organization_name": "By the first"}).status_code == 302
    refused = owner.http.post("/settings", data={**second, "organization_name": "By the second"})
    assert refused.status_code == 412
    assert "By the first" in refused.text
    shown = re.search(r'name="rev" value="(\d+)"', refused.text)
    assert shown
    again = {**second, "organization_name": "By the second", "rev": shown[1]}
    assert owner.http.post("/settings", data=again).status_code == 302
    assert owner.form("/settings")["organization_name"] == "By the second"


def test_deleting_five_times_at_once_deletes_once_and_ends_well(owner: Visitor) -> None:
    form = owner.form("/delete", confirmation=_slug(owner))
    answers = owner.at_once("/delete", form)
    statuses = [one.status_code for one in answers]
    assert 302 in statuses
    assert set(statuses) <= {302, 404}
    assert owner.http.get("/dashboard").headers["Location"].startswith("/login")


def test_a_form_from_before_logging_out_changes_nothing(owner: Visitor) -> None:
    form = owner.form("/settings", organization_name="Too late")
    cookie = owner.http.cookies[SESSION]
    assert owner.http.post("/logout", data={"csrfmiddlewaretoken": form["csrfmiddlewaretoken"]}).status_code == 302
    assert owner.http.post("/settings", data=form).status_code == 403
    owner.http.cookies.set(SESSION, cookie)
    assert owner.http.get("/dashboard").headers["Location"].startswith("/login")


def test_pages_behind_login_are_not_kept_for_the_back_button(owner: Visitor) -> None:
    for path in ("/dashboard", "/settings", "/account", "/delete", "/choose", "/new"):
        assert owner.http.get(path).headers["Cache-Control"] == "no-store", path


# The malicious: whom a browser belongs to


def test_a_session_that_was_planted_before_logging_in_is_not_the_one_afterwards(owner: Visitor) -> None:
    planted = "A" * 43
    email = f"{_slug(owner).replace('_', '.')}@example.org"
    with httpx.Client(
        base_url=owner.http.base_url, headers={"Cookie": f"{SESSION}={planted}; {CSRF}={'c' * 32}"}
    ) as http:
        form = {"email": email, "password": PASSWORD, "next": "", "csrfmiddlewaretoken": "c" * 32}
        answer = http.post("/login", data=form)
        assert answer.status_code == 302
        assert answer.cookies[SESSION] != planted
        assert http.get("/dashboard").status_code == 302


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 302),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
    ],
)
def test_a_form_needs_its_token_and_no_foreign_origin(owner: Visitor, headers: dict[str, str], status: int) -> None:
    form = owner.form("/account", theme="dark")
    assert owner.http.post("/theme", data=form, headers=headers).status_code == status
    for token in ("", "x" * 64, "c" * 32):
        assert owner.http.post("/theme", data={**form, "csrfmiddlewaretoken": token}).status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://evil.example",
        "http:evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "evil.example",
        " //evil.example",
        "data:text/html,hello",
    ],
)
def test_next_leads_nowhere_but_to_our_own_pages(owner: Visitor, target: str) -> None:
    email = f"{_slug(owner).replace('_', '.')}@example.org"
    assert owner.http.get("/login", params={"next": target}).headers["Location"] == "/dashboard"
    form = {**owner.form("/account"), "theme": "dark", "next": target}
    assert owner.http.post("/theme", data=form).headers["Location"] == "/"
    fresh = Visitor(httpx.Client(base_url=owner.http.base_url, timeout=60))
    with fresh.http:
        assert fresh.log_in(email, next=target).headers["Location"] == "/dashboard"


# The malicious: below HTTP


def _raw(portal: Portal, request: bytes) -> bytes:
    """The answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as line:
        line.sendall(request)
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    return answer


def _head(portal: Portal, *lines: bytes, host: bytes | None = None) -> bytes:
    own = f"127.0.0.1:{portal.port}".encode() if host is None else host
    return b"\r\n".join([lines[0], b"Host: " + own, b"Connection: close", *lines[1:], b"", b""])


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1@evil.example", b"", b"127.0.0.1/evil", b"127.0.0.1\r\nHost: evil.example"]
)
def test_a_forged_host_is_refused(live_portal: Portal, host: bytes) -> None:
    answer = _raw(live_portal, _head(live_portal, b"GET /login HTTP/1.1", host=host))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"evil" not in answer


@pytest.mark.parametrize(
    "header",
    [
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-For: 6.6.6.6",
        b"X-Forwarded-Prefix: /evil",
        b"Forwarded: host=evil.example;proto=https",
        b"X-Original-URL: /evil",
        b"X-Rewrite-URL: /evil",
        b"X-HTTP-Method-Override: DELETE",
        b"Script-Name: /evil",
        b"SCRIPT_NAME: /evil",
        b"X_FORWARDED_HOST: evil.example",
    ],
)
def test_headers_of_a_proxy_count_for_nothing_without_one(live_portal: Portal, header: bytes) -> None:
    answer = _raw(live_portal, _head(live_portal, b"GET /dashboard HTTP/1.1", header))
    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"Location: /login?next=/dashboard\r\n" in answer
    assert b"evil" not in answer


NOWHERE = [b"/%2e%2e/etc/passwd", b"/static/../manage.py", b"/static/%2e%2e/manage.py", b"/static/..%2f..%2fmanage.py"]
NOWHERE += [b"/static/%00", b"/%00", b"//evil.example", b"//dashboard", b"/dashboard/", b"/dashboard//", b"/DASHBOARD"]
NOWHERE += [b"/./dashboard", b"/dashboard;x=1", b"/%ff", b"/%c0%ae", b"/static/", b"/.git/config", b"/api/v1//orgs"]
NOWHERE += [b"/api/v1/../v1/orgs", b"/api/v1/orgs/acme/", b"/api/v1/orgs/acme%00"]


@pytest.mark.parametrize("path", NOWHERE)
def test_tricks_with_paths_lead_nowhere(live_portal: Portal, path: bytes) -> None:
    answer = _raw(live_portal, _head(live_portal, b"GET " + path + b" HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:200]


@pytest.mark.parametrize(
    "spelling", ["{0}%0a", "{0}%20", "{0}%00", "{0}/", "{upper}", "%2e%2e/{0}", "./{0}/../{0}", "{0}%ff"]
)
def test_a_slug_has_one_spelling(owner: Visitor, live_portal: Portal, spelling: str) -> None:
    slug = _slug(owner)
    path = f"/api/v1/orgs/{spelling.format(slug, upper=slug.upper())}".encode()
    cookie = f"Cookie: {SESSION}={owner.http.cookies[SESSION]}".encode()
    assert (
        _raw(live_portal, _head(live_portal, b"GET /api/v1/orgs/" + slug.encode() + b" HTTP/1.1", cookie))[9:12]
        == b"200"
    )
    assert _raw(live_portal, _head(live_portal, b"GET " + path + b" HTTP/1.1", cookie))[9:12] == b"404"


BROKEN = {
    "two lengths": (b"POST /theme HTTP/1.1", b"Content-Length: 4", b"Content-Length: 5"),
    "length and chunks": (b"POST /theme HTTP/1.1", b"Content-Length: 4", b"Transfer-Encoding: chunked"),
    "a negative length": (b"POST /theme HTTP/1.1", b"Content-Length: -1"),
    "a space before the colon": (b"GET /login HTTP/1.1", b"X-A : b"),
    "a folded header": (b"GET /login HTTP/1.1", b"X-A: b", b" c"),
    "a huge cookie": (b"GET /login HTTP/1.1", b"Cookie: a=" + b"x" * 20_000),
    "three hundred headers": (b"GET /login HTTP/1.1", *[b"X-%d: 1" % number for number in range(300)]),
    "a long address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1",),
    "a query that is not UTF-8": (b"GET /login?next=%ff HTTP/1.1",),
    "an unknown charset": (b"POST /login HTTP/1.1", b"Content-Type: text/plain; charset=utf-7", b"Content-Length: 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_request_is_refused(live_portal: Portal, name: str) -> None:
    status = int(_raw(live_portal, _head(live_portal, *BROKEN[name]))[9:12])
    assert 400 <= status < 500


ODD = {
    "cookies in no known charset": b"Cookie: " + SESSION.encode() + b"=\xff\xfe; " + CSRF.encode() + b"=\xff",
    "nine hundred cookies": b"Cookie: " + b"; ".join(b"a%d=1" % number for number in range(900)),
    "a forged message": b"Cookie: messages=W1siX19qc29uX21lc3NhZ2UiLDAsMjUsImhpIl1d:forged",
    "languages in no known charset": b"Accept-Language: \xff",
    "broken conditions": b'If-None-Match: "\xff\r\nIf-Modified-Since: never',
    "a broken request of htmx": b"HX-Request: true\r\nHX-Current-URL: http://[::1\r\nHX-Prompt: %ff",
    "a broken event of htmx": b"HX-Request: true\r\nTriggering-Event: {broken",
    "an id that is none": b"X-Request-ID: a\tb<script>",
    "another scheme": b"Authorization: Basic YTpi",
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_is_answered_like_any_other(live_portal: Portal, name: str) -> None:
    answer = _raw(live_portal, _head(live_portal, b"GET /login HTTP/1.1", ODD[name]))
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:300]
    assert b"<script>" not in answer
