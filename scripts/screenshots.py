"""Screenshots of every page of a running portal: `python scripts/screenshots.py ADDRESS FOLDER`.

Signs up an organization of its own, looks at each page at desktop and phone width, light and dark, and deletes
the organization again. CHROMIUM names the browser (default: /usr/bin/chromium).
"""

import os
import secrets
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PASSWORD = "violet kettle under the stairs"  # noqa: S105 - of an account that lives for a minute
VISITOR_PAGES = {"landing": "/", "signup": "/signup", "login": "/login", "not-found": "/nothing-here"}
MEMBER_PAGES = {
    "dashboard": "/dashboard",
    "records": "/records",
    "record-new": "/records/new",
    "import": "/records/import",
    "settings": "/settings",
    "members": "/members",
    "keys": "/keys",
    "key-new": "/keys/new",
    "account": "/account",
    "sessions": "/account/sessions",
    "second-factor": "/account/security",
    "passkey-new": "/account/security/passkeys/new",
    "choose": "/choose",
    "new": "/new",
    "delete": "/delete",
}


def shoot(page: Page, folder: Path, name: str) -> None:
    """Every size and theme of the page that is open, whole."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)  # type: ignore[arg-type]
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=True)


def sign_up(page: Page, address: str) -> str:
    """A new organization; its short name."""
    slug = f"acme_coffee_{secrets.token_hex(2)}"
    page.goto(f"{address}/signup")
    page.fill("[name=organization_name]", "Acme Coffee")
    page.fill("[name=slug]", slug)
    page.fill("[name=email]", f"{slug}@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("button[name=create]")
    page.wait_for_url("**/dashboard")
    return slug


def failed_forms(page: Page, address: str, folder: Path) -> None:
    """How refusals look."""
    page.goto(f"{address}/signup")
    page.fill("[name=organization_name]", "Admin")
    page.fill("[name=email]", "nobody")
    page.fill("[name=password]", "short")
    page.click("button[name=create]")
    shoot(page, folder, "signup-refused")


def member_pages(page: Page, address: str, folder: Path) -> None:
    slug = sign_up(page, address)
    shoot(page, folder, "dashboard-new")
    page.goto(f"{address}/settings")
    for number, (key, value) in enumerate({"plan": "pilot", "seats": "25", "country": "Österreich"}.items()):
        page.locator("[name=metadata_key]").nth(number).fill(key)
        page.locator("[name=metadata_value]").nth(number).fill(value)
    page.click("text=Save the settings")
    shoot(page, folder, "settings-saved")
    for name, path in MEMBER_PAGES.items():
        page.goto(f"{address}{path}")
        shoot(page, folder, name)
    page.goto(f"{address}/dashboard")
    page.click("summary:has-text('Show the command')")
    page.click(".menu-organization summary")
    shoot(page, folder, "dashboard-open")
    page.goto(f"{address}/delete")
    page.fill("[name=confirmation]", slug)
    page.click("text=Delete for good")
    page.wait_for_url(f"{address}/")
    shoot(page, folder, "landing-after-delete")


def main(address: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        executable = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser: Browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_context(reduced_motion="reduce").new_page()
        for name, path in VISITOR_PAGES.items():
            page.goto(f"{address}{path}")
            shoot(page, folder, name)
        failed_forms(page, address, folder)
        member_pages(page, address, folder)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), Path(sys.argv[2]))
