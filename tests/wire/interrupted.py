"""Files whose import is cut off, and what must have become of them however often that happens."""

import json
import random
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.portals import Portal

PASSWORD = "a long walk on the beach"
EMAIL = "owner@acme.example"
PATIENCE = 90.0


@dataclass(frozen=True)
class File:
    """A file, the parameters of its import, and the exact result."""

    body: bytes
    parameters: dict[str, str]
    result: dict[str, int]
    data: dict[str, Any]
    mark: str


def inserted(mark: str, lines: int) -> File:
    """Lines with ids, without ids, with ids that are taken, and lines that are no JSON."""
    texts: list[str] = []
    data: dict[str, Any] = {}
    failed = 0
    for number in range(lines):
        document: dict[str, Any] = {"mark": mark, "number": number, "text": f"line {number} of {mark}"}
        if number % 97 == 96:
            texts.append('{"mark": ')
            failed += 1
            continue
        if number % 101 == 100:
            document["_id"] = f"{mark}-0"
            failed += 1
        else:
            data[str(number)] = {"mark": mark, "number": number, "text": document["text"]}
            if number % 10 == 0:
                document["_id"] = f"{mark}-{number}"
        texts.append(json.dumps(document))
    result = {"received": lines, "inserted": lines - failed, "updated": 0, "failed": failed}
    return File("\n".join(texts).encode(), {"format": "ndjson"}, result, data, mark)


def upserted(mark: str, lines: int) -> File:
    """Lines of which the last quarter, and some neighbours, update what others inserted."""
    several = max(1, lines * 3 // 4)
    texts = []
    data: dict[str, Any] = {}
    for number in range(lines):
        code = number % several - (number % 50 == 49 and number % several > 0)
        data[str(code)] = {"mark": mark, "code": f"{mark}-{code}", "number": number}
        texts.append(json.dumps(data[str(code)]))
    result = {"received": lines, "inserted": len(data), "updated": lines - len(data), "failed": 0}
    return File("\n".join(texts).encode(), {"format": "ndjson", "mode": "upsert", "key": "code"}, result, data, mark)


class Sender:
    """A script that sends a file, and sends it again until it is done."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.token = ""

    def sign_up(self) -> None:
        account = {"email": EMAIL, "password": PASSWORD}
        with self._client() as http:
            http.post("/orgs", json={"organization_name": "Acme", "slug": "acme", **account}).raise_for_status()
            self.token = http.post("/auth/login", json=account).raise_for_status().json()["access_token"]
        # Without it every batch of an upsert goes through the whole collection.
        with self._portal.mongo() as client:
            client[self._portal.database]["org_acme"].create_index("data.code")

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self._portal.base_url}/api/v1", timeout=PATIENCE)

    def send(self, file: File, key: str) -> httpx.Response | None:
        """One try; None when the connection broke."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": key,
            "Content-Type": "application/x-ndjson",
        }
        try:
            with self._client() as http:
                return http.post("/orgs/acme/imports", params=file.parameters, content=file.body, headers=headers)
        except httpx.HTTPError:
            return None

    def send_until_done(self, file: File, key: str) -> dict[str, Any]:
        """What a patient script gets in the end."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.send(file, key)
            if answer is not None and answer.status_code == 200:
                done: dict[str, Any] = answer.json()
                return done
            assert answer is None or answer.status_code in {409, 503}, answer.text
            assert time.monotonic() < until, answer.text if answer is not None else "no answer"
            time.sleep(random.uniform(0.05, 0.3))


def stored(portal: Portal, file: File) -> list[dict[str, Any]]:
    """The data of the records that the file made."""
    with portal.mongo() as client:
        found = client[portal.database]["org_acme"].find({"data.mark": file.mark}, {"data": 1})
        return [row["data"] for row in found]


def assert_exact(portal: Portal, file: File, done: dict[str, Any]) -> None:
    """Neither lost nor doubled, and counted right."""
    assert {name: done[name] for name in file.result} == file.result
    by_number = lambda data: data["number"]  # noqa: E731
    assert sorted(stored(portal, file), key=by_number) == sorted(file.data.values(), key=by_number)
