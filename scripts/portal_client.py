"""A patient client of the JSON API, for scripts: it waits when the portal asks for it."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx

PATIENCE_SECONDS = 120.0
LONGEST_PAUSE = 10.0


class Deviation(Exception):
    """The portal did something else than it promises."""


class PortalClient:
    """Calls below /api/v1; safe to use from several threads.

    An answer 409, 429 or 503 with `Retry-After` is waited for and sent again, for up to two minutes. `requests`
    and `postponed` count what was sent, and what was put off that way.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=30)
        self._lock = threading.Lock()
        self.requests = 0
        self.postponed = 0

    def __enter__(self) -> "PortalClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def call(
        self, method: str, path: str, *, json: Any = None, token: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The answer to one call, whatever its status; raises httpx.HTTPError when there is none."""
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._http.request(method, f"/api/v1{path}", json=json, headers=sent)
            asked_to_wait = answer.status_code in {409, 429, 503} and "Retry-After" in answer.headers
            with self._lock:
                self.requests += 1
                self.postponed += asked_to_wait
            if not asked_to_wait or time.monotonic() > until:
                return answer
            time.sleep(min(LONGEST_PAUSE, float(answer.headers["Retry-After"])))


def expect(answer: httpx.Response, status: int | tuple[int, ...], what: str) -> dict[str, Any]:
    """The JSON object of an answer of that status ({} when it has no body). Raises Deviation for any other."""
    if answer.status_code not in ((status,) if isinstance(status, int) else status):
        raise Deviation(f"{what} was answered with {answer.status_code}: {answer.text[:300]}")
    if not answer.content:
        return {}
    body = answer.json()
    if not isinstance(body, dict):
        raise Deviation(f"{what} was answered with something else than an object")
    return body
