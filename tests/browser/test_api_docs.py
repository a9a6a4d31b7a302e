"""The API's documentation page in a real browser, under the portal's own policy."""

import json
from collections.abc import Callable

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser


def test_the_page_shows_every_operation_breaks_no_policy_and_lets_one_be_tried_out(
    open_page: OpenPage, unused: Callable[[str], str]
) -> None:
    page = open_page()
    name = unused("docs")
    account = {"email": f"{name}@acme.example".replace("_", "-"), "password": "a long walk on the beach"}
    created = page.request.post("/api/v1/orgs", data={"organization_name": name, **account})
    assert created.status == 201
    page.goto("/api/v1/docs")
    page.wait_for_selector(".opblock")
    paths = page.request.get("/api/v1/openapi.json").json()["paths"]
    assert page.locator(".opblock").count() == sum(len(methods) for methods in paths.values())
    page.click("#operations-Authentication-login .opblock-summary-control")
    page.click("#operations-Authentication-login .try-out__btn")
    page.fill("#operations-Authentication-login textarea", json.dumps(account))
    with page.expect_response("**/api/v1/auth/login") as answer:
        page.click("#operations-Authentication-login .execute")
    assert answer.value.status == 200
    assert page.evaluate("performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin))")


def test_without_javascript_the_page_leads_to_the_document(open_page: OpenPage) -> None:
    page = open_page(javascript=False)
    page.goto("/api/v1/docs")
    assert page.get_by_role("link", name="/api/v1/openapi.json").get_attribute("href") == "/api/v1/openapi.json"
