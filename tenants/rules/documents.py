"""Schemas as the master database keeps them, and what a check of the records against one has found.

A document is one schema that somebody wanted: its text never changes, so whoever has compiled it once has it for
good. Which schemas count is said by the organization's own document (`SchemaState`), that changes in one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from orgportal import database

COLLECTION = "record_schemas"
INDEXES: dict[str, list[IndexModel]] = {
    COLLECTION: [
        IndexModel([("org_id", ASCENDING), ("created_at", ASCENDING)], name="org_id"),
        IndexModel([("due_at", ASCENDING)], name="due_at"),
    ]
}

# What a check is for: to switch the schema on, or only to know.
Purpose = Literal["switch_on", "check"]
# How far it is: not begun, at it, and how it ended. `superseded`: another schema, or none, was wanted meanwhile.
Step = Literal["waiting", "checking", "fits", "misfit", "failed", "superseded"]
FINISHED = frozenset({"fits", "misfit", "failed", "superseded"})


@dataclass(frozen=True)
class WrongRecord:
    """A record that does not fit: its id, where, and what is wrong there."""

    id: str
    path: str
    message: str


@dataclass(frozen=True)
class Report:
    """What a check has found so far: `wrong` records of `checked`, the first hundred faults; `reason` it failed for."""

    checked: int = 0
    wrong: int = 0
    errors: tuple[WrongRecord, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class KeptSchema:
    """A schema, and the check of the records against it."""

    id: ObjectId
    org_id: ObjectId
    text: str
    purpose: Purpose
    step: Step
    report: Report
    created_at: datetime
    fenced_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None

    @property
    def is_finished(self) -> bool:
        return self.step in FINISHED


def kept_from(row: Mapping[str, Any]) -> KeptSchema:
    """The picture of a stored schema."""
    report = row["report"]
    errors = tuple(WrongRecord(**error) for error in report["errors"])
    return KeptSchema(
        id=row["_id"],
        org_id=row["org_id"],
        text=row["text"],
        purpose=row["purpose"],
        step=row["step"],
        report=Report(report["checked"], report["wrong"], errors, report["reason"]),
        created_at=row["created_at"],
        fenced_at=row.get("fenced_at"),
        finished_at=row.get("finished_at"),
        due_at=row.get("due_at"),
    )


def as_document(report: Report) -> dict[str, Any]:
    """The report as it is stored."""
    errors = [{"id": error.id, "path": error.path, "message": error.message} for error in report.errors]
    return {"checked": report.checked, "wrong": report.wrong, "errors": errors, "reason": report.reason}


def load(schema_id: ObjectId) -> KeptSchema | None:
    """A schema by its id."""
    row = database.collection(COLLECTION).find_one({"_id": schema_id})
    return kept_from(row) if row else None


def all_of(org_id: ObjectId) -> list[KeptSchema]:
    """An organization's schemas, the newest first: the one that is on, one that is checked, and what was tried last."""
    rows = database.collection(COLLECTION).find({"org_id": org_id}).sort("created_at", -1)
    return [kept_from(row) for row in rows]
