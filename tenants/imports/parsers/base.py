"""What the parsers of all formats have in common: looking at the first bytes, and cutting into lines."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from django.conf import settings

from orgportal.database import Document
from orgportal.errors import PortalError
from tenants.imports.refusals import compressed, file_refused, too_large

# A line of the file as it was cut out of it, or what is wrong with it.
Piece = Any

_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "ZIP or Excel",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_LOOK = 5


class Parser(Protocol):
    """Reads a file twice: `scan` looks at its form alone, `pieces` cuts it, `document` reads what was cut."""

    def scan(self, chunks: Iterable[bytes]) -> int:
        """How many documents the file has. Raises PortalError 413, 415, 422 for a file that cannot be taken."""

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, int, Piece]]:
        """Line number from 1, size in bytes, and the piece, of each document in a file that was scanned."""

    def document(self, piece: Piece) -> Document:
        """The BSON values of a piece by field, `_id` among them as it was given. Raises PortalError for its flaws."""


def opened(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks without a byte order mark. Raises PortalError for compressed files and for UTF-16."""
    rest = iter(chunks)
    head = b""
    while len(head) < _LOOK:
        piece = next(rest, None)
        if piece is None:
            break
        head += piece
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise compressed(kind)
    if head.startswith(_WIDE_BOMS):
        raise file_refused("The file is in UTF-16. Save it as UTF-8.")
    yield head.removeprefix(_BOM)
    yield from rest


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines with their ends: LF, CRLF or CR. Raises PortalError 422 for one over IMPORT_MAX_LINE_BYTES."""
    longest: int = settings.IMPORT_MAX_LINE_BYTES
    number, rest = 0, b""
    for chunk in chunks:
        found = (rest + chunk).splitlines(keepends=True)
        # The last one may go on; one that ends with CR may still have its LF to come.
        rest = found.pop() if found and not found[-1].endswith(b"\n") else b""
        for line in found:
            number += 1
            if len(line) > longest:
                raise line_too_long(number)
            yield line
        if len(rest) > longest:
            raise line_too_long(number + 1)
    if rest:
        yield rest


def line_too_long(number: int) -> PortalError:
    """422: no record is as long as that."""
    return file_refused(f"Line {number:,} has over {settings.IMPORT_MAX_LINE_BYTES:,} bytes.", line=number)


def check_count(count: int) -> None:
    """Raises PortalError 413 for more documents than a file may have."""
    if count > settings.IMPORT_MAX_LINES:
        raise too_large(f"A file holds at most {settings.IMPORT_MAX_LINES:,} documents.")
