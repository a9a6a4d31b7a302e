"""Everybody can use every page: checked by axe, by keyboard, in both themes, on a desktop and on a phone."""

from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Literal, NamedTuple

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, ViewportSize, expect

from tenants.documents import now
from tests.browser.conftest import DESKTOP, OpenPage
from tests.browser.people import sign_up
from tests.effort import FULL
from tests.portals import Portal

pytestmark = pytest.mark.browser
Theme = Literal["light", "dark"]


class View(NamedTuple):
    """How somebody looks at a page."""

    size: ViewportSize
    theme: Theme


PHONE: ViewportSize = {"width": 390, "height": 844}
BRIGHT_DESKTOP, DARK_PHONE = View(DESKTOP, "light"), View(PHONE, "dark")
# Colours do not depend on the width: the suite looks at each theme in one width, FULL_EFFORT=1 at every page in all.
VIEWS = (BRIGHT_DESKTOP, DARK_PHONE)
ALL_VIEWS = (*VIEWS, View(DESKTOP, "dark"), View(PHONE, "light"))
# Only what is wrong leaves the browser: the list of all that is in order takes as long again.
FIND_FAULTS = """() => axe.run({resultTypes: ["violations"]}).then(({violations}) => violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => [id, ...nodes.map((node) => `${node.target}: ${node.failureSummary}`)].join(" ")))"""
# Its landmarks, its title, its headings, and the fields without the class of their kind: they look like no portal's.
STRUCTURE = """() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const parts = ["h1", "main", "body header:not(main *)", "body footer:not(main *)"];
    const bare = all("main input:not(.form-control, .form-check-input), main select:not(.form-select)");
    return [
        Object.fromEntries(parts.map((part) => [part, all(part).length])),
        document.title,
        bare.filter((field) => field.checkVisibility()).map((field) => field.outerHTML),
        all("h1, h2, h3, h4").map((heading) => Number(heading.tagName[1])),
    ];
}"""
VISITOR_PAGES = ("/", "/signup", "/login", "/password/forgot", "/nothing/here")
MEMBER_PAGES = (
    "/settings",
    "/members/leave",
    "/keys/new",
    "/account",
    "/account/sessions",
    "/security",
    "/email/change",
    "/choose",
    "/new",
    "/delete",
)
# These are looked at on the ways that lead through them, by the other files: FULL_EFFORT=1 sees them empty as well.
PAGES_ON_THE_WAY = (
    "/dashboard",
    "/records/schema",
    "/records/indexes",
    "/audit",
    "/members",
    "/members/invite",
    "/account/security",
    "/sudo",
)
LONG_NAME = "An Organization with a Rather Long Name, as Some Have, GmbH & Co. KG"


