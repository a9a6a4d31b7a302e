"""What the web server itself refuses, before Django sees it, and who it believes."""

import socket

import httpx
import pytest

from orgportal import gunicorn_conf
from tests.portals import Portal


def _answer_to(portal: Portal, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", portal.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def _get(path: bytes = b"/healthz", headers: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + headers + b"\r\n"


def test_an_ordinary_request_is_answered(live_portal: Portal) -> None:
    assert _answer_to(live_portal, _get()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("what", "request_bytes"),
    [
        ("a request line of 20,000 bytes", _get(b"/" + b"a" * 20_000)),
        ("a header of 20,000 bytes", _get(headers=b"X-Long: " + b"a" * 20_000 + b"\r\n")),
        ("200 headers", _get(headers=b"".join(b"X-%d: 1\r\n" % number for number in range(200)))),
        ("a header without a colon", _get(headers=b"nonsense\r\n")),
        ("two lengths", _get(headers=b"Content-Length: 1\r\nContent-Length: 2\r\n")),
        ("a length and chunks", _get(headers=b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")),
        ("a request that is none", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    ],
)
def test_what_is_no_proper_request_is_refused(live_portal: Portal, what: str, request_bytes: bytes) -> None:
    status = _answer_to(live_portal, request_bytes).split(b"\r\n", 1)[0]

    assert status.startswith(b"HTTP/1.1 4"), what


def test_a_client_cannot_say_which_path_it_means_in_a_header(live_portal: Portal) -> None:
    answer = httpx.get(f"{live_portal.base_url}/nowhere", headers={"Path-Info": "/healthz", "Script-Name": "/nowhere"})

    assert answer.status_code != 200


def test_a_client_cannot_say_that_it_came_over_tls(live_portal: Portal) -> None:
    answer = httpx.get(f"{live_portal.base_url}/healthz", headers={"X-Forwarded-Proto": "https"})

    assert "strict-transport-security" not in answer.headers


def test_threads_are_more_than_the_logins_that_run_at_once() -> None:
    from accounts import gate

    assert gunicorn_conf.threads > gate.slots()
    assert gunicorn_conf.worker_class == "gthread"
    assert gunicorn_conf.preload_app is False
