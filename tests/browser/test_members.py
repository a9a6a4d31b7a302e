"""Members, API keys and sessions, as people manage them in a browser, with and without JavaScript."""

from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import log_in, sign_up
from tests.browser.test_access import DARK_PHONE, serious_findings
from tests.portals import Portal

pytestmark = pytest.mark.browser


def add_member(portal: Portal, slug: str, email: str, role: str) -> None:
    """Make an account that is there already a member of the organization, as accepting an invitation does."""
    with portal.mongo() as client:
        master = client[portal.database]
        organization = master.organizations.find_one({"slug": slug})
        assert organization is not None
        place = {"org_id": organization["_id"], "role": role, "joined_at": datetime.now(timezone.utc)}
        changed = master.accounts.update_one({"email": email}, {"$push": {"memberships": place}})
        assert changed.modified_count == 1


def row_of(page: Page, text: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=text)


# Without JavaScript these are the forms that `tests/accounts/test_membership.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_an_owner_manages_the_members(
    open_page: OpenPage, live_portal: Portal, unused: Callable[[str], str], javascript: bool
) -> None:
    owner, bobs = unused("owners"), unused("bobs")
    page = open_page(javascript=javascript)
    sign_up(page, bobs)
    page.context.clear_cookies()
    sign_up(page, owner)
    page.goto("/members")
    expect(page.get_by_text("You are alone here so far.")).to_be_visible()
    add_member(live_portal, owner, f"{bobs}@example.com", "viewer")
    page.reload()
    if javascript:
        assert serious_findings(page) == []
    row = row_of(page, f"{bobs}@example.com")
    row.get_by_label("Role of").select_option("admin")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{bobs}@example.com is now an admin.")).to_be_visible()
    row_of(page, f"{bobs}@example.com").get_by_role("link", name="Remove").click()
    expect(page.get_by_role("heading", level=1, name="Remove")).to_be_visible()
    page.get_by_role("button", name="Remove the member").click()
    expect(page.get_by_text("The member is removed.")).to_be_visible()
    expect(row_of(page, f"{bobs}@example.com")).to_have_count(0)


def test_a_key_is_made_used_and_revoked(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    slug = unused("keyed")
    sign_up(page, slug)
    page.goto("/keys")
    page.get_by_role("link", name="Make the first key").click()
    page.get_by_label("Name").fill("Nightly import")
    page.get_by_label("Read and change the organization itself").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", level=1, name="Copy the key now")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    key = page.locator("#api-key").inner_text()
    bearer = {"Authorization": f"Bearer {key}"}
    assert page.request.get(f"/api/v1/orgs/{slug}", headers=bearer).status == 200
    page.get_by_role("link", name="I have copied it").click()
    expect(row_of(page, "Nightly import").get_by_text("Active")).to_be_visible()
    assert key not in page.content()
    row_of(page, "Nightly import").get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("is revoked")).to_be_visible()
    assert page.request.get(f"/api/v1/orgs/{slug}", headers=bearer).status == 401


def test_a_forgotten_browser_is_logged_out_from_another(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    forgotten, here = open_page(), open_page()
    slug = unused("sessions")
    sign_up(forgotten, slug)
    log_in(here, f"{slug}@example.com")
    here.goto("/account/sessions")
    expect(here.get_by_text("this one")).to_have_count(1)
    here.get_by_role("button", name="End all others").click()
    expect(here.get_by_text("1 other session has ended.")).to_be_visible()
    expect(here.get_by_text("You are logged in nowhere else.")).to_be_visible()
    forgotten.goto("/dashboard")
    expect(forgotten.get_by_role("heading", level=1, name="Log in")).to_be_visible()
