"""Where the bytes of a file are read from, as often as it takes: a file on disk, or chunks in the database."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from bson import Binary, ObjectId
from django.conf import settings
from pymongo import ReplaceOne

from orgportal import database
from tenants.documents import now
from tenants.imports.documents import CHUNKS, CHUNKS_KEPT
from tenants.imports.refusals import too_large

CHUNK_BYTES = 1_048_576
_READ_BYTES = 262_144


class Source(Protocol):
    """A file that can be read again."""

    def chunks(self) -> Iterator[bytes]:
        """All of it from the start."""


class Spool:
    """A file on disk without a name, which is gone with the process that has it open."""

    def __init__(self) -> None:
        folder: Path = settings.DATA_DIR / "spool"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - this object is the context
        self._hash = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        """The SHA-256 of what was kept so far."""
        return self._hash.hexdigest()

    def keeping(self, pieces: Iterable[bytes], seen: Callable[[int], None]) -> Iterator[bytes]:
        """The same pieces, each kept before it is handed on; `seen` is told the size so far.

        Raises PortalError 413 for more than IMPORT_MAX_BYTES.
        """
        for piece in pieces:
            self.size += len(piece)
            check_size(self.size)
            self._hash.update(piece)
            self._file.write(piece)
            seen(self.size)
            yield piece

    def chunks(self) -> Iterator[bytes]:
        """As `Source.chunks`."""
        self._file.seek(0)
        while chunk := self._file.read(_READ_BYTES):
            yield chunk


class Chunks:
    """A file in the master database, where whoever has to go on with it finds it."""

    def __init__(self, org_id: ObjectId, import_id: str) -> None:
        self._org_id = org_id
        self._import_id = import_id

    def put(self, number: int, data: bytes) -> None:
        """Keep the chunk of that number, from 0; the last one of a number counts."""
        row = {
            "_id": self._name(number),
            "org_id": self._org_id,
            "import_id": self._import_id,
            "data": Binary(data),
            "expires_at": now() + CHUNKS_KEPT,
        }
        database.collection(CHUNKS).bulk_write([ReplaceOne({"_id": row["_id"]}, row, upsert=True)])

    def chunks(self) -> Iterator[bytes]:
        """As `Source.chunks`."""
        number = 0
        while (row := database.collection(CHUNKS).find_one({"_id": self._name(number)}, {"data": 1})) is not None:
            yield bytes(row["data"])
            number += 1

    def forget(self) -> None:
        """Remove all of them; safe to repeat."""
        database.collection(CHUNKS).delete_many({"org_id": self._org_id, "import_id": self._import_id})

    def _name(self, number: int) -> str:
        return f"{self._import_id}:{number}"


def check_size(size: int) -> None:
    """Raises PortalError 413 for a file over IMPORT_MAX_BYTES."""
    if size > settings.IMPORT_MAX_BYTES:
        raise too_large(f"A file has at most {settings.IMPORT_MAX_BYTES:,} bytes.")
