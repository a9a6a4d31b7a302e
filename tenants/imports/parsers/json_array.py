"""A JSON array of documents, cut into their texts without reading it whole.

One regular expression runs from bracket to bracket in C, so that what lies between costs no Python.
"""

import re
from collections.abc import Iterable, Iterator

from django.conf import settings

from orgportal.database import Document
from tenants.imports import json_values
from tenants.imports.parsers import base
from tenants.imports.parsers.base import Piece
from tenants.imports.refusals import file_refused

# What has no bracket outside of strings, up to the next bracket. No two of its parts can begin with the same
# character, so that there is one way to match and failing is linear.
_TO_BRACKET = re.compile(rb'[^"\[\]{}]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"\[\]{}]*)*([\[\]{}])', re.DOTALL)
_TO_TEXT = re.compile(rb"[^ \t\r\n]")


class JsonArray:
    """Documents are numbered from 1, whatever the lines. An array that is not one is refused as a whole."""

    def scan(self, chunks: Iterable[bytes]) -> int:
        """As `Parser.scan`."""
        count = 0
        for _ in self.pieces(chunks):
            count += 1
            base.check_count(count)
        return count

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, int, Piece]]:
        """As `Parser.pieces`."""
        for number, text in enumerate(_Cutter(base.opened(chunks)).texts(), start=1):
            yield number, len(text), text

    def document(self, piece: Piece) -> Document:
        """As `Parser.document`."""
        return json_values.document(piece)


class _Cutter:
    """A window over the file: what was read, and up to where it was given out."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._window = b""
        self._at = 0
        self._number = 0

    def texts(self) -> Iterator[bytes]:
        """The texts of the documents. Raises PortalError 422 where the array ends or breaks in another way."""
        if self._take() != b"[":
            raise file_refused("The file is no JSON array. Send one document to a line as format=ndjson.")
        mark = self._take()
        while mark != b"]" or self._number:
            self._number += 1
            if mark != b"{":
                raise self._broken("is not an object")
            yield self._object()
            separator = self._take()
            if separator == b"]":
                break
            if separator != b",":
                raise self._broken("is followed by something else than a comma or the end of the array")
            mark = self._take()
        if self._take():
            raise file_refused("There is something behind the end of the array.")

    def _broken(self, what: str) -> Exception:
        return file_refused(f"Document {self._number:,} of the array {what}.", line=self._number or None)

    def _take(self) -> bytes:
        """Pass over space and over the character behind it, which is given; empty at the end."""
        while True:
            found = _TO_TEXT.search(self._window, self._at)
            if found is not None:
                self._at = found.end()
                return found[0]
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._window, self._at = chunk, 0

    def _object(self) -> bytes:
        """The object whose brace was taken a moment ago."""
        start, position, depth = self._at - 1, self._at, 1
        while depth:
            found = _TO_BRACKET.match(self._window, position)
            if found is None:
                self._read_more(start)
                position, start = position - start, 0
                continue
            position = found.end()
            depth += 1 if found[1] in b"[{" else -1
        if position - start > settings.IMPORT_MAX_LINE_BYTES:
            raise self._too_long()
        self._at = position
        return self._window[start:position]

    def _read_more(self, start: int) -> None:
        """Drop what lies before `start`, and read as much again: looking for the end so often costs little then."""
        known = self._window[start:]
        if len(known) > settings.IMPORT_MAX_LINE_BYTES:
            raise self._too_long()
        more = bytearray()
        while len(more) <= len(known) and (chunk := next(self._chunks, None)) is not None:
            more += chunk
        if not more:
            raise self._broken("does not end")
        self._window = known + more

    def _too_long(self) -> Exception:
        return self._broken(f"has over {settings.IMPORT_MAX_LINE_BYTES:,} bytes")
