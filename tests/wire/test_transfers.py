"""Files over real connections: chunked bodies, refusals that reach who is still sending, transfers that break off."""

import json
import secrets
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.portals import Portal
from tests.waiting import wait_until

PASSWORD = "a long walk on the beach"
MEGABYTE = 1_048_576


class Script:
    """An organization's owner, over HTTP."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.slug = f"org_{secrets.token_hex(4)}"
        account = {"email": f"owner@{self.slug.replace('_', '-')}.example", "password": PASSWORD}
        with httpx.Client(base_url=f"{portal.base_url}/api/v1", timeout=60) as http:
            http.post("/orgs", json={"organization_name": self.slug, "slug": self.slug, **account}).raise_for_status()
            token = http.post("/auth/login", json=account).raise_for_status().json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        self.url = f"{portal.base_url}/api/v1/orgs/{self.slug}"

    def send(self, body: "bytes | Iterator[bytes]", *, format: str = "ndjson", **headers: str) -> httpx.Response:
        parameters = {"format": format}
        sent = self.headers | headers
        return httpx.post(f"{self.url}/imports", params=parameters, content=body, headers=sent, timeout=60)

    def count(self) -> int:
        answer = httpx.get(f"{self.url}/records/count", headers=self.headers, timeout=60)
        return int(answer.raise_for_status().json()["count"])


@pytest.fixture
def script(live_portal: Portal) -> Script:
    return Script(live_portal)


def pieces(count: int, *, piece: bytes = b'{"a": 1}\n') -> Iterator[bytes]:
    for _ in range(count):
        yield piece


def test_a_body_without_a_length_is_streamed(script: Script) -> None:
    result = script.send(pieces(3000)).raise_for_status().json()
    assert (result["received"], result["inserted"]) == (3000, 3000)


def test_an_endless_line_without_a_length_is_refused_while_it_is_sent(script: Script) -> None:
    refused = script.send(pieces(30, piece=b"x" * MEGABYTE))
    assert (refused.status_code, refused.json()["code"]) == (422, "file_refused")
    assert script.count() == 0


def test_a_refusal_reaches_who_is_still_sending(script: Script) -> None:
    refused = script.send(b"\x1f\x8b" + b"\0" * (20 * MEGABYTE))
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_encoding")


def test_a_file_that_is_said_to_be_too_large_is_refused_at_once(script: Script) -> None:
    answer = raw_request(script, b'{"a": 1}\n', length=2 * 1024 * MEGABYTE)
    assert answer.startswith(b"HTTP/1.1 413")


def raw_request(script: Script, body: bytes, *, length: int, key: str = "") -> bytes:
    """Send less than was announced, and stop sending."""
    parts = urlsplit(script.url)
    head = [f"POST {parts.path}/imports?format=ndjson HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {length}"]
    head += [f"{name}: {value}" for name, value in script.headers.items()]
    head += [f"Idempotency-Key: {key}"] if key else []
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def test_a_dropped_connection_imports_nothing_and_may_be_repeated_at_once(script: Script) -> None:
    file = b'{"a": 1}\n' * 2000
    answer = raw_request(script, file[:9000], length=len(file), key="dropped")
    assert answer.startswith(b"HTTP/1.1 400") or not answer
    assert script.count() == 0
    assert script.send(file, **{"Idempotency-Key": "dropped"}).json()["inserted"] == 2000


def test_progress_shows_while_it_runs(script: Script) -> None:
    more = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b'{"a": 1}\n'
        more.wait(30)
        yield b'{"a": 2}\n'

    sending = threading.Thread(target=lambda: script.send(slowly()))
    sending.start()

    def running() -> "list[dict[str, object]]":
        listed = httpx.get(f"{script.url}/imports", headers=script.headers, timeout=60).json()["items"]
        return [one for one in listed if one["state"] == "receiving"]

    found = wait_until(running, "the import to be listed")
    assert script.send(b'{"a": 3}').json()["code"] == "import_running"
    more.set()
    sending.join()
    done = httpx.get(f"{script.url}/imports/{found[0]['id']}", headers=script.headers, timeout=60).json()
    assert (done["state"], done["inserted"], done["percent"]) == ("finished", 2, 100)


def test_an_export_that_a_rename_breaks_off_does_not_end_as_if_it_were_whole(script: Script) -> None:
    # More than lies in the buffers between both.
    text = "x" * 4000
    script.send("\n".join(json.dumps({"n": number, "text": text}) for number in range(3000)).encode())
    little = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    with (
        httpx.Client(transport=little, headers=script.headers, timeout=60) as http,
        http.stream("GET", f"{script.url}/exports?format=ndjson") as answer,
    ):
        chunks = answer.iter_bytes()
        next(chunks)
        as_json = {"Content-Type": "application/json"}
        renamed = httpx.patch(
            script.url, json={"slug": f"new_{script.slug}"}, headers=script.headers | as_json, timeout=60
        )
        assert renamed.status_code in {200, 202}
        _wait_until_renamed(script)
        with pytest.raises(httpx.RemoteProtocolError):
            list(chunks)


def _wait_until_renamed(script: Script) -> None:
    with script.portal.mongo() as mongo:
        organizations = mongo[script.portal.database]["organizations"]
        renamed = {"slug": f"new_{script.slug}", "status": "active"}
        wait_until(lambda: organizations.count_documents(renamed) == 1, "the rename to be through")
