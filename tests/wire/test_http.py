"""What only a real server shows: bodies without a length, broken requests, real headers."""

import gzip
import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from tests.portals import Portal

LIMIT = 1_048_576
JSON = {"Content-Type": "application/json"}
WRONG = {"email": "nobody@nowhere.example", "password": "a long walk on the beach"}


def call(
    portal: Portal,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=60)
    try:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, path, body, headers or {}, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def send(portal: Portal, *parts: bytes) -> bytes:
    """Send bytes as they are, and everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def chunks(data: bytes, size: int = 1000) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def chunked(portal: Portal, path: str, data: bytes, content_type: str = "application/json") -> tuple[int, bytes]:
    headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
    status, _, body = call(portal, "POST", path, chunks(data), headers)
    return status, body


def code_of(body: bytes) -> str:
    return str(json.loads(body)["code"])


def test_a_chunked_body_is_read(live_portal: Portal) -> None:
    status, body = chunked(live_portal, "/api/v1/auth/login", json.dumps(WRONG).encode())
    assert (status, code_of(body)) == (401, "invalid_credentials")


def test_a_chunked_body_is_held_to_the_limit_as_any_other(live_portal: Portal) -> None:
    at_the_limit = b'"' + b"x" * (LIMIT - 2) + b'"'
    assert chunked(live_portal, "/api/v1/auth/login", at_the_limit)[0] == 422
    connection = http.client.HTTPConnection("127.0.0.1", live_portal.port, timeout=60)
    connection.putrequest("POST", "/api/v1/auth/login")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(LIMIT // 65536 + 1):
        connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    response = connection.getresponse()  # it comes although the body never ends
    assert (response.status, code_of(response.read())) == (413, "body_too_large")
    connection.close()


def test_a_chunked_form_is_read_as_well(live_portal: Portal) -> None:
    form = b"email=nobody%40nowhere.example&password=x"
    status, _ = chunked(live_portal, "/login", form, "application/x-www-form-urlencoded")
    assert status == 403  # it has no CSRF token


def test_a_body_over_the_limit_is_413(live_portal: Portal) -> None:
    status, _, body = call(live_portal, "POST", "/api/v1/auth/login", b"x" * (LIMIT + 1), JSON)
    assert (status, code_of(body)) == (413, "body_too_large")


def test_a_length_over_the_limit_is_413_before_the_body_comes(live_portal: Portal) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = send(live_portal, head + b"Content-Length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_gzip_bomb_is_refused_unopened(live_portal: Portal) -> None:
    bomb = gzip.compress(b"[" * 50_000_000)
    status, _, body = call(live_portal, "POST", "/api/v1/auth/login", bomb, {**JSON, "Content-Encoding": "gzip"})
    assert (status, code_of(body)) == (415, "unsupported_encoding")


def test_a_body_that_ends_early_is_no_login(live_portal: Portal) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = send(live_portal, head + b"Content-Length: 500\r\n\r\n" + json.dumps(WRONG).encode()[:-5])
    assert not answer or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/html; charset=\xff\xfe\r\n\r\n",
    ],
    ids=lambda request: repr(request[:60]),
)
def test_a_broken_request_is_refused_and_the_portal_goes_on(live_portal: Portal, request_: bytes) -> None:
    answer = send(live_portal, request_.replace(b"localhost\r\n", b"localhost\r\nConnection: close\r\n", 1))
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 200", b"HTTP/1.1 501")), answer[
        :300
    ]
    assert b"Traceback" not in answer
    assert call(live_portal, "GET", "/healthz")[0] == 200


def test_a_real_head_has_the_headers_of_get_and_no_body(live_portal: Portal) -> None:
    for path in ("/", "/api/v1/openapi.json", "/api/v1/docs", "/healthz"):
        status, got, body = call(live_portal, "GET", path)
        head_status, head, nothing = call(live_portal, "HEAD", path)
        assert (status, head_status, nothing) == (200, 200, b"")
        assert got["Content-Type"] == head["Content-Type"]
        assert body


def test_real_answers_carry_the_security_headers(live_portal: Portal) -> None:
    for path in ("/", "/no-such-page", "/api/v1/orgs", "/healthz", "/static/no-such-file"):
        _, headers, _ = call(live_portal, "GET", path, headers={"X-Request-ID": "my-id"})
        assert headers["X-Request-ID"] == "my-id"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store" or "private" in headers["Cache-Control"]


def test_every_line_of_the_real_log_is_json(live_portal: Portal) -> None:
    call(live_portal, "GET", "/api/v1/no-such-route", headers={"X-Request-ID": "for-the-log"})

    def events() -> list[dict[str, Any]]:
        complete = live_portal.log.rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines() if line]

    (event,) = [event for event in events() if event.get("request_id") == "for-the-log"]
    assert (event["status"], event["path"], event["code"]) == (404, "/api/v1/no-such-route", "not_found")
