"""A real Chromium against a real portal. Every page is watched: what it complains about fails the test."""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, ViewportSize, sync_playwright

from tests.portals import Portal

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page is opened in the process that drew the one before it.
    "--renderer-process-limit=1",
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


class Pages:
    """Opens pages, and keeps those of a test for the ones behind it: a new browser costs as much as three pages.

    What is kept has no cookie, no history of anybody's session and the view it began with. The portal's scripts store
    nothing in a browser.
    """

    def __init__(self, chromium: Browser, base_url: str) -> None:
        self.complaints = Complaints(base_url)
        self._chromium = chromium
        self._base_url = base_url
        self._spare: dict[bool, list[Page]] = {True: [], False: []}
        self._plain: list[tuple[bool, Page]] = []
        self._special: list[BrowserContext] = []

    def open(self, *, javascript: bool = True, device: bool = False, **options: Any) -> Page:
        """A page in a browser of its own. `device`: it is given an authenticator; nobody else gets it then."""
        if device or options:
            page = self._new(javascript, options)
            self._special.append(page.context)
        else:
            page = self._spare[javascript].pop() if self._spare[javascript] else self._new(javascript, {})
            self._plain.append((javascript, page))
        return page

    def _new(self, javascript: bool, options: dict[str, Any]) -> Page:
        context = self._chromium.new_context(
            base_url=self._base_url, java_script_enabled=javascript, reduced_motion="reduce",
            **{"viewport": DESKTOP, "color_scheme": "light", **options},
        )  # fmt: skip
        context.set_default_timeout(15_000)
        page = context.new_page()
        self.complaints.watch(page)
        return page

    def take_back(self) -> None:
        """All that were opened since the last time."""
        for context in self._special:
            context.close()
        for javascript, page in self._plain:
            _empty(page)
            self._spare[javascript].append(page)
        self._special, self._plain = [], []


def _empty(page: Page) -> None:
    for other in page.context.pages:
        if other is not page:
            other.close()
    page.goto("about:blank")
    page.context.clear_cookies()
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")


@pytest.fixture(scope="session")
def pages(chromium: Browser, live_portal: Portal) -> Pages:
    return Pages(chromium, live_portal.base_url)


@pytest.fixture
def open_page(pages: Pages) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own: `open_page(javascript=False, color_scheme="dark", ...)`."""
    pages.complaints.clear()
    yield pages.open
    pages.take_back()
    assert pages.complaints == []


@pytest.fixture
def unused() -> Callable[[str], str]:
    """Makes a name that no other test uses: the portal is shared by the run."""
    return lambda name: f"{name}_{secrets.token_hex(4)}"
