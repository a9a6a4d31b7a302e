"""Ways through the portal that go over a mail: confirm the address, a forgotten password, an invitation."""

from collections.abc import Callable
from datetime import datetime, timezone
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.accounts.mail_server import link_in
from tests.browser.conftest import OpenPage
from tests.browser.people import NEW_PASSWORD, PASSWORD, log_in, sign_up
from tests.browser.test_access import DARK_PHONE, serious_findings
from tests.mails import mail_to
from tests.portals import Portal

pytestmark = pytest.mark.browser


def path_in(message: EmailMessage) -> str:
    return urlsplit(link_in(message)).path


def take_as_confirmed(portal: Portal, address: str) -> None:
    """As if somebody had followed the link in the mail."""
    with portal.mongo() as client:
        confirmed = {"$set": {"email_verified_at": datetime.now(timezone.utc)}}
        assert client[portal.database]["accounts"].update_one({"email": address}, confirmed).modified_count == 1


# Without JavaScript these are the forms that `tests/accounts/test_recovery.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_a_forgotten_password(
    open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str], javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug = unused("forgot")
    address = f"{slug}@example.com"
    sign_up(page, slug)
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Email", exact=True).fill(address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1, name="Look into your mail")).to_be_visible()
    if javascript:
        assert serious_findings(page) == []
    page.goto(path_in(mail_to(live_portal, address, "Reset your password")))
    if javascript:
        assert serious_findings(page, DARK_PHONE) == []
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page).to_have_url(f"{live_portal.base_url}/login")
    log_in(page, address, NEW_PASSWORD)
    expect(page).to_have_url(f"{live_portal.base_url}/dashboard")
    page.goto(path_in(mail_to(live_portal, address, "Reset your password")))
    expect(page.get_by_role("heading", level=1, name="This link does not work")).to_be_visible()
    if javascript:
        assert serious_findings(page) == []


def test_people_are_invited_and_join(open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str]) -> None:
    owner, guest = open_page(), open_page()
    slug = unused("hosts")
    invited = f"guest-{slug}@example.com"
    sign_up(owner, slug)
    owner.goto("/members/invite")
    expect(owner.get_by_text("Confirm your own address first.")).to_be_visible()
    owner.goto(path_in(mail_to(live_portal, f"{slug}@example.com", "Confirm")))
    assert serious_findings(owner) == []
    owner.get_by_role("button", name="Yes, confirm it").click()
    expect(owner.get_by_text("is confirmed.")).to_be_visible()
    owner.goto("/members/invite")
    owner.get_by_label("Email", exact=True).fill(invited)
    owner.get_by_label("Role").select_option("editor")
    owner.get_by_role("button", name="Send the invitation").click()
    expect(owner.get_by_role("listitem").filter(has_text=invited)).to_be_visible()
    assert serious_findings(owner, DARK_PHONE) == []
    guest.goto(path_in(mail_to(live_portal, invited, "Invitation")))
    assert serious_findings(guest) == []
    guest.get_by_label("Your name").fill("Grace")
    guest.get_by_label("Password", exact=True).fill(PASSWORD)
    guest.get_by_role("button", name="Make an account and join").click()
    expect(guest.get_by_text("You are its editor", exact=True)).to_be_visible()
    owner.reload()
    expect(owner.get_by_text("None. Whoever is invited")).to_be_visible()


def test_an_existing_account_logs_in_and_joins(
    open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str]
) -> None:
    page = open_page()
    hosts, others = unused("hosts_of_a_great_many_people"), unused("others")
    address = f"{others}@example.com"
    sign_up(page, others)
    page.context.clear_cookies()
    sign_up(page, hosts)
    take_as_confirmed(live_portal, f"{hosts}@example.com")
    page.goto("/members/invite")
    page.get_by_label("Email", exact=True).fill(address)
    page.get_by_role("button", name="Send the invitation").click()
    path = path_in(mail_to(live_portal, address, "Invitation"))
    page.goto(path)
    expect(page.get_by_text("You are logged in as")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    page.context.clear_cookies()
    page.goto(path)
    page.get_by_role("link", name="Log in and join").click()
    page.get_by_label("Email", exact=True).fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_text("You are its viewer", exact=True)).to_be_visible()
