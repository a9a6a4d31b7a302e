"""Schema, indexes and figures in a real browser: with and without JavaScript, and nothing that axe complains about."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import csrf_token, sign_up
from tests.browser.test_access import DARK_PHONE, VIEWS, serious_findings

pytestmark = pytest.mark.browser


def add_records(page: Page, slug: str) -> None:
    """A few records, by the API with the page's session."""
    token = {"X-CSRFToken": csrf_token(page)}
    for number in range(6):
        data = {"city": "Oslo" if number else "Rome", "people": number * 10}
        answer = page.request.post(f"/api/v1/orgs/{slug}/records", data={"data": data}, headers=token)
        assert answer.status == 201, answer.text()


# Without JavaScript these are the forms that `tests/tenants/rules/test_pages.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_the_dashboard_draws_growth_and_a_chosen_field(
    open_page: OpenPage, unused: Callable[[str], str], javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug = unused("figures")
    sign_up(page, slug)
    add_records(page, slug)
    page.goto("/dashboard")
    expect(page.get_by_role("img", name="Records over the last eight weeks")).to_be_visible()
    if not javascript:
        page.get_by_role("link", name="See how the values of a field are spread").click()
    expect(page.get_by_role("img", name="How the values of people are spread")).to_be_visible()
    page.get_by_label("Field", exact=True).select_option("city")
    if not javascript:
        page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="Oslo 5 83 %")).to_be_visible()
    if javascript:
        assert page.url.endswith("/dashboard"), "only the card was fetched"
        page.eval_on_selector_all("main summary", "all => all.forEach(summary => summary.click())")
        assert serious_findings(page, *VIEWS) == []


# Without JavaScript these are the forms that `tests/tenants/rules/test_pages.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_a_schema_is_drafted_tried_and_its_report_read(
    open_page: OpenPage, unused: Callable[[str], str], javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug = unused("rules")
    sign_up(page, slug)
    add_records(page, slug)
    page.goto("/records/schema")
    page.get_by_role("link", name="Draft from the records").click()
    page.get_by_role("button", name="Only try it").click()
    answer = page.get_by_text("All 6 records fit. It was only tried")
    if javascript:
        expect(answer).to_be_visible()
    else:
        while not answer.is_visible():
            page.get_by_role("link", name="Look again").click()
    page.get_by_label("Schema as JSON").fill('{"properties": {"people": {"minimum": 5}}}')
    page.get_by_role("button", name="Only try it").click()
    wrong = page.get_by_text("1 of 6 records does not fit.")
    if not javascript:
        while not wrong.is_visible():
            page.get_by_role("link", name="Look again").click()
    expect(wrong).to_be_visible()
    expect(page.get_by_role("cell", name="0 is less than the minimum of 5")).to_be_visible()
    if javascript:
        assert serious_findings(page) == []


def test_an_index_appears_as_ready_by_itself(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    slug = unused("indexes")
    sign_up(page, slug)
    add_records(page, slug)
    page.goto("/records/indexes")
    page.get_by_label("Fields", exact=True).fill("city")
    page.get_by_label("Unique", exact=True).check()
    page.get_by_role("button", name="Add the index").click()
    expect(page.get_by_text("More than one record has city = “Oslo”, so it cannot be kept unique.")).to_be_visible()
    page.get_by_label("Fields", exact=True).fill("people")
    page.get_by_role("button", name="Add the index").click()
    expect(page.get_by_text("Ready")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
