"""An import as the master database keeps it: how far it is while it runs, its result for 30 days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel

from orgportal.database import Document
from orgportal.errors import InputError, PortalError
from tenants.documents import now
from tenants.imports.options import Options, options_from

IMPORTS = "imports"
CHUNKS = "import_chunks"
COLLECTIONS = (IMPORTS, CHUNKS)

KEPT = timedelta(days=30)
CHUNKS_KEPT = timedelta(days=2)
ERRORS_KEPT = 100

State = Literal["receiving", "waiting", "checking", "importing", "finished", "cancelled", "refused"]
STATES: tuple[State, ...] = get_args(State)
OVER: frozenset[State] = frozenset({"finished", "cancelled", "refused"})

# `slot` is the organization's id while the import runs and its own id otherwise: its unique index is the lock
# that lets one import run at a time.
INDEXES: dict[str, list[IndexModel]] = {
    IMPORTS: [
        IndexModel([("org_id", ASCENDING), ("begun", DESCENDING)], name="org_id_begun"),
        IndexModel([("slot", ASCENDING)], name="slot", unique=True),
        IndexModel([("queue", ASCENDING)], name="queue"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ],
    CHUNKS: [
        IndexModel([("org_id", ASCENDING), ("import_id", ASCENDING)], name="org_id_import_id"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ],
}


@dataclass(frozen=True)
class LineError:
    """What is wrong with one line: `path` is the field, empty for the line as a whole."""

    line: int
    path: str
    message: str

    def as_document(self) -> Document:
        return {"line": self.line, "path": self.path, "message": self.message}


@dataclass(frozen=True)
class Counts:
    """What became of the documents up to `line`: `received` is the sum of the three others."""

    line: int = 0
    received: int = 0
    inserted: int = 0
    updated: int = 0
    failed: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Import:
    """An import as it was when it was read.

    `begun` orders imports by age. `total_bytes` is 0 as long as it is not known. `digest` is the SHA-256 of the
    file, once all of it was seen. `refusal` says why a refused one was refused.
    """

    id: str
    org_id: ObjectId
    begun: ObjectId
    state: State
    options: Options
    counts: Counts
    errors: tuple[LineError, ...]
    total_bytes: int
    total_lines: int
    digest: str
    holder: str
    lease_until: datetime
    file_name: str
    account_id: ObjectId
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    refusal: PortalError | None

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def is_interrupted(self) -> bool:
        """Whether nobody is at it, though it is not over: sent again with the same key, it goes on."""
        return self.state in {"receiving", "checking", "importing"} and self.lease_until <= now()

    @property
    def percent(self) -> int:
        """How much of the file is done, of the reading that is under way; 100 only when the import is over."""
        if self.is_over:
            return 100
        return min(99, self.counts.bytes * 100 // self.total_bytes) if self.total_bytes else 0


def import_from(row: Mapping[str, Any]) -> Import:
    """The picture of a stored import."""
    return Import(
        id=row["_id"],
        org_id=row["org_id"],
        begun=row["begun"],
        state=row["state"],
        options=options_from(row["options"]),
        counts=Counts(**row["counts"]),
        errors=tuple(LineError(**error) for error in row["errors"]),
        total_bytes=row["total_bytes"],
        total_lines=row["total_lines"],
        digest=row["digest"],
        holder=row["holder"],
        lease_until=row["lease_until"],
        file_name=row["file_name"],
        account_id=row["account_id"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        refusal=_refusal_from(row["refusal"]) if row["refusal"] else None,
    )


def refusal_document(error: PortalError) -> Document:
    """A refusal as it is stored."""
    errors = [{"path": wrong.path, "message": wrong.message} for wrong in error.errors]
    return {"code": error.code, "status": error.status, "message": error.message, "errors": errors}


def _refusal_from(stored: Mapping[str, Any]) -> PortalError:
    errors = [InputError(**wrong) for wrong in stored["errors"]]
    return PortalError(stored["code"], stored["status"], stored["message"], errors=errors)
