"""Hostile input over pages and JSON: never a 5xx, and nothing from outside is ever part of a query but as a value.

A command listener sees every command that the portal sends to the database while it answers.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from bson import ObjectId
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from pymongo import MongoClient, monitoring

from accounts import service as accounts
from orgportal import database
from tests.effort import FULL
from tests.scripts import PASSWORD, Script, client, log_in, sign_up, wrong_paths
from tests.wire.routes import SHOWN

pytestmark = pytest.mark.usefixtures("clean_database")

MARK = "m4rk3r"

# Everything that ends up as an operator if a value is taken for a query.
OPERATORS: list[Any] = [
    {"$ne": MARK},
    {"$ne": None},
    {"$gt": ""},
    {"$regex": MARK},
    {"$where": f"'{MARK}'"},
    {"$expr": {"$eq": [MARK, MARK]}},
    {"$in": [MARK]},
    {"$nin": [MARK]},
    {"$not": {"$eq": MARK}},
    {"$or": [{"x": MARK}]},
    {"$exists": True},
    {"$type": "string"},
    {"$elemMatch": {"x": MARK}},
    {"a": {"b": {"$ne": MARK}}},
    [{"$ne": MARK}],
    {"__raw__": {"x": MARK}},
    {"_cls": MARK},
]
OTHER_TYPES: list[Any] = [None, True, False, 0, 1, -1, 1.5, 2**63 - 1, [], [MARK], {}, {"x": MARK}, [[MARK]]]
TEXTS = [
    "",
    " ",
    MARK * 3000,
    f"{MARK}\u0000{MARK}",
    "\u0000",
    f"{MARK}\u202e",
    f"{MARK}\u200b",
    "\ufeff",
    "\U0001f600" * 20,
    "\u212aelvin",
    "\uff41\uff44\uff4d\uff49\uff4e",
    "..",
    "../../etc/passwd",
    "$ne",
    "{$ne: 1}",
    '{"$ne": 1}',
    "system.users",
    "org_other",
    "null",
    "undefined",
    "__proto__",
    "${7*7}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    f"{MARK}\r\nSet-Cookie: x=y",
    "%00",
    "(" + "a+" * 50 + ")+$",
    "9" * 5000,
]
# What a header can carry: servers hand its bytes over as Latin-1, without line breaks.
HEADER_TEXTS = [
    text.encode().decode("latin-1")
    for text in (
        "", MARK * 1000, f"{MARK}\u0000", f"{MARK}\u202e", "$ne", '{"$ne": 1}', "[$ne]=1", "<script>", "9" * 5000,
        "Bearer " + MARK, "Bearer a.b.c", 'W/"x"', "A" * 43, "eyJ0IjoxfQ:1a:bad", "\U0001f600",
    )
]  # fmt: skip
HEADERS = [
    "Authorization", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID", "X-CSRFToken", "Cookie",
    "Accept", "Accept-Language", "Content-Type", "Referer", "Origin", "HX-Request", "HX-Current-URL",
    "X-Forwarded-For", "X-Forwarded-Proto", "X-HTTP-Method-Override", "Range", "If-Modified-Since",
]  # fmt: skip
JSON_ROUTES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/auth/login"): {"email": "a@acme.example", "password": PASSWORD, "org": "acme", "otp": "123456"},
    ("POST", "/api/v1/auth/login/passkey/options"): {"email": "a@acme.example", "password": PASSWORD},
    ("POST", "/api/v1/auth/login/passkey"): {"credential": SHOWN, "org": "acme"},
    ("POST", "/api/v1/auth/refresh"): {"refresh_token": "a.b.c"},
    ("POST", "/api/v1/auth/password/forgot"): {"email": "a@acme.example"},
    ("POST", "/api/v1/invitations/accept"): {"token": "a" * 43, "password": PASSWORD, "name": "Ada"},
    ("POST", "/api/v1/orgs"): {
        "organization_name": "New", "email": "new@acme.example", "password": PASSWORD, "slug": "n_1", "metadata": {},
    },
    ("PATCH", "/api/v1/orgs/acme"): {"organization_name": "Acme", "slug": "acme", "metadata": {}},
}  # fmt: skip
NOBODY_MAY_SET = [
    "email[$ne]", "email.$ne", "$where", "__raw__", "email__ne", "_id", "status", "epoch", "role", "collection",
    "placement", "created_at", "memberships", "generation", "rev", "origin", "names", "pending",
]  # fmt: skip
FIELDS = [(method, path, field) for (method, path), body in JSON_ROUTES.items() for field in body]
PAGES = [
    "/login",
    "/login/passkey",
    "/login/code/passkey",
    "/sudo/passkey",
    "/account/security/passkeys/new",
    "/signup",
    "/new",
    "/choose",
    "/settings",
    "/account",
    "/delete",
    "/theme",
    "/dashboard",
    "/logout",
    "/password/forgot",
    "/password/reset/no-token",
    "/invitations/no-token",
    "/email/change",
    "/members/invite",
]
PAGE_FIELDS = [
    "email", "password", "repeat", "current", "organization_name", "slug", "name", "next", "rev", "confirmation",
    "form_key", "theme", "key", "value", "check", "csrfmiddlewaretoken",
]  # fmt: skip

# What the portal's own queries are made of. A filter with anything else came from outside.
OWN_OPERATORS = {
    "$in", "$exists", "$gt", "$gte", "$lt", "$lte", "$ne", "$and", "$or", "$elemMatch", "$size", "$not", "$type",
    "$expr", "$eq",
}  # fmt: skip
TEXT_FIELDS = {"credential", "purpose", "email", "names", "slug", "status", "refresh", "holder", "op", "kind"}


def some_of(texts: list[str], number: int) -> list[str]:
    """In the suite every second one, for the next field or page the others; `make chaos` sends all to each."""
    return texts if FULL else texts[number % 2 :: 2]


class Commands(monitoring.CommandListener):
    """Every command that was sent, as it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""

    def filters(self) -> Iterator[Any]:
        """Whatever decides which documents a command touches."""
        for command in self.sent:
            yield command.get("filter", {})
            yield command.get("query", {})
            for statement in [*command.get("updates", []), *command.get("deletes", [])]:
                yield statement["q"]
            for stage in command.get("pipeline", []):
                yield stage.get("$match", {})

    def changes(self) -> Iterator[Any]:
        for command in self.sent:
            for statement in command.get("updates", []):
                yield statement["u"]


