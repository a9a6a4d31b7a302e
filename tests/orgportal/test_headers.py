"""Every answer names its request and carries the security headers, whoever made it."""

import re
from typing import Any, cast

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from orgportal.middleware import HEADERS, PrivateByDefaultMiddleware, client_address, public
from tests.scripts import PASSWORD, Script, client, log_in, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")

# One of each kind: page, redirect, error, program, static file, API, refusal by each middleware.
ADDRESSES = [
    "/",
    "/login",
    "/dashboard",
    "/no-such-page",
    "/healthz",
    "/readyz",
    "/.well-known/jwks.json",
    "/static/css/portal.css",
    "/static/no-such-file.css",
    "/api/v1/docs",
    "/api/v1/openapi.json",
    "/api/v1/orgs",
    "/api/v1/no-such-route",
    "/?q=%FF",
    "/%00",
]


def static_file() -> str:
    found = re.search(r'"(/static/[^"]+\.css)"', client(enforce_csrf_checks=False).get("/login").content.decode())
    assert found
    return found[1]


def answer_to(address: str, **headers: str) -> HttpResponse:
    if address == "/static/css/portal.css":
        address = static_file()
    response = client(enforce_csrf_checks=False, raise_request_exception=False).get(address, headers=headers)
    response.close()
    return cast(HttpResponse, response)


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_security_headers_are_on_every_answer(address: str) -> None:
    headers = answer_to(address).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("address", ["/", "/healthz", "/api/v1/orgs", "/no-such-page"])
def test_the_security_headers_are_on_every_refused_method(method: str, address: str) -> None:
    response = client().generic(method, address)
    assert 400 <= response.status_code < 500
    for name in (*HEADERS, "Content-Security-Policy", "X-Request-ID"):
        assert name in response.headers, name


def test_an_unknown_host_is_400_with_all_headers() -> None:
    response = client(enforce_csrf_checks=False).get("/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    for name in (*HEADERS, "Content-Security-Policy", "X-Request-ID"):
        assert name in response.headers, name
    assert b"evil.example" not in response.content


def test_the_forwarded_host_is_ignored() -> None:
    response = client(enforce_csrf_checks=False).get("/login", headers={"X-Forwarded-Host": "evil.example"})
    assert response.status_code == 200
    assert b"evil.example" not in response.content


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 128, "0b7d6c1e-6f0e-4d4c-9d5e-1b2a3c4d5e6f"])
@pytest.mark.parametrize("address", ["/", "/api/v1/orgs", "/no-such-page", "/healthz"])
def test_a_well_formed_request_id_of_the_caller_comes_back(given: str, address: str) -> None:
    assert answer_to(address, **{"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "ü", "a\tb", "<script>", "a\nb", "a;b", "a\n"])
def test_another_request_id_is_replaced(given: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", answer_to("/healthz", **{"X-Request-ID": given})["X-Request-ID"])


def test_every_request_without_an_id_gets_its_own() -> None:
    assert len({answer_to("/healthz")["X-Request-ID"] for _ in range(10)}) == 10


@pytest.mark.parametrize("address", ["/", "/login", "/dashboard", "/api/v1/orgs", "/no-such-page", "/readyz"])
def test_nothing_but_static_files_is_kept_in_caches(address: str) -> None:
    assert "no-store" in answer_to(address)["Cache-Control"]


def test_pages_behind_login_and_answers_with_tokens_are_not_kept_in_caches() -> None:
    sign_up("Acme")
    login = Script().post("/api/v1/auth/login", {"email": "owner@acme.example", "password": PASSWORD})
    assert login["Cache-Control"] == "no-store"
    assert log_in("owner@acme.example").get("/api/v1/orgs/acme")["Cache-Control"] == "no-store"


def test_static_files_and_public_keys_may_be_kept() -> None:
    assert "max-age" in answer_to("/static/css/portal.css")["Cache-Control"]
    assert answer_to("/.well-known/jwks.json")["Cache-Control"] == "public, max-age=300"


@override_settings(SECURE_HSTS_SECONDS=31_536_000)
def test_over_https_the_browser_is_told_to_stay_there() -> None:
    assert "max-age=31536000" in Client().get("/login", secure=True)["Strict-Transport-Security"]


def private(request: Any) -> HttpResponse:
    return HttpResponse("secret")


def decision(view: Any, path: str = "/things?page=2", method: str = "get", **more: Any) -> HttpResponse | None:
    request = getattr(RequestFactory(), method)(path, **more)
    request.htmx = more.get("headers", {}).get("HX-Request") == "true"
    return PrivateByDefaultMiddleware(private).process_view(request, view, (), {})


def test_a_page_is_private_unless_it_says_otherwise() -> None:
    refused = decision(private)
    assert refused is not None
    assert (refused.status_code, refused["Location"]) == (302, "/login?next=/things%3Fpage%3D2")
    assert decision(public(lambda request: HttpResponse("open"))) is None


def test_after_a_form_the_visitor_is_not_sent_back_to_it() -> None:
    refused = decision(private, method="post")
    assert refused is not None
    assert refused["Location"] == "/login"


def test_a_fragment_request_sends_the_whole_page_to_the_login() -> None:
    refused = decision(private, headers={"HX-Request": "true"})
    assert refused is not None
    assert refused["HX-Redirect"] == "/login"


def test_a_bad_bearer_on_a_page_is_401() -> None:
    refused = decision(private, headers={"Authorization": "Bearer a.b.c"})
    assert refused is not None
    assert refused.status_code == 401


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "10.0.0.9"),
        (0, "1.2.3.4", "10.0.0.9"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (2, "6.6.6.6, 1.2.3.4, 10.1.1.1", "1.2.3.4"),
        (2, "1.2.3.4", "10.0.0.9"),
        (1, None, "10.0.0.9"),
        (1, " , ", "10.0.0.9"),
    ],
)
def test_only_a_configured_proxy_sets_the_clients_address(proxies: int, forwarded: str | None, expected: str) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory(REMOTE_ADDR="10.0.0.9").get("/", headers=headers)
    with override_settings(TRUSTED_PROXIES=proxies):
        assert client_address(request) == expected
