"""Everybody can use every page: checked by axe, by keyboard, in both themes, on a desktop and on a phone."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize, expect

from tenants.documents import now
from tests.browser.conftest import OpenPage
from tests.browser.people import sign_up
from tests.effort import FULL
from tests.portals import Portal

pytestmark = pytest.mark.browser
Theme = Literal["light", "dark"]

SIZES: tuple[ViewportSize, ...] = ({"width": 1280, "height": 800}, {"width": 390, "height": 844})
# Colours do not depend on the width: the suite looks at each theme once.
THEMES_AT: dict[int, tuple[Theme, ...]] = (
    {1280: ("light", "dark"), 390: ("light", "dark")} if FULL else {1280: ("light",), 390: ("dark",)}
)
# Only what is wrong leaves the browser: the list of all that is in order takes as long again.
FIND_FAULTS = """() => axe.run({resultTypes: ["violations"]}).then(({violations}) => violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => [id, ...nodes.map((node) => `${node.target}: ${node.failureSummary}`)].join(" ")))"""
VISITOR_PAGES = ("/", "/signup", "/login", "/password/forgot", "/nothing/here")
MEMBER_PAGES = (
    "/dashboard",
    "/records/schema",
    "/records/indexes",
    "/settings",
    "/audit",
    "/members",
    "/members/leave",
    "/keys/new",
    "/account",
    "/account/sessions",
    "/account/security",
    "/security",
    "/sudo",
    "/email/change",
    "/members/invite",
    "/choose",
    "/new",
    "/delete",
)
LONG_NAME = "An Organization with a Rather Long Name, as Some Have, GmbH & Co. KG"


def serious_findings(page: Page) -> list[str]:
    """What axe finds on the page as it stands, from serious up: light and dark, on a desktop and on a phone."""
    findings = []
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for size in SIZES:
        page.set_viewport_size(size)
        assert has_no_sideways_scroll(page), (page.url, size)
        assert shows_all_tabs(page), (page.url, size)
        for theme in THEMES_AT[size["width"]]:
            page.emulate_media(color_scheme=theme)
            findings += [f"{page.url} {size['width']} {theme}: {fault}" for fault in page.evaluate(FIND_FAULTS)]
    return findings


def has_no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def shows_all_tabs(page: Page) -> bool:
    """The strip of tabs could scroll by itself; what has to be scrolled to is not found."""
    tabs = page.locator(".tabs")
    return not tabs.count() or bool(tabs.evaluate("strip => strip.scrollWidth <= strip.clientWidth"))


def test_visitors_pages_have_no_serious_fault(open_page: OpenPage) -> None:
    page = open_page()
    for path in VISITOR_PAGES:
        page.goto(path)
        _assert_structure(page)
        assert serious_findings(page) == []


def test_a_serious_fault_is_found_at_both_widths(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/login")
    page.evaluate("document.querySelector('label[for=id_email]').remove()")
    assert [finding.split(" ")[1:4] for finding in serious_findings(page)] == [
        ["1280", "light:", "label"], ["390", "dark:", "label"]
    ]  # fmt: skip


def test_members_pages_have_no_serious_fault(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("reachable"), name=LONG_NAME)
    assert serious_findings(page) == []
    for path in MEMBER_PAGES:
        page.goto(path)
        for summary in page.locator("main summary").all():
            summary.click()
        _assert_structure(page)
        assert serious_findings(page) == []


def test_refused_forms_have_no_serious_fault(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    page.goto("/signup")
    page.get_by_label("Organization name").fill("Admin")
    page.get_by_role("button", name="Create the organization").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious_findings(page) == []
    sign_up(page, unused("refused"))
    page.goto("/settings")
    page.get_by_label("Key 1").fill("$where")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious_findings(page) == []


def test_open_menus_have_no_serious_fault(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("menus"), name=LONG_NAME)
    for menu in page.locator("details[data-menu] > summary").all():
        menu.click()
        assert serious_findings(page) == []


def test_progress_and_refusals_have_no_serious_fault(
    open_page: OpenPage, unused: Callable[[str], str], live_portal: Portal
) -> None:
    page = open_page()
    slug = unused("moving")
    sign_up(page, slug)
    # The stale form of somebody who was overtaken: 412 with what changed meanwhile.
    page.goto("/settings")
    with live_portal.mongo() as mongo:
        organizations = mongo[live_portal.database]["organizations"]
        organizations.update_one({"slug": slug}, {"$set": {"name": "Overtaken"}, "$inc": {"rev": 1}})
        page.get_by_role("button", name="Save the settings").click()
        expect(page.get_by_text("It is now called “Overtaken”")).to_be_visible()
        assert serious_findings(page) == []
        target = {"slug": f"{slug}_next", "changes": {}}
        pending = {"op": "rename", "step": "fenced", "holder": "nobody", "since": now(), "target": target}
        organizations.update_one({"slug": slug}, {"$set": {"status": "renaming", "pending": pending}})
        page.goto("/progress")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert serious_findings(page) == []
        # During a rename settings are refused with 503.
        page.goto("/settings")
        page.get_by_role("button", name="Save the settings").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert serious_findings(page) == []
        organizations.update_one({"slug": slug}, {"$set": {"status": "active", "pending": None}})


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def expect_background(page: Page, colour: str) -> None:
    expect(page.locator("body")).to_have_css("background-color", colour)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_theme_follows_the_system_until_one_is_chosen(open_page: OpenPage, javascript: bool) -> None:
    light = open_page(javascript=javascript, color_scheme="light")
    dark = open_page(javascript=javascript, color_scheme="dark")
    light.goto("/login")
    dark.goto("/login")
    bright, dim = background(light), background(dark)
    assert bright != dim
    for page, choice, expected in ((light, "Dark", dim), (dark, "Light", bright)):
        choose_theme(page, choice)
        expect_background(page, expected)
        page.goto("/signup")
        expect_background(page, expected)
        choose_theme(page, "As the system")
        expect_background(page, bright if expected == dim else dim)
        page.goto("/signup")
        expect_background(page, bright if expected == dim else dim)


def choose_theme(page: Page, name: str) -> None:
    """Choose one and wait until the server knows: with JavaScript it is told in the background."""
    page.locator("summary[aria-label='Light or dark']").click()
    with page.expect_response("**/theme"):
        page.get_by_role("button", name=name, exact=True).click()


def test_chosen_and_system_dark_look_the_same(open_page: OpenPage) -> None:
    """The rules that are repeated for the system's choice must not fall behind the kit's."""
    system = open_page(color_scheme="dark")
    chosen = open_page(color_scheme="light")
    chosen.goto("/login")
    choose_theme(chosen, "Dark")
    expect(chosen.locator("html")).to_have_attribute("data-bs-theme", "dark")
    for path in ("/", "/signup", "/login"):
        looks = []
        for page in (system, chosen):
            page.goto(path)
            looks.append(
                page.evaluate(
                    """() => [...document.querySelectorAll("body, main *")].map((element) => {
                        const style = getComputedStyle(element);
                        return [element.tagName, style.color, style.backgroundColor, style.borderTopColor].join(" ");
                    })"""
                )
            )
        assert looks[0] == looks[1]


def test_the_keyboard_alone_reaches_the_content_and_signs_up(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    slug = unused("keys")
    page.goto("/signup")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for text in ("Keyboard House", slug):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check name")).to_be_focused()
    for text in ("", f"{slug}@example.com", "violet kettle under the stairs"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Keyboard House")).to_be_visible()


def test_a_menu_opens_and_closes_by_keyboard_and_gives_the_focus_back(
    open_page: OpenPage, unused: Callable[[str], str]
) -> None:
    page = open_page()
    sign_up(page, unused("menu"))
    account = page.locator("summary[aria-label='Your account']")
    account.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    expect(account).to_be_focused()


def _assert_structure(page: Page) -> None:
    assert page.locator("h1").count() == 1, page.url
    assert page.get_by_role("main").count() == 1, page.url
    assert page.get_by_role("banner").count() == 1, page.url
    assert page.get_by_role("contentinfo").count() == 1, page.url
    assert page.title().endswith("Orgportal") or page.title().startswith("Orgportal"), page.url
    # A field without the class of its kind looks like one of no portal.
    bare = page.locator(
        "main input:visible:not(.form-control, .form-check-input), main select:visible:not(.form-select)"
    )
    assert bare.count() == 0, (page.url, bare.all())
    levels = [int(level) for level in page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(h => h.tagName[1])")]
    assert all(after - before <= 1 for before, after in pairwise(levels)), (page.url, levels)


def test_a_password_can_be_shown_and_pasted(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/login")
    password = page.get_by_label("Password", exact=True)
    password.fill("pasted all at once")
    expect(password).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "text")
    page.get_by_role("button", name="Show password").click()
    expect(password).to_have_attribute("type", "password")


def test_a_row_of_metadata_can_be_added(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("rows"))
    page.goto("/settings")
    before = page.locator("[name=metadata_key]").count()
    page.get_by_role("button", name="Add a row").click()
    expect(page.get_by_label(f"Key {before + 1}", exact=True)).to_be_focused()
