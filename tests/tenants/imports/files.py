"""Sending files and looking at what became of them, in-process."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from orgportal import database
from tests.answers import Answer
from tests.scripts import Script, body_of, log_in, sign_up

TYPES = {"ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv", "ejson": "application/json"}


@dataclass
class Shop:
    """An organization whose owner sends files."""

    slug: str
    script: Script

    def send(self, file: bytes | str, *, format: str = "ndjson", once: str = "", **parameters: str) -> Answer:
        """The answer to an import."""
        query = urlencode({"format": format, **parameters})
        headers = {"Content_Type": TYPES[format]} | ({"Idempotency_Key": once} if once else {})
        address = f"/api/v1/orgs/{self.slug}/imports?{query}"
        return cast(Answer, self.script.call("POST", address, raw=file, **headers))

    def result(self, file: bytes | str, **parameters: str) -> dict[str, Any]:
        """The result of an import that must be taken."""
        answer = self.send(file, **parameters)
        assert answer.status_code == 200, answer.content
        result: dict[str, Any] = body_of(answer)
        assert result["received"] == result["inserted"] + result["updated"] + result["failed"]
        return result

    def export(self, **parameters: str) -> bytes:
        """A whole export."""
        answer = self.script.get(f"/api/v1/orgs/{self.slug}/exports?{urlencode(parameters)}")
        assert answer.status_code == 200, answer.content
        return b"".join(answer.streaming_content)  # type: ignore[attr-defined]

    def rows(self) -> list[dict[str, Any]]:
        """The stored records."""
        return list(database.collection(f"org_{self.slug}").find({}))

    def data(self) -> list[dict[str, Any]]:
        """The data of the stored records, those with the lesser ids first."""
        return [row["data"] for row in sorted(self.rows(), key=lambda row: str(row["_id"]))]


def a_shop(slug: str = "acme") -> Shop:
    """An organization with an owner who is logged in."""
    created = sign_up(slug, slug=slug)
    return Shop(slug, log_in(created["admin"]["email"]))


def ndjson(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """One document to a line."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)
