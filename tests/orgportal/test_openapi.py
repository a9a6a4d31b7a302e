"""The OpenAPI document tells the whole truth about the API, and its page is served by the portal alone."""

import json
import re
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from orgportal.api import api
from tests.scripts import client
from tests.wire.routes import ROUTES, Route

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    response = client(enforce_csrf_checks=False).get("/api/v1/openapi.json")
    assert response.status_code == 200
    return dict(response.json())


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def routes() -> set[str]:
    """Every address under /api/v1 that Django knows, written as OpenAPI does."""

    def walk(patterns: list[Any], prefix: str) -> set[str]:
        found: set[str] = set()
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                found |= walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern):
                found.add("/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path))
        return found

    return {path for path in walk(get_resolver().url_patterns, "") if path.startswith("/api/")}


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")


def test_every_route_is_in_the_document_and_the_reverse(document: dict[str, Any]) -> None:
    about_itself = {"/api/v1/openapi.json", "/api/v1/docs", "/api/v1/"}
    assert routes() - about_itself == set(document["paths"])


def test_every_method_of_a_route_is_in_the_document_and_the_reverse(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        allowed = client(enforce_csrf_checks=False).options(path.replace("{org}", "acme"))["Allow"]
        assert set(re.split(r",\s*", allowed.lower())) - {"head"} == set(methods) & METHODS, path


def test_the_contract_is_there(document: dict[str, Any]) -> None:
    assert {(method.upper(), path) for path, method, _ in operations(document)} >= {
        ("POST", "/api/v1/orgs"),
        ("GET", "/api/v1/orgs"),
        ("GET", "/api/v1/orgs/{org}"),
        ("PATCH", "/api/v1/orgs/{org}"),
        ("DELETE", "/api/v1/orgs/{org}"),
        ("POST", "/api/v1/auth/login"),
        ("POST", "/api/v1/auth/refresh"),
        ("POST", "/api/v1/auth/logout"),
        ("GET", "/api/v1/auth/me"),
        ("GET", "/api/v1/orgs/{org}/records"),
        ("POST", "/api/v1/orgs/{org}/records"),
        ("GET", "/api/v1/orgs/{org}/records/count"),
        ("GET", "/api/v1/orgs/{org}/records/{id}"),
        ("PUT", "/api/v1/orgs/{org}/records/{id}"),
        ("PATCH", "/api/v1/orgs/{org}/records/{id}"),
        ("DELETE", "/api/v1/orgs/{org}/records/{id}"),
    }


def test_every_operation_is_named_grouped_and_described(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations(document):
        assert re.fullmatch(r"[a-z_]+", operation["operationId"])
        assert operation["summary"], (path, method)
        assert len(operation["description"]) > 20, (path, method)
        assert operation["tags"], (path, method)


def test_every_error_is_a_described_problem(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert {"400", "500", "503"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            assert response["description"], (path, method, status)
            assert "X-Request-ID" in response["headers"]
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (path, method, status)


def test_operations_that_need_a_caller_say_so(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["BearerToken"]["scheme"] == "bearer"
    assert (schemes["SessionCookie"]["in"], schemes["SessionCookie"]["type"]) == ("cookie", "apiKey")
    both: list[dict[str, list[str]]] = [{"BearerToken": []}, {"SessionCookie": []}]
    keys_too: list[dict[str, list[str]]] = [{"ApiKey": []}, *both]
    for path, method, operation in operations(document):
        (asked, *_) = {_who_may(route) for route in ROUTES if route.name.split(" ")[:2] == [method.upper(), path]}
        # Which operations take a key besides is for the authorization table to say.
        expected = {"nobody": (None,), "anybody": ([*both, {}],), "somebody": (both, keys_too)}[asked]
        if (method, path) == ("post", "/api/v1/orgs"):
            expected = ([*both, {}],)
        assert operation.get("security") in expected, (path, method)


def _who_may(route: Route) -> str:
    """Whether the operation looks for a credential, takes one if there is one, or asks for one."""
    if route.allows != "everybody":
        return "somebody"
    return "anybody" if "keys" in route.but else "nobody"


def test_every_post_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        names = {parameter["name"] for parameter in operation["parameters"]}
        # What is cancelled stays cancelled, however often it is said.
        assert ("Idempotency-Key" in names) == (method == "post" and not path.endswith("/cancel")), (path, method)


def test_what_has_an_etag_is_changed_and_deleted_by_it(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if method not in {"put", "patch", "delete"}:
            continue
        names = {parameter["name"] for parameter in operation["parameters"]}
        read = document["paths"][path].get("get", {}).get("responses", {}).get("200", {})
        assert ("If-Match" in names) == ("ETag" in read.get("headers", {})), (path, method)


def test_no_request_body_takes_unknown_members(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "requestBody" not in operation:
            continue
        reference = operation["requestBody"]["content"]["application/json"]["schema"].get("$ref", "")
        name = reference.rpartition("/")[2]
        # A file that is imported, and a JSON Schema, have members of their own.
        if not name or name == "JsonSchema":
            assert path.endswith(("/imports", "/schema", "/schema/check")), (path, method)
            continue
        assert document["components"]["schemas"][name]["additionalProperties"] is False, (path, method)


def test_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in document["components"]["schemas"]


def test_the_document_is_made_once() -> None:
    assert api.get_openapi_schema() is api.get_openapi_schema()


def test_the_page_has_no_inline_script_or_style_and_loads_nothing_from_elsewhere() -> None:
    page = client(enforce_csrf_checks=False).get("/api/v1/docs")
    assert page.status_code == 200
    html = page.content.decode()
    assert 'data-openapi="/api/v1/openapi.json"' in html
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert sources
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)


def test_what_the_page_loads_is_served() -> None:
    html = client(enforce_csrf_checks=False).get("/api/v1/docs").content.decode()
    for source in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        response = client(enforce_csrf_checks=False).get(source)
        assert response.status_code == 200, source
        response.close()
