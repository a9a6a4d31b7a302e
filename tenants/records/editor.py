"""What an editor's text says, and where in it something is wrong. Pure but for the rules of `values`."""

from collections.abc import Iterator
from dataclasses import dataclass

from orgportal import strict_json
from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.records import document_text, values
from tenants.records.document_text import places

ROOT = "data"
MAX_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the text: the line and column (from 1) where it begins, which field, and what."""

    line: int
    column: int
    path: str
    message: str


def tidy(text: str) -> str:
    """The text with the line ends that every system understands; browsers send others."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read(text: str) -> Document:
    """The data that the text says. Raises PortalError 400 `malformed_json`, 413 or 422, as `problems` places them."""
    value = strict_json.parse(text.encode("utf-8", "surrogatepass"), max_depth=values.MAX_JSON_DEPTH)
    return values.data_from_ejson(value)


def problems(text: str, error: PortalError) -> list[Problem]:
    """Where in the text each part of a refusal is, from the top down; the first twenty."""
    if "line" in error.data:
        return [Problem(int(error.data["line"]), int(error.data["column"]), "", _explained(text, error))]
    return sorted(_placed(text, error), key=lambda problem: (problem.line, problem.column))[:MAX_SHOWN]


def _placed(text: str, error: PortalError) -> Iterator[Problem]:
    found = places(text)
    for part in error.errors:
        path = part.path.removeprefix(ROOT).removeprefix(".")
        place = document_text.place_of(path, found)
        yield Problem(place.line, place.column, path, part.message)


def _explained(text: str, error: PortalError) -> str:
    """A word on the mistakes that are made most."""
    lines = text.split("\n")
    offset = sum(len(line) + 1 for line in lines[: error.data["line"] - 1]) + error.data["column"] - 1
    before, rest = text[:offset].rstrip(), text[offset:].lstrip()
    if not text.strip():
        return "It is empty. Write a JSON object, such as {}."
    if not rest:
        return "The text ends too early: a bracket, a brace or a quote is not closed."
    if before.endswith(",") and rest[0] in "]}":
        return "There is a comma behind the last entry. Take it away."
    if rest[0] == "'":
        return 'JSON takes "double quotes", not single ones.'
    if before[-1:] in {'"', "}", "]"} and rest[0] in '"{[':
        return "A comma or a colon is missing before this."
    return "This is not valid JSON."