@pytest.fixture(scope="module")
def _listener() -> Iterator[Commands]:
    listener = Commands()
    database.forget_clients()
    database._clients[database.MASTER] = MongoClient(
        database.cluster_uri(database.MASTER), tz_aware=True, event_listeners=[listener]
    )
    yield listener
    database.forget_clients()


@pytest.fixture
def commands(_listener: Commands, clean_database: None) -> Commands:
    _listener.sent.clear()
    return _listener


def check_filter(value: Any, field: str = "", operator: str = "") -> None:
    """Raise for a filter that holds an operator of somebody else's, or a value of a type that the field never has."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.startswith("$"):
                assert key in OWN_OPERATORS, f"foreign operator {key}"
                check_filter(inner, field, key)
            else:
                assert MARK not in key, f"a name from outside: {key}"
                check_filter(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_filter(inner, field, operator)
    else:
        if isinstance(value, str) and MARK in value:
            assert operator in {"", "$in", "$eq"}, f"{operator} was given {value!r}"
        if field.rpartition(".")[2] in TEXT_FIELDS and operator != "$exists":
            assert isinstance(value, str | None), f"{field} was asked for {value!r}"
        assert isinstance(value, str | int | float | bool | ObjectId | datetime | bytes | None), value


def check(commands: Commands) -> None:
    for found in commands.filters():
        check_filter(found)
    for change in commands.changes():
        assert isinstance(change, list) or all(key.startswith("$") for key in change), change
        for operator, fields in change.items() if isinstance(change, dict) else ():
            assert all("$" not in name for name in fields), f"{operator} {fields}"


def refused(response: HttpResponse) -> bool:
    assert response.status_code < 500, response.content[:300]
    return 400 <= response.status_code


# JSON


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
def test_an_operator_in_a_json_member_is_4xx_and_no_query_is_issued(
    commands: Commands, method: str, path: str, field: str
) -> None:
    script = Script()
    if method == "PATCH":
        sign_up("Acme")
        script = log_in("owner@acme.example")
        script.get("/api/v1/orgs/acme")
    for operator in OPERATORS:
        commands.sent.clear()
        response = script.call(method, path, {**JSON_ROUTES[method, path], field: operator})
        assert refused(response), operator
        assert all(found.startswith(field) for found in wrong_paths(response))
        # With a token, finding out who calls is the only query there is.
        issued = [next(iter(command)) for command in commands.sent]
        assert issued == ([] if method == "POST" else ["aggregate"]), (operator, issued)
        check(commands)


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
def test_a_json_member_of_another_type_is_4xx(commands: Commands, method: str, path: str, field: str) -> None:
    script = Script()
    if method == "PATCH":
        sign_up("Acme")
        script = log_in("owner@acme.example")
    for value in OTHER_TYPES:
        if field == "metadata" and isinstance(value, dict):
            continue
        response = script.call(method, path, {**JSON_ROUTES[method, path], field: value})
        assert refused(response), value
    check(commands)


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
def test_any_text_in_a_json_member_is_never_more_than_a_value(
    commands: Commands, method: str, path: str, field: str
) -> None:
    sign_up("Acme")
    script = log_in("owner@acme.example") if method == "PATCH" else Script()
    for text in some_of(TEXTS, FIELDS.index((method, path, field))):
        value = {text[:60]: text} if field == "metadata" else text
        response = script.call(method, path, {**JSON_ROUTES[method, path], field: value})
        assert response.status_code < 500, (text, response.content[:300])
        if response.status_code == 401 and method == "PATCH":
            script = log_in("owner@acme.example", org=None)
    check(commands)


@pytest.mark.parametrize(("method", "path"), list(JSON_ROUTES))
def test_members_that_nobody_may_set_are_refused(commands: Commands, method: str, path: str) -> None:
    script = Script()
    if method == "PATCH":
        sign_up("Acme")
        script = log_in("owner@acme.example")
    for name in NOBODY_MAY_SET:
        assert wrong_paths(script.call(method, path, {**JSON_ROUTES[method, path], name: "x"})) == [name]
    check(commands)


BODIES = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    '{"email": "a"}'.encode("utf-16"),
    b'{"email": "\xff"}',
    b'{"email": "\\ud800", "password": "x"}',
    b'{"email": "a", "email": {"$ne": 1}, "password": "x"}',
    b'{"email": NaN, "password": Infinity}',
    b'{"email": 1e400}',
    b'{"email": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"email":' + b"[" * 33 + b"]" * 33 + b"}",
    b'{"' + b"k" * 100_000 + b'": 1}',
    json.dumps({f"k{number}": 1 for number in range(20_000)}).encode(),
    b"[" + b"{}," * 100_000 + b"{}]",
    b'"' + b"\\u0000" * 1000 + b'"',
    b"true",
    b"[]",
    b"email=a&password=b",
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
def test_a_body_that_is_no_fitting_json_is_4xx_and_no_query_is_issued(commands: Commands, body: bytes) -> None:
    for method, path in JSON_ROUTES:
        if method == "POST":
            assert refused(Script().call(method, path, raw=body))
    assert commands.sent == []


# Addresses, queries, headers, cookies


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:20]))
def test_any_text_in_an_address_or_a_query(commands: Commands, text: str) -> None:
    sign_up("Acme")
    script = log_in("owner@acme.example")
    part = quote(text[:4000], safe="")
    for address in (
        f"/api/v1/orgs/{part}",
        f"/api/v1/orgs?cursor={part}",
        f"/api/v1/orgs?limit={part}",
        f"/api/v1/orgs?limit[$gt]={part}",
        f"/api/v1/orgs?{part}={part}",
        f"/api/v1/{part}",
        f"/{part}",
        f"/login?next={part}",
        f"/signup/name?organization_name={part}&slug={part}",
        f"/static/{part}",
    ):
        assert script.get(address).status_code < 500, address
    check(commands)


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"a\x00b", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_no_text_in_an_address_or_a_query(commands: Commands, raw: bytes) -> None:
    part = quote_from_bytes(raw)
    for address in (f"/{part}", f"/login?next={part}", f"/api/v1/orgs/{part}", f"/api/v1/orgs?cursor={part}"):
        assert refused(Script().get(address))
    assert commands.sent == []


@pytest.mark.parametrize("name", HEADERS)
def test_any_text_in_a_header(commands: Commands, name: str) -> None:
    sign_up("Acme")
    script = log_in("owner@acme.example")
    for text in some_of(HEADER_TEXTS, HEADERS.index(name)):
        for path in ("/login", "/api/v1/orgs/acme"):
            assert script.get(path, **{name: text}).status_code < 500, (path, text)
        assert script.post("/api/v1/auth/refresh", {"refresh_token": "x"}, **{name: text}).status_code < 500, text
    check(commands)


@pytest.mark.parametrize("name", ["session", "csrf", "theme", "messages"])
def test_any_text_in_a_cookie(commands: Commands, name: str) -> None:
    names = {
        "session": settings.SESSION_COOKIE_NAME,
        "csrf": settings.CSRF_COOKIE_NAME,
        "theme": f"{settings.COOKIE_PREFIX}orgportal_theme",
        "messages": "messages",
    }
    for text in HEADER_TEXTS:
        browser = client(enforce_csrf_checks=True)
        browser.cookies[names[name]] = text
        for path in ("/login", "/dashboard", "/api/v1/auth/me"):
            assert browser.get(path).status_code < 500, (path, text)
    check(commands)


# Pages


def browser_of(email: str) -> Client:
    browser = client(enforce_csrf_checks=False)
    logged_in = accounts.log_in(email=email, password=PASSWORD, choose_later=True)
    browser.cookies[settings.SESSION_COOKIE_NAME] = accounts.open_session(logged_in=logged_in)
    return browser


@pytest.mark.parametrize("page", PAGES)
def test_an_operator_in_a_form_field_is_no_field_and_issues_no_query(commands: Commands, page: str) -> None:
    for operator in ("$ne", "$gt", "$regex", "$where", "$expr", "$in"):
        commands.sent.clear()
        form = {f"{field}[{operator}]": MARK for field in PAGE_FIELDS}
        assert client(enforce_csrf_checks=False).post(page, form).status_code < 500
        assert commands.sent == []


@pytest.mark.parametrize("page", ["/login", "/signup", "/theme", "/settings"])
def test_any_text_in_the_fields_of_a_page_for_visitors(commands: Commands, page: str) -> None:
    for text in some_of(TEXTS, PAGES.index(page)):
        form = dict.fromkeys(PAGE_FIELDS, text)
        account = {"email": "a@acme.example", "password": PASSWORD, "repeat": PASSWORD}
        for fields in (form, {**form, **account}):
            assert client(enforce_csrf_checks=False).post(page, fields).status_code < 500, text
    check(commands)


@pytest.mark.parametrize("page", PAGES)
def test_any_text_in_the_fields_of_a_page_for_members(commands: Commands, page: str) -> None:
    sign_up("Acme")
    browser = browser_of("owner@acme.example")
    for text in some_of(TEXTS, PAGES.index(page)):
        response = browser.post(page, dict.fromkeys(PAGE_FIELDS, text))
        assert response.status_code < 500, text
        if response.get("Location", "").startswith("/login"):
            browser = browser_of("owner@acme.example")
    check(commands)


@pytest.mark.parametrize("page", PAGES)
def test_a_form_that_is_no_text(commands: Commands, page: str) -> None:
    sign_up("Acme")
    browser = browser_of("owner@acme.example")
    for content_type, body in (
        ("application/x-www-form-urlencoded", b"email=%FF%FE&password=%00&slug=%ED%A0%80"),
        ("application/x-www-form-urlencoded", b"\xff\xfe\x00"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"email=x"),
        ("multipart/form-data", b"x"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n\xff\x00\r\n--x--',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="../x"\r\n\r\n1',
        ),
        ("application/json", b'{"email": {"$ne": 1}}'),
        ("text/plain", b"email=x"),
        ("", b"email=x"),
    ):
        response = browser.generic("POST", page, body, content_type=content_type)
        assert response.status_code < 500, (content_type, body)
    check(commands)
