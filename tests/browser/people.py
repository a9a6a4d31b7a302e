"""What people do at a browser, with or without JavaScript."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

PASSWORD = "violet kettle under the stairs"
NEW_PASSWORD = "slow rivers carve canyons"


def sign_up(page: Page, slug: str, *, name: str = "Acme Coffee") -> None:
    """Create an organization with an account of its own, as the form would; the page stays where it is."""
    hidden = re.findall(r'name="(csrfmiddlewaretoken|form_key)" value="([^"]*)"', page.request.get("/signup").text())
    form = {**dict(hidden), "organization_name": name, "slug": slug, "email": f"{slug}@example.com"}
    answer = page.request.post("/signup", form={**form, "password": PASSWORD}, max_redirects=0)
    assert answer.headers["location"] == "/dashboard"


def csrf_token(page: Page) -> str:
    """What a script of the page's session has to send along."""
    return next(cookie["value"] for cookie in page.context.cookies() if "csrf" in cookie["name"])


def sign_up_by_hand(page: Page, slug: str, *, name: str = "Acme Coffee") -> None:
    """The same at the page itself, which is open."""
    page.get_by_label("Organization name").fill(name)
    page.get_by_label("Short name").fill(slug)
    page.get_by_label("Email").fill(f"{slug}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create the organization").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    if urlsplit(page.url).path != "/login":
        page.goto("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("main").get_by_role("button", name="Log in").click()


def log_out(page: Page) -> None:
    page.locator("summary[aria-label='Your account']").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()
