"""A relay before a portal that changes what it answers, to see what callers make of that."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import httpx

Changed = tuple[int, dict[str, str], bytes]
# Gets method, path and the portal's answer; gives the answer to pass on.
Change = Callable[[str, str, httpx.Response], Changed]
PASSED_ON = ("authorization", "content-type", "idempotency-key", "if-match")


def unchanged(answer: httpx.Response) -> Changed:
    """The portal's own answer."""
    kept = {name: value for name, value in answer.headers.items() if name in {"content-type", "retry-after", "etag"}}
    return answer.status_code, kept, answer.content


class Relay:
    """Listens on a port of its own and passes every request on to `base_url`; `url` is where it answers."""

    def __init__(self, base_url: str, change: Change) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._http, change))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> "Relay":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()


def _handler(http: httpx.Client, change: Change) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
            answer = http.request(self.command, self.path, content=body, headers=headers)
            status, kept, content = change(self.command, self.path, answer)
            self.send_response(status)
            for name, value in kept.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is for its failures."""

    return Handler
