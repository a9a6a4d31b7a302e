"""The audit in a browser: what one has just done is there, can be looked for, opened, and taken away as a file."""

from collections.abc import Callable
from pathlib import Path

import pytest
import verify_audit_export as offline
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.people import sign_up
from tests.browser.test_access import DARK_PHONE, serious_findings

pytestmark = pytest.mark.browser


# Without JavaScript these are the links and the form that `tests/tenants/audit/test_audit_page.py` uses.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without"]
)
def test_an_admin_looks_up_what_happened_and_exports_it(
    open_page: OpenPage, unused: Callable[[str], str], tmp_path: Path, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    slug = unused("looked_up")
    sign_up(page, slug)
    page.goto("/settings")
    page.get_by_label("Organization name").fill("Renamed Coffee")
    page.get_by_role("button", name="Save the settings").click()
    page.get_by_role("link", name="audit").click()

    rows = page.locator(".audit-row")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("Changed the organization")
    rows.nth(0).locator("summary").click()
    expect(rows.nth(0).get_by_text("Fields")).to_be_visible()
    expect(rows.nth(0).locator("dd", has_text="name").first).to_be_visible()
    if javascript:
        assert serious_findings(page, DARK_PHONE) == []

    page.get_by_text("Look for something").click()
    page.get_by_label("What happened").select_option(label="Logged in")
    page.get_by_role("button", name="Look").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Who").fill("nobody@example.com")
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    page.get_by_role("link", name="Everything").click()
    expect(rows).to_have_count(3)

    with page.expect_download() as download:
        page.get_by_role("main").get_by_role("link", name="Export", exact=True).click()
    file = tmp_path / "audit.ndjson"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"audit-{slug}.ndjson"
    assert offline.check(file) == 4
