"""MongoDB Extended JSON v2 as `mongoexport` writes it: one document to a line, or with --jsonArray an array."""

from collections.abc import Iterable, Iterator
from itertools import chain

from orgportal.database import Document
from tenants.imports import json_values
from tenants.imports.parsers.base import Piece, opened
from tenants.imports.parsers.json_array import JsonArray
from tenants.imports.parsers.ndjson import Ndjson


class Ejson:
    """Which of the two it is, its first character says. Relaxed and canonical are both read."""

    def scan(self, chunks: Iterable[bytes]) -> int:
        """As `Parser.scan`."""
        kind, whole = _kind_of(chunks)
        return kind.scan(whole)

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, int, Piece]]:
        """As `Parser.pieces`."""
        kind, whole = _kind_of(chunks)
        yield from kind.pieces(whole)

    def document(self, piece: Piece) -> Document:
        """As `Parser.document`."""
        return json_values.document(piece)


def _kind_of(chunks: Iterable[bytes]) -> tuple[Ndjson | JsonArray, Iterator[bytes]]:
    rest = opened(chunks)
    for chunk in rest:
        text = chunk.lstrip()
        if text:
            kind: Ndjson | JsonArray = JsonArray() if text[:1] == b"[" else Ndjson()
            return kind, chain([chunk], rest)
    return Ndjson(), iter(())
