"""Records in a real browser: with JavaScript and without, by keyboard, in both themes, on a desktop and on a phone."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people import csrf_token, sign_up
from tests.browser.test_access import DARK_PHONE, VIEWS, View, serious_findings

pytestmark = pytest.mark.browser

Look = Callable[..., None]

ORDERS = 60
# What a page of the grid costs goes with its rows.
FEW_ROWS = "/records?limit=10"


def column(page: Page, number: int = 1) -> list[str]:
    """The texts of a column of the grid, from 1, beside the column of ids."""
    return page.locator(f"[data-grid-table] tbody tr th ~ td:nth-of-type({number + 1})").all_inner_texts()


def filter_of(page: Page) -> object:
    """The filter in the address."""
    return json.loads(parse_qs(urlsplit(page.url).query)["filter"][0])


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_records_are_found_changed_and_deleted(
    open_page: OpenPage, unused: Callable[[str], str], tmp_path: Path, javascript: bool
) -> None:
    """With JavaScript, each page on the way is looked at for serious faults: axe is a script."""

    def look(*views: View) -> None:
        assert not javascript or serious_findings(page, *views) == []

    page = open_page(javascript=javascript)
    sign_up(page, unused("grid"))
    _take_the_sample(page, look)
    _sort_and_page(page)
    _filter_and_search(page, look)
    _export(page, tmp_path)
    _create_and_edit(page, look)
    _lose_a_race(page, look)
    _delete_the_selected(page)
    _import_a_file(page, look)
    _delete_all_that_match(page, look)


def _take_the_sample(page: Page, look: Look) -> None:
    page.goto("/records")
    look()
    page.get_by_role("button", name="Import the sample data").click()
    expect(page.get_by_text(f"{ORDERS} sample records are here.")).to_be_visible()


def _sort_and_page(page: Page) -> None:
    page.goto(f"{FEW_ROWS}&sort=total")
    expect(page.get_by_role("columnheader", name="total")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("columnheader", name="total").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="total")).to_have_attribute("aria-sort", "descending")
    first = page.locator("[data-open]").first.inner_text()
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".paging-count")).to_contain_text("11\u201320")
    page.get_by_role("link", name="Back").click()
    expect(page.locator("[data-open]").first).to_have_text(first)
    page.get_by_role("link", name="Not sorted by").click()
    expect(page.locator("[data-open]").first).to_have_text("order-0001")


def _filter_and_search(page: Page, look: Look) -> None:
    page.locator("#filter-panel > summary").click()
    page.get_by_label("Field 1", exact=True).fill("customer.country")
    page.get_by_label("Value 1", exact=True).fill("IT")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("customer.country is IT", exact=True)).to_be_visible()
    assert filter_of(page) == {"customer.country": {"$eq": "IT"}}
    assert set(column(page)) == {"Giulia Riva"}
    look(*VIEWS)
    page.get_by_label("Field to search").select_option("customer.name")
    page.get_by_label("begins with").fill("Nobody")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="No record matches")).to_be_visible()
    page.get_by_role("link", name="Show all records").click()
    expect(page.locator("[data-open]")).to_have_count(10)


def _export(page: Page, folder: Path) -> None:
    page.locator("summary.btn", has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Extended JSON").click()
    file = folder / "all.ejson"
    download.value.save_as(file)
    assert len(file.read_text(encoding="utf-8").splitlines()) == ORDERS


def _create_and_edit(page: Page, look: Look) -> None:
    page.get_by_role("link", name="New record").click()
    page.get_by_label("Data as JSON").fill('{"customer": {"name": "Zoë"},}')
    page.get_by_label("Id optional").fill("zoe")
    page.get_by_role("button", name="Create the record").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a comma behind the last entry.")
    look(DARK_PHONE)
    page.get_by_label("Data as JSON").fill('{"customer": {"name": "Zoë"}}')
    page.get_by_role("button", name="Create the record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("zoe")
    page.get_by_label("Data as JSON").fill('{"customer": {"name": "Zoë B."}}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. This is revision 2 now.")).to_be_visible()


def _lose_a_race(page: Page, look: Look) -> None:
    page.get_by_label("Data as JSON").fill('{"customer": {"name": "Zoë D."}}')
    _save_elsewhere(page, "/records/id/zoe", '{"customer": {"name": "Zoë C."}}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody saved this record before you.")
    expect(page.locator(".diff-removed del")).to_have_text('"name": "Zoë C."')
    expect(page.locator(".diff-added ins")).to_have_text('"name": "Zoë D."')
    look(*VIEWS)
    page.get_by_role("button", name="Save mine over theirs").click()
    expect(page.get_by_text("revision 4")).to_be_visible()


def _save_elsewhere(page: Page, path: str, text: str) -> None:
    """As from another window: the form of the page as it is now."""
    hidden = re.findall(r'name="(csrfmiddlewaretoken|version)" value="([^"]*)"', page.request.get(path).text())
    answer = page.request.post(path, form={**dict(hidden), "data": text}, max_redirects=0)
    assert answer.headers["location"] == path


def _delete_the_selected(page: Page) -> None:
    page.goto(FEW_ROWS)
    for id in ("order-0001", "order-0003"):
        page.get_by_label(f"Select {id}").check()
    page.get_by_role("button", name="Delete selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 2 records?")
    page.get_by_role("button", name="Delete 2 records").click()
    expect(page.get_by_text("2 records deleted.")).to_be_visible()
    expect(page.locator("[data-open]").first).to_have_text("order-0002")


def _import_a_file(page: Page, look: Look) -> None:
    page.get_by_role("link", name="Import", exact=True).click()
    expect(page.get_by_label("CSV, NDJSON")).to_be_visible()
    look()
    content = b"name,price\nCup,4\n" + b"Beans,12.5\n" * 40 + b"Tray,7,8\n"
    page.get_by_label("CSV, NDJSON").set_input_files(FilePayload(name="goods.csv", mimeType="text/csv", buffer=content))
    page.get_by_role("button", name="Import").click()
    expect(page).to_have_url(re.compile("/records/imports/"))
    # HTMX asks again; without JavaScript the page loads itself anew.
    expect(page.get_by_role("heading", name="Done")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Added").locator("xpath=following-sibling::dd")).to_have_text("41")
    look(DARK_PHONE)
    expect(page.get_by_role("link", name="See the records")).to_be_visible()


def _delete_all_that_match(page: Page, look: Look) -> None:
    page.goto(f'{FEW_ROWS}&filter={{"name":"Beans"}}')
    page.get_by_role("button", name="Delete all that match").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 40 records?")
    look(DARK_PHONE)
    page.get_by_label("Type 40 to confirm").fill("40")
    page.get_by_role("button", name="Delete 40 records").click()
    expect(page.get_by_text("40 records deleted.")).to_be_visible()
    expect(page.get_by_role("heading", name="No record matches")).to_be_visible()


def test_scripts_and_keyboard_make_the_pages_quicker(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("keys"))
    page.request.post("/records/import/sample", headers={"X-CSRFToken": csrf_token(page)}, max_redirects=0)
    page.goto(FEW_ROWS)
    page.evaluate("window.isTheSame = true")
    head = page.get_by_role("columnheader", name="placed").get_by_role("link")
    head.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="placed")).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_role("columnheader", name="placed").get_by_role("link")).to_be_focused()
    page.get_by_label("Rows on a page").select_option("25")
    expect(page.locator("[data-open]")).to_have_count(25)
    expect(page.locator(".paging-count")).to_have_text(f"1\u201325 of {ORDERS}")
    assert page.evaluate("window.isTheSame") is True
    page.go_back()
    expect(page.locator("[data-open]")).to_have_count(10)
    page.get_by_label("Select all on this page").check()
    expect(page.get_by_role("button", name="Delete selected (10)")).to_be_visible()
    page.locator("[data-open]").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-open]").nth(1)).to_be_focused()
    _build_a_filter(page)
    page.locator("[data-open]").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("order-0001")
    _use_the_editor(page)
    page.goto("/records?limit=10&open=columns&columns=total,rating,note,customer_id,tags,paid,$changed,customer")
    assert serious_findings(page) == []


def _build_a_filter(page: Page) -> None:
    page.locator("#filter-panel > summary").click()
    page.get_by_role("button", name="Add a row").click()
    expect(page.get_by_label("Field 2")).to_be_focused()
    page.get_by_label("Field 1", exact=True).fill("total")
    page.get_by_label("Comparison 1").select_option("is at least")
    page.get_by_label("Value 1", exact=True).fill("many")
    page.get_by_label("Read value 1 as").select_option("number")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_text("This is not a number.")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    page.get_by_role("button", name="Remove row 1").click()
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.locator("[data-open]")).to_have_count(10)


def _use_the_editor(page: Page) -> None:
    text = page.get_by_label("Data as JSON")
    text.fill('{"a":[1,2.50,{"b":12345678901234567}],"c":{}}')
    page.get_by_role("button", name="Format").click()
    formatted = '{\n  "a": [\n    1,\n    2.50,\n    {\n      "b": 12345678901234567\n    }\n  ],\n  "c": {}\n}'
    expect(text).to_have_value(formatted)
    expect(page.locator("[data-editor-lines] span")).to_have_count(10)
    text.fill('{\n  "a": {"$date": "soon"}\n}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious_findings(page, DARK_PHONE) == []
    page.get_by_role("link", name="Line 2, column 9").click()
    expect(text).to_be_focused()
    assert page.evaluate("document.activeElement.selectionStart") == 10
