"""Ways through the portal that go over a mail: confirm the address, a forgotten password, an invitation."""

import email
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.accounts.mail_server import link_in
from tests.browser.conftest import OpenPage
from tests.browser.people import NEW_PASSWORD, PASSWORD, log_in, sign_up
from tests.browser.test_access import serious_findings
from tests.portals import Portal
from tests.waiting import wait_until

pytestmark = pytest.mark.browser


def mail_to(portal: Portal, address: str, subject: str) -> EmailMessage:
    """The newest mail to an address under that subject, once the worker has written it."""

    def find() -> EmailMessage | None:
        for path in sorted((portal.folder / "outbox").glob("*.eml"), reverse=True):
            message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(message, EmailMessage)
            if message["To"] == address and subject in message["Subject"]:
                return message
        return None

    found = wait_until(find, f"the mail “{subject}” to {address}")
    assert found is not None
    return found


def path_in(message: EmailMessage) -> str:
    return urlsplit(link_in(message)).path


def confirm(page: Page, portal: Portal, address: str) -> None:
    page.goto(path_in(mail_to(portal, address, "Confirm")))
    page.get_by_role("button", name="Yes, confirm it").click()


def test_a_forgotten_password_without_javascript(
    open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str]
) -> None:
    page = open_page(javascript=False)
    slug = unused("forgot")
    address = f"{slug}@example.com"
    sign_up(page, slug)
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("Email", exact=True).fill(address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1, name="Look into your mail")).to_be_visible()
    page.goto(path_in(mail_to(live_portal, address, "Reset your password")))
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page).to_have_url(f"{live_portal.base_url}/login")
    log_in(page, address, NEW_PASSWORD)
    expect(page).to_have_url(f"{live_portal.base_url}/dashboard")
    page.go_back()
    page.goto(path_in(mail_to(live_portal, address, "Reset your password")))
    expect(page.get_by_role("heading", level=1, name="This link does not work")).to_be_visible()


def test_people_are_invited_and_join(open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str]) -> None:
    owner, guest = open_page(), open_page()
    slug = unused("hosts")
    invited = f"guest-{slug}@example.com"
    sign_up(owner, slug)
    owner.goto("/members/invite")
    expect(owner.get_by_text("Confirm your own address first.")).to_be_visible()
    confirm(owner, live_portal, f"{slug}@example.com")
    expect(owner.get_by_text("is confirmed.")).to_be_visible()
    owner.goto("/members/invite")
    owner.get_by_label("Email", exact=True).fill(invited)
    owner.get_by_label("Role").select_option("editor")
    owner.get_by_role("button", name="Send the invitation").click()
    expect(owner.get_by_role("listitem").filter(has_text=invited)).to_be_visible()
    assert serious_findings(owner) == []
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
    owner, member = open_page(), open_page()
    hosts, others = unused("hosts_of_a_great_many_people"), unused("others")
    address = f"{others}@example.com"
    sign_up(owner, hosts)
    confirm(owner, live_portal, f"{hosts}@example.com")
    sign_up(member, others)
    member.context.clear_cookies()
    owner.goto("/members/invite")
    owner.get_by_label("Email", exact=True).fill(address)
    owner.get_by_role("button", name="Send the invitation").click()
    path = path_in(mail_to(live_portal, address, "Invitation"))
    owner.goto(path)
    expect(owner.get_by_text("You are logged in as")).to_be_visible()
    assert serious_findings(owner) == []
    member.goto(path)
    member.get_by_role("link", name="Log in and join").click()
    member.get_by_label("Email", exact=True).fill(address)
    member.get_by_label("Password", exact=True).fill(PASSWORD)
    member.get_by_role("main").get_by_role("button", name="Log in").click()
    member.get_by_role("button", name="Join", exact=True).click()
    expect(member.get_by_text("You are its viewer", exact=True)).to_be_visible()


def test_pages_behind_links_have_no_serious_fault(
    open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str]
) -> None:
    page = open_page()
    slug = unused("links")
    address = f"{slug}@example.com"
    sign_up(page, slug)
    for path in (path_in(mail_to(live_portal, address, "Confirm")), f"/email/verify/{'a' * 43}"):
        page.goto(path)
        assert serious_findings(page) == []
    page.goto("/password/forgot")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Email", exact=True).fill(address)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1, name="Look into your mail")).to_be_visible()
    assert serious_findings(page) == []
    page.goto(path_in(mail_to(live_portal, address, "Reset your password")))
    assert serious_findings(page) == []
