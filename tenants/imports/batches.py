"""From the pieces of a file to batches of records that may be written."""

from collections.abc import Iterator

from orgportal.errors import PortalError
from tenants.imports.candidates import Batch, Candidate, candidate_from, line_errors
from tenants.imports.documents import LineError
from tenants.imports.parsers import Parser

LINES = 2000
BYTES = 4_194_304


def batches(parser: Parser, chunks: Iterator[bytes], *, behind: int) -> Iterator[Batch]:
    """The lines of a scanned file behind that line, cut at the same places whenever it is read."""
    counted = _Counted(chunks)
    candidates: list[Candidate] = []
    errors: list[LineError] = []
    received = size = last = 0
    for line, length, piece in parser.pieces(counted):
        if line <= behind:
            continue
        try:
            candidates.append(candidate_from(line, parser.document(piece)))
        except PortalError as error:
            errors += line_errors(line, error)
        received, size, last = received + 1, size + length, line
        if received == LINES or size >= BYTES:
            yield Batch(last, received, counted.bytes, candidates, errors)
            candidates, errors, received, size = [], [], 0, 0
    if received:
        yield Batch(last, received, counted.bytes, candidates, errors)


class _Counted:
    """Chunks, and how many bytes of them were taken."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            yield chunk
