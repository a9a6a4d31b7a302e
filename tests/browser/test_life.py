"""The whole life of an organization in a real browser, with JavaScript and without."""

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import NEW_PASSWORD, PASSWORD, log_in, log_out, sign_up, sign_up_by_hand
from tests.portals import Portal

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_whole_life_of_an_organization(
    open_page: OpenPage, unused: Callable[[str], str], live_portal: Portal, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug, renamed = unused("acme"), unused("roast")
    _find_the_sign_up_form(page)
    sign_up_by_hand(page, slug)
    _use_the_token(page, slug)
    log_out(page)
    log_in(page, f"{slug}@example.com")
    _change_everything(page, slug, renamed)
    _change_the_password(page)
    log_out(page)
    log_in(page, f"{slug}@example.com", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("The email or the password is not right.")
    log_in(page, f"{slug}@example.com", NEW_PASSWORD)
    _delete(page, renamed)
    log_in(page, f"{slug}@example.com", NEW_PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("The email or the password is not right.")
    with live_portal.mongo() as client:
        assert f"org_{renamed}" not in client[live_portal.database].list_collection_names()


def _find_the_sign_up_form(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("img", name="Your own collection")).to_be_visible()
    page.get_by_role("link", name="Create an organization").click()
    expect(page).to_have_url(re.compile("/signup$"))


def _use_the_token(page: Page, slug: str) -> None:
    """The command from the page, pasted into a shell."""
    expect(page.locator("#curl-line")).to_be_hidden()
    page.get_by_text("Show the command").click()
    command = shlex.split((page.locator("#curl-line").text_content() or "").replace("\\\n", " "))
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert f'"slug": "{slug}"' in answer.replace('":"', '": "')


def _change_everything(page: Page, slug: str, renamed: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.get_by_label("Organization name").fill("Acme Roasters")
    page.get_by_label("Key 1").fill("seats")
    page.get_by_label("Value 1").fill("25")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("Your changes are saved.")).to_be_visible()
    page.get_by_label("Short name").fill(renamed)
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_role("status").first).to_contain_text(f"The collection is now org_{renamed}")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme Roasters")
    expect(page.get_by_role("main")).to_contain_text(f"org_{renamed}")
    expect(page.get_by_role("main")).not_to_contain_text(f"org_{slug}")
    expect(page.get_by_role("row", name="seats 25")).to_be_visible()


def _change_the_password(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Account").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()


def _delete(page: Page, slug: str) -> None:
    page.get_by_role("link", name="Delete the organization…").click()
    expect(page.get_by_role("main")).to_contain_text("1 member loses access")
    page.get_by_label("Type the short name to confirm").fill("something else")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("Nothing was deleted.")).to_be_visible()
    page.get_by_label("Type the short name to confirm").fill(slug)
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("status").first).to_contain_text("Acme Roasters")
    expect(page.get_by_role("link", name="Create an organization")).to_be_visible()


# Without JavaScript these are the forms that `tests/tenants/test_pages.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_an_account_works_in_several_organizations(
    open_page: OpenPage, unused: Callable[[str], str], javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    first, second = unused("first"), unused("second")
    sign_up(page, first, name="First House")
    page.goto("/dashboard")
    page.locator(".menu-organization summary").click()
    page.get_by_role("link", name="Add an organization").click()
    page.get_by_label("Organization name").fill("Second House")
    page.get_by_label("Short name").fill(second)
    page.get_by_role("button", name="Create the organization").click()
    expect(page.get_by_role("heading", level=1, name="Second House")).to_be_visible()
    log_out(page)
    log_in(page, f"{first}@example.com")
    expect(page.get_by_role("heading", level=1, name="Choose an organization")).to_be_visible()
    page.get_by_role("button", name="Open First House").click()
    expect(page.get_by_role("heading", level=1, name="First House")).to_be_visible()


def test_the_name_can_be_checked_without_javascript(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    visitor = open_page(javascript=False)
    taken = unused("taken")
    sign_up(visitor, taken)
    visitor.context.clear_cookies()
    visitor.goto("/signup")
    visitor.get_by_label("Organization name").fill("Café Zürich am See")
    visitor.get_by_role("button", name="Check name").click()
    expect(visitor.locator("#name-preview")).to_contain_text("org_cafe_zurich_am_see")
    visitor.get_by_label("Short name").fill(taken)
    visitor.get_by_role("button", name="Check name").click()
    expect(visitor.locator("#name-preview")).to_contain_text(f"{taken} is taken.")
    visitor.get_by_label("Short name").fill("")
    visitor.get_by_label("Organization name").fill("Admin")
    visitor.get_by_role("button", name="Check name").click()
    expect(visitor.locator("#name-preview")).to_contain_text("“admin” is reserved")


def test_the_name_is_previewed_while_one_types(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/signup")
    page.get_by_label("Organization name").press_sequentially("Ünlü Çay Evi")
    expect(page.locator("#name-preview")).to_contain_text("org_unlu_cay_evi")
    page.get_by_label("Short name").press_sequentially("tea house")
    expect(page.locator("#name-preview")).to_contain_text("Use 2 to 40 of a-z, 0-9 and _")


def test_pressing_enter_in_the_sign_up_form_creates_rather_than_checks(
    open_page: OpenPage, unused: Callable[[str], str]
) -> None:
    page = open_page()
    slug = unused("enter")
    page.goto("/signup")
    page.get_by_label("Organization name").fill("Enter Works")
    page.get_by_label("Short name").fill(slug)
    page.get_by_label("Email").fill(f"{slug}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1, name="Enter Works")).to_be_visible()


def test_two_quick_clicks_create_one_organization_and_show_no_error(
    open_page: OpenPage, unused: Callable[[str], str]
) -> None:
    page = open_page()
    slug = unused("double")
    page.goto("/signup")
    page.get_by_label("Organization name").fill("Double House")
    page.get_by_label("Short name").fill(slug)
    page.get_by_label("Email").fill(f"{slug}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create the organization").dblclick()
    expect(page.get_by_role("heading", level=1, name="Double House")).to_be_visible()


def test_a_change_from_another_window_is_not_overwritten(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("windows"))
    other = page.context.new_page()
    page.goto("/settings")
    other.goto("/settings")
    other.get_by_label("Organization name").fill("Theirs")
    other.get_by_role("button", name="Save the settings").click()
    expect(other.get_by_text("Your changes are saved.")).to_be_visible()
    page.get_by_label("Organization name").fill("Mine")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed the organization meanwhile.")
    expect(page.get_by_label("Organization name")).to_have_value("Mine")