def serious_findings(page: Page, *views: View) -> list[str]:
    """What axe finds on the page as it stands, from serious up. Left with the size of a desktop.

    Pages are put together from the same parts, so one view of each is enough, of its neighbour the other one. Those
    with colours of their own are looked at in both. Whether all fits in is looked at in both widths everywhere.
    """
    findings = []
    # What a test waited for may be there before the end of the page is.
    page.wait_for_load_state()
    _assert_structure(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        assert has_no_sideways_scroll(page), (page.url, size)
        assert shows_all_tabs(page), (page.url, size)
        for theme in [view.theme for view in (ALL_VIEWS if FULL else views or VIEWS[:1]) if view.size == size]:
            page.emulate_media(color_scheme=theme)
            findings += [f"{page.url} {size['width']} {theme}: {fault}" for fault in page.evaluate(FIND_FAULTS)]
    page.set_viewport_size(DESKTOP)
    return findings


def has_no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def shows_all_tabs(page: Page) -> bool:
    """The strip of tabs could scroll by itself; what has to be scrolled to is not found."""
    tabs = page.locator(".tabs")
    return not tabs.count() or bool(tabs.evaluate("strip => strip.scrollWidth <= strip.clientWidth"))


def test_visitors_pages_have_no_serious_fault(open_page: OpenPage) -> None:
    page = open_page()
    for path, view in zip(VISITOR_PAGES, cycle(VIEWS)):
        page.goto(path)
        assert serious_findings(page, *(VIEWS if path == "/" else (view,))) == []


def test_a_serious_fault_is_found_at_both_widths(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/login")
    page.evaluate("document.querySelector('label[for=id_email]').remove()")
    found = sorted(finding.split(" ")[1:4] for finding in serious_findings(page, *VIEWS))
    views = ALL_VIEWS if FULL else VIEWS
    assert found == sorted([str(view.size["width"]), f"{view.theme}:", "label"] for view in views)


def test_members_pages_have_no_serious_fault(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("reachable"), name=LONG_NAME)
    for path, view in zip(MEMBER_PAGES + (PAGES_ON_THE_WAY if FULL else ()), cycle(VIEWS)):
        page.goto(path)
        page.eval_on_selector_all("main summary", "all => all.forEach(summary => summary.click())")
        assert serious_findings(page, view) == []


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
    assert serious_findings(page, DARK_PHONE) == []


def test_open_menus_have_no_serious_fault(open_page: OpenPage, unused: Callable[[str], str]) -> None:
    page = open_page()
    sign_up(page, unused("menus"), name=LONG_NAME)
    page.goto("/sudo")
    menus = page.locator("details[data-menu] > summary").all()
    assert len(menus) == 3
    for menu, view in zip(menus, cycle(VIEWS)):
        menu.click()
        assert serious_findings(page, view) == []


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
        assert serious_findings(page, *VIEWS) == []
        # During a rename settings are refused with 503.
        page.goto("/settings")
        page.get_by_role("button", name="Save the settings").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert serious_findings(page, DARK_PHONE) == []
        organizations.update_one({"slug": slug}, {"$set": {"status": "active", "pending": None}})


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def expect_background(page: Page, colour: str) -> None:
    expect(page.locator("body")).to_have_css("background-color", colour)


# Without JavaScript it is the form that `tests/accounts/test_pages.py` sends.
@pytest.mark.parametrize(
    "javascript", [True, pytest.param(False, marks=pytest.mark.long)], ids=["with JavaScript", "without JavaScript"]
)
def test_the_theme_follows_the_system_until_one_is_chosen(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    page.goto("/login")
    bright = background(page)
    page.emulate_media(color_scheme="dark")
    dim = background(page)
    assert bright != dim
    ways: tuple[tuple[Theme, str, str, str], ...] = (("dark", "Light", bright, dim), ("light", "Dark", dim, bright))
    for system, choice, chosen, followed in ways:
        page.emulate_media(color_scheme=system)
        choose_theme(page, choice)
        expect_background(page, chosen)
        page.goto("/signup")
        expect_background(page, chosen)
        choose_theme(page, "As the system")
        expect_background(page, followed)
        page.goto("/signup")
        expect_background(page, followed)


def choose_theme(page: Page, name: str) -> None:
    """Choose one and wait until the server knows: with JavaScript it is told in the background."""
    page.locator("summary[aria-label='Light or dark']").click()
    with page.expect_response("**/theme"):
        page.get_by_role("button", name=name, exact=True).click()


def test_chosen_and_system_dark_look_the_same(open_page: OpenPage) -> None:
    """The rules that are repeated for the system's choice must not fall behind the kit's."""
    page = open_page()
    page.goto("/login")
    bright = looks(page)
    choose_theme(page, "Dark")
    for path in ("/", "/signup", "/login"):
        page.goto(path)
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        chosen = looks(page)
        page.emulate_media(color_scheme="dark")
        page.locator("html").evaluate("html => html.removeAttribute('data-bs-theme')")
        assert looks(page) == chosen
    assert chosen != bright


def looks(page: Page) -> list[str]:
    """The colours of all that is on the page."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body, main *")].map((element) => {
            const style = getComputedStyle(element);
            return [element.tagName, style.color, style.backgroundColor, style.borderTopColor].join(" ");
        })"""
    )
    return found


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
    page.goto("/sudo")
    account = page.locator("summary[aria-label='Your account']")
    account.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    expect(account).to_be_focused()


def _assert_structure(page: Page) -> None:
    counted, title, bare, levels = page.evaluate(STRUCTURE)
    assert counted == {"h1": 1, "main": 1, "body header:not(main *)": 1, "body footer:not(main *)": 1}, page.url
    assert title.endswith("Orgportal") or title.startswith("Orgportal"), page.url
    assert bare == [], page.url
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
