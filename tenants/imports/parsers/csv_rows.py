"""CSV with a header: one record to a row, whatever the delimiter and the line ends.

The first reading finds out the delimiter, and which columns are texts although some of their cells look like
numbers: one cell with a leading zero (a postal code) is enough.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain

from django.conf import settings

from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants.imports import cells
from tenants.imports.options import DELIMITERS, Options
from tenants.imports.parsers import base
from tenants.imports.parsers.base import Piece
from tenants.imports.parsers.columns import Column, columns_from
from tenants.imports.refusals import file_refused, line_flaw
from tenants.records import values

SNIFFED_LINES = 20
# A row of so few characters cannot become a record of 1 MiB.
SMALL_ROW = 400_000


class CsvRows:
    """Lines are those of the file; a row is named by the one that it begins in."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._delimiter = options.delimiter
        self._columns: list[Column] = []
        self._needs_check = False

    def scan(self, chunks: Iterable[bytes]) -> int:
        """As `Parser.scan`."""
        count = 0
        codes: set[int] = set()
        for _, row in self._rows(chunks):
            if isinstance(row, PortalError):
                count += 1
            elif not self._columns:
                self._columns = columns_from(row, self._options)
            else:
                count += 1
                codes.update(i for i, cell in enumerate(row) if cell[:1] == "0" and cells.LEADING_ZERO.fullmatch(cell))
            base.check_count(count)
        if not self._columns:
            raise file_refused("The file has no header.")
        for index in codes & set(range(len(self._columns))):
            self._columns[index] = self._columns[index].of_codes()
        self._needs_check = any(column.is_nested for column in self._columns)
        return count

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, int, Piece]]:
        """As `Parser.pieces`."""
        header = True
        for line, row in self._rows(chunks):
            if isinstance(row, PortalError):
                yield line, 0, row
            elif header:
                header = False
            else:
                yield line, sum(map(len, row)), row

    def document(self, piece: Piece) -> Document:
        """As `Parser.document`."""
        if isinstance(piece, PortalError):
            raise piece
        if len(piece) != len(self._columns):
            raise line_flaw(f"The row has {len(piece):,} cells, and the header {len(self._columns):,}.")
        found: Document = {}
        errors: list[InputError] = []
        whole = self._needs_check
        for column, cell in zip(self._columns, piece, strict=True):
            if not cell:
                continue
            try:
                value = column.read(cell)
            except PortalError as error:
                errors += [_in_column(column, wrong) for wrong in error.errors]
                continue
            if value is not cells.TEXT:
                whole = whole or type(value) in (dict, list)
                column.put(found, value)
        if errors:
            raise PortalError("invalid_input", 422, "Some cells cannot be read.", errors=errors)
        if whole or sum(map(len, piece)) > SMALL_ROW:
            values.check_data({name: value for name, value in found.items() if name != values.ID}, path="")
        return found

    def _rows(self, chunks: Iterable[bytes]) -> Iterator[tuple[int, list[str] | PortalError]]:
        """Each row that is not empty with the line that it begins in, or what is wrong with it."""
        feed = _Feed(base.lines(base.opened(chunks)))
        delimiter = self._delimiter = self._delimiter or feed.sniffed()
        csv.field_size_limit(settings.IMPORT_MAX_CELL_CHARACTERS)
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        while True:
            line = feed.begin_row()
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield line, _flaw_of(error, line, feed)
                continue
            if row is None:
                return
            if any(row):
                yield line, row


class _Feed:
    """The lines of a file as text for the CSV reader, which asks for more while a quote is open."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._line = 0
        self._row_began = 0
        self._row_bytes = 0
        self.ended = False

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        raw = next(self._lines, None)
        if raw is None:
            self.ended = True
            raise StopIteration
        self._line += 1
        self._row_bytes += len(raw)
        if self._row_bytes > settings.IMPORT_MAX_LINE_BYTES:
            what = f"The row has over {settings.IMPORT_MAX_LINE_BYTES:,} bytes. Is a quote not closed?"
            raise file_refused(what, line=self._row_began)
        return self._decoded(raw)

    def _decoded(self, raw: bytes) -> str:
        if b"\0" in raw:
            raise file_refused("The file holds NUL bytes. Save it as text in UTF-8.", line=self._line)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise file_refused("The file is not in UTF-8. Save it so.", line=self._line) from None

    def begin_row(self) -> int:
        """The line that the next row begins in."""
        self._row_began, self._row_bytes = self._line + 1, 0
        return self._row_began

    def sniffed(self) -> str:
        """The delimiter that cuts the first lines into equally many cells, most of them where several do."""
        first: list[bytes] = []
        while len(first) < SNIFFED_LINES and sum(map(len, first)) < settings.IMPORT_MAX_LINE_BYTES:
            line = next(self._lines, None)
            if line is None:
                break
            first.append(line)
        self._lines = chain(first, self._lines)
        sample = [line.decode("utf-8", "replace").replace("\0", "") for line in first]
        return max(DELIMITERS.values(), key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: list[str], delimiter: str) -> tuple[bool, int]:
    csv.field_size_limit(settings.IMPORT_MAX_CELL_CHARACTERS)
    try:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        return False, 0
    header = widths[0] if widths else 0
    # The last row may be cut in the middle.
    whole = widths[1:-1] if len(sample) == SNIFFED_LINES else widths[1:]
    return header > 1 and all(width == header for width in whole), header


def _in_column(column: Column, wrong: InputError) -> InputError:
    return InputError(values.join(column.name, wrong.path) if wrong.path else column.name[:200], wrong.message)


def _flaw_of(error: csv.Error, line: int, feed: _Feed) -> PortalError:
    """What is wrong with one row. Raises PortalError 422 for what is wrong with the file."""
    if feed.ended:
        raise file_refused("A quote that is opened in this row is never closed.", line=line)
    if "limit" in str(error):
        longest = settings.IMPORT_MAX_CELL_CHARACTERS
        raise file_refused(f"A cell has over {longest:,} characters. Is a quote not closed?", line=line)
    return line_flaw("A quote in this row is neither at the edge of its cell nor doubled.")
