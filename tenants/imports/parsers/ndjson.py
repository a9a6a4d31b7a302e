"""Newline-delimited JSON: one document to a line."""

from collections.abc import Iterable, Iterator

from orgportal.database import Document
from tenants.imports import json_values
from tenants.imports.parsers import base
from tenants.imports.parsers.base import Piece


class Ndjson:
    """Empty lines are passed over. Whatever else is wrong with a line is wrong with that line alone."""

    def scan(self, chunks: Iterable[bytes]) -> int:
        """As `Parser.scan`."""
        count = 0
        for _ in self.pieces(chunks):
            count += 1
            base.check_count(count)
        return count

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, int, Piece]]:
        """As `Parser.pieces`."""
        for number, line in enumerate(base.lines(base.opened(chunks)), start=1):
            text = line.strip(b" \t\r\n")
            if text:
                yield number, len(text), text

    def document(self, piece: Piece) -> Document:
        """As `Parser.document`."""
        return json_values.document(piece)
