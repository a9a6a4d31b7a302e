"""The second factor in a real browser: set up, asked for at the login, demanded by an organization."""

import re
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from playwright.sync_api import Page, expect

from accounts.factors import totp
from tests.browser.conftest import OpenPage
from tests.browser.people import PASSWORD, log_in, sign_up
from tests.browser.test_access import DARK_PHONE, serious_findings
from tests.portals import Portal

pytestmark = pytest.mark.browser


def code_of(page: Page, *, steps: int = 0) -> str:
    """What an app shows that was given the key on the page."""
    secret = page.locator("#totp-key").inner_text().replace(" ", "")
    return totp.code_at(secret, totp.step_of(datetime.now(timezone.utc)) + steps)


def begin(page: Page) -> None:
    page.goto("/account/security")
    page.get_by_role("button", name="Set up an authenticator app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()


def switch_on(page: Page) -> None:
    page.get_by_label("Code from the app").fill(code_of(page))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", level=1, name="The second factor is on")).to_be_visible()


def forget_the_password(portal: Portal) -> None:
    """As if everybody had logged in an hour ago."""
    with portal.mongo() as client:
        client[portal.database]["sessions"].update_many({}, {"$set": {"sudo_until": datetime(2020, 1, 1)}})


# Without JavaScript these are the forms that `tests/accounts/factors/test_second_factor_pages.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_somebody_switches_it_on_and_logs_in_with_a_recovery_code(
    open_page: OpenPage, unused: Callable[[str], str], javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug = unused("factor")
    sign_up(page, slug)
    begin(page)
    if javascript:
        assert serious_findings(page) == []
    switch_on(page)
    codes = page.locator("#recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    if javascript:
        assert serious_findings(page, DARK_PHONE) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 of 10")).to_be_visible()
    page.context.clear_cookies()
    log_in(page, f"{slug}@example.com")
    expect(page.get_by_role("heading", level=1, name="Enter a code")).to_be_visible()
    if javascript:
        assert serious_findings(page) == []
    page.get_by_label("Code").fill("000000")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_text("This code is not right")).to_be_visible()
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1, name="Acme Coffee")).to_be_visible()


def test_a_change_asks_for_the_password_and_comes_back(
    open_page: OpenPage, unused: Callable[[str], str], live_portal: Portal
) -> None:
    page = open_page()
    sign_up(page, unused("again"))
    forget_the_password(live_portal)
    page.goto("/account/security")
    page.get_by_role("button", name="Set up an authenticator app").click()
    expect(page.get_by_role("heading", level=1, name="Is it still you?")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(re.compile("/account/security$"))
    page.get_by_role("button", name="Set up an authenticator app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()


def test_an_organization_demands_it_of_all_members(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("demands"))
    page.goto("/security")
    page.get_by_label("All members need a second factor").check()
    page.get_by_label("Days of grace").fill("0")
    page.get_by_role("button", name="Save the policy").click()
    expect(page.get_by_text("lets nobody in without a second factor")).to_be_visible()
    begin(page)
    switch_on(page)
    page.goto("/dashboard")
    expect(page.get_by_role("heading", level=1, name="Acme Coffee")).to_be_visible()
