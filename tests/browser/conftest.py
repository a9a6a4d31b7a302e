"""A real Chromium against a real portal. Every page is watched: what it complains about fails the test."""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.portals import Portal

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for the run. CHROMIUM names another executable."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS
        )
        yield browser
        browser.close()


class Complaints(list[str]):
    """What a browser complained about: failed scripts, broken policies, files missing or from elsewhere."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._own = (base_url, "data:", "blob:")

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.append(f"script: {error}"))
        page.on("response", self._response)
        page.on("request", lambda request: self._address(request.url))

    def _address(self, url: str) -> None:
        if not url.startswith(self._own):
            self.append(f"loads from elsewhere: {url}")

    def _console(self, message: ConsoleMessage) -> None:
        # A page with status 4xx is said on the console too; `_response` looks at those.
        if message.type in {"error", "warning"} and "the server responded with a status of" not in message.text:
            self.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        # A refused form is shown again, by HTMX too.
        refused = response.status == 422 and "hx-request" in response.request.headers
        # The password may have to be entered again before a passkey is made: the page then leads there.
        refused = refused or (response.status == 403 and response.url.endswith("/auth/passkeys/options"))
        if response.status >= 400 and response.request.resource_type != "document" and not refused:
            self.append(f"{response.status} {response.url}")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, live_portal: Portal) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own: `open_page(javascript=False, color_scheme="dark", ...)`."""
    complaints = Complaints(live_portal.base_url)
    contexts: list[BrowserContext] = []

    def open_one(*, javascript: bool = True, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=live_portal.base_url, java_script_enabled=javascript, reduced_motion="reduce", **options
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def unused() -> Callable[[str], str]:
    """Makes a name that no other test uses: the portal is shared by the run."""
    return lambda name: f"{name}_{secrets.token_hex(4)}"
