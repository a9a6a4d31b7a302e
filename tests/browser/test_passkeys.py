"""Passkeys in a real browser, with the authenticator that Chromium has for tests (CDP, domain WebAuthn)."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import PASSWORD, log_in, sign_up
from tests.browser.test_access import DARK_PHONE, serious_findings
from tests.browser.test_second_factor import forget_the_password
from tests.portals import Portal

pytestmark = pytest.mark.browser

LONG_NAME = "A phone with a rather long name, as some have"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Device:
    """The authenticator of a page's browser. `locked`: its user cannot prove to be its owner."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable")
        self._id = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"]

    def lock(self, locked: bool = True) -> None:
        verified = {"authenticatorId": self._id, "isUserVerified": not locked}
        self._session.send("WebAuthn.setUserVerified", verified)

    def credentials(self) -> int:
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return len(found["credentials"])


def add(page: Page, name: str) -> None:
    page.goto("/account/security/passkeys/new")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the passkey").click()


def test_somebody_adds_one_and_logs_in_with_the_password_and_it_and_with_it_alone(
    open_page: OpenPage, unused: Callable[[str], str]
) -> None:
    page = open_page(device=True)
    slug = unused("passkey")
    sign_up(page, slug)
    device = Device(page)
    page.goto("/account/security")
    page.get_by_role("link", name="Add a passkey").click()
    expect(page.get_by_role("heading", level=1, name="Add a passkey")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_label("Name").fill(LONG_NAME)
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", level=1, name="The second factor is on")).to_be_visible()
    assert page.locator("#recovery-codes code").count() == 10
    assert device.credentials() == 1
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text(LONG_NAME).first).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []

    page.context.clear_cookies()
    log_in(page, f"{slug}@example.com")
    expect(page.get_by_role("heading", level=1, name="Show that it is you")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", level=1, name="Acme Coffee")).to_be_visible()

    page.context.clear_cookies()
    page.goto("/login?next=/account/security")
    page.get_by_label("Stay logged in on this device").check()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1, name="Second factor")).to_be_visible()
    assert max(cookie.get("expires", 0) for cookie in page.context.cookies() if "session" in cookie["name"]) > 0

    page.get_by_role("link", name=f"Remove {LONG_NAME}").click()
    expect(page.get_by_role("heading", level=1, name="Remove")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text(f"The passkey “{LONG_NAME}” is removed.")).to_be_visible()
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("This passkey was not accepted")).to_be_visible()
    log_in(page, f"{slug}@example.com")
    expect(page.get_by_role("heading", level=1, name="Acme Coffee")).to_be_visible()


def test_what_the_device_refuses_is_said_and_the_passkey_stands_in_for_the_password(
    open_page: OpenPage, unused: Callable[[str], str], live_portal: Portal
) -> None:
    page = open_page(device=True)
    sign_up(page, unused("again"))
    device = Device(page)
    add(page, "Laptop")
    expect(page.get_by_role("heading", level=1, name="The second factor is on")).to_be_visible()
    add(page, "Laptop again")
    expect(page.get_by_text("This device has a passkey for your account already.")).to_be_visible()
    page.goto("/account/security")
    page.get_by_role("link", name="Rename Laptop").click()
    expect(page.get_by_role("heading", level=1, name="Rename")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    page.go_back()
    forget_the_password(live_portal)
    page.get_by_role("link", name="Remove Laptop").click()
    expect(page.get_by_role("heading", level=1, name="Is it still you?")).to_be_visible()
    assert serious_findings(page) == []
    device.lock()
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_text("No passkey was shown. Try again, or go on without it.")).to_be_visible()
    device.lock(False)
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("heading", level=1, name="Remove “Laptop”?")).to_be_visible()
    # Too long ago again, and only noticed when the dialog should open: the page leads to the password by itself.
    page.goto("/account/security/passkeys/new")
    forget_the_password(live_portal)
    page.get_by_label("Name").fill("Phone")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", level=1, name="Is it still you?")).to_be_visible()


def test_without_javascript_the_pages_say_what_to_do_instead(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page(javascript=False)
    sign_up(page, unused("plain"))
    page.goto("/account/security/passkeys/new")
    expect(page.get_by_text("needs JavaScript and a browser that knows passkeys")).to_be_visible()
    expect(page.get_by_role("button", name="Make the passkey")).to_be_hidden()
    page.context.clear_cookies()
    page.goto("/login")
    expect(page.get_by_text("Your email and password log you in without.")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
