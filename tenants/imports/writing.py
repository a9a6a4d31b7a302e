"""A batch of candidates becomes records: once, however often it is written.

Every record says which import and line wrote it, so a repetition knows its own. `first` is the line that inserted a
record which a later line of the same import updated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from orgportal.database import Document
from orgportal.errors import PortalError, organization_busy
from tenants import manager
from tenants.access import Access
from tenants.bound import TenantCollection, Write
from tenants.documents import now
from tenants.imports.candidates import Candidate, checked_record, line_errors
from tenants.imports.documents import Import, LineError
from tenants.imports.identity import record_id
from tenants.imports.matching import FEW, Found, Matcher, key_of
from tenants.records import marks, sort_marks
from tenants.records.documents import new_row
from tenants.records.values import ID
from tenants.refusals import DUPLICATE_KEY, refusal_of

ATTEMPTS = 5
EXISTS = "There is a record with this id already."


@dataclass
class Outcome:
    """What became of a batch's candidates."""

    inserted: int = 0
    updated: int = 0
    errors: list[LineError] = field(default_factory=list)
    failed_lines: set[int] = field(default_factory=set)

    def fail(self, line: int, errors: Iterable[LineError]) -> None:
        """Report what is wrong with a line, which counts once."""
        self.failed_lines.add(line)
        self.errors += errors


def write(
    access: Access,
    job: Import,
    matcher: Matcher,
    candidates: Sequence[Candidate],
    sending: Callable[[], None],
) -> Outcome:
    """Write them, or with `dry_run` find out what would be. Safe to repeat after any failure.

    `matcher` is the same one for all batches of an attempt. `sending` is called when they are about to be sent.

    Raises PortalError 503 `organization_busy`, 404 when the organization is gone, and the driver's errors.
    """
    outcome = Outcome()
    good = _held_to_rules(access, candidates, outcome)
    records = manager.bind(access)
    if job.options.mode == "upsert":
        sending()
        _Upsert(access, records, job, matcher, outcome).run(good)
    elif job.options.dry_run:
        _try_insert(records, job, good, outcome)
    else:
        _insert(access, records, job, good, outcome, sending)
    return outcome


def _held_to_rules(access: Access, candidates: Sequence[Candidate], outcome: Outcome) -> list[Candidate]:
    good: list[Candidate] = []
    for candidate in candidates:
        try:
            checked_record(access, candidate)
        except PortalError as error:
            if error.status >= 500:
                raise
            outcome.fail(candidate.line, line_errors(candidate.line, error))
        else:
            good.append(candidate)
    return good


def row_of(job: Import, candidate: Candidate, created_at: datetime) -> Document:
    """What is stored for a new record."""
    row = new_row(id=candidate.id or record_id(job.id, candidate.line), data=candidate.data, created_by=job.created_by)
    origin = {"id": job.id, "line": candidate.line}
    return {**row, "created_at": created_at, "updated_at": created_at, "import": origin}


def is_own(row: Mapping[str, Any], job: Import, line: int) -> bool:
    """Whether that line of this import, or a later one, has written the record."""
    origin = row.get("import") or {}
    return origin.get("id") == job.id and origin["line"] >= line


def _insert(
    access: Access,
    records: TenantCollection,
    job: Import,
    candidates: list[Candidate],
    outcome: Outcome,
    sending: Callable[[], None],
) -> None:
    if not candidates:
        return
    created = marks.stamps(len(candidates))
    rows = [row_of(job, candidate, moment) for candidate, moment in zip(candidates, created, strict=True)]
    marks.note(access, created)
    sending()
    try:
        records.insert_many(rows)
    except BulkWriteError as error:
        refused = _write_errors(error)
    else:
        refused = {}
    # A record that an earlier try has written violates every unique index, its id's or another.
    twice = [rows[index]["_id"] for index, wrong in refused.items() if wrong.get("code") == DUPLICATE_KEY]
    there = _there(records, twice)
    for index, candidate in enumerate(candidates):
        wrong = refused.get(index)
        row = there.get(rows[index]["_id"])
        if wrong is None or (row is not None and _wrote(row, job, candidate.line)):
            outcome.inserted += 1
        else:
            outcome.fail(candidate.line, _refused_errors(candidate.line, wrong))
    sort_marks.note(access, [row for index, row in enumerate(rows) if index not in refused])


def _wrote(row: Mapping[str, Any], job: Import, line: int) -> bool:
    origin = row.get("import") or {}
    return origin.get("id") == job.id and origin["line"] == line


def _try_insert(records: TenantCollection, job: Import, candidates: list[Candidate], outcome: Outcome) -> None:
    ids = [candidate.id for candidate in candidates if candidate.id]
    taken = set(_there(records, ids))
    for candidate in candidates:
        if candidate.id and candidate.id in taken:
            outcome.fail(candidate.line, [LineError(candidate.line, ID, EXISTS)])
        else:
            taken.add(candidate.id)
            outcome.inserted += 1


def _there(records: TenantCollection, ids: Sequence[str]) -> dict[str, Document]:
    if not ids:
        return {}
    wanted = list(dict.fromkeys(ids))
    query = {"_id": {"$in": wanted}}
    return {row["_id"]: row for row in records.find(query, limit=len(wanted), projection={"import": 1})}


def _write_errors(error: BulkWriteError) -> dict[int, Mapping[str, Any]]:
    """What was refused by its place in the batch. Raises the error itself when more went wrong than that."""
    if error.details.get("writeConcernErrors") or not error.details.get("writeErrors"):
        raise error
    return {wrong["index"]: wrong for wrong in error.details["writeErrors"]}


def is_id_conflict(wrong: Mapping[str, Any]) -> bool:
    """Whether a record of that id is there already."""
    return wrong.get("code") == DUPLICATE_KEY and refusal_of(wrong) is None


def _refused_errors(line: int, wrong: Mapping[str, Any]) -> list[LineError]:
    if is_id_conflict(wrong):
        return [LineError(line, ID, EXISTS)]
    refused = refusal_of(wrong)
    if refused is None:
        return [LineError(line, "", "The database does not take this record.")]
    return [
        LineError(error.line, error.path.removeprefix("data").removeprefix("."), error.message)
        for error in line_errors(line, refused)
    ]


@dataclass
class _Group:
    """Lines with the same key: the record becomes what the last one says, once for each."""

    candidates: list[Candidate]
    conflicts: int = 0

    @property
    def last(self) -> Candidate:
        return self.candidates[-1]


class _Upsert:
    """Each round looks at what is there, and writes what is not as it should be; until nothing is left."""

    def __init__(
        self, access: Access, records: TenantCollection, job: Import, matcher: Matcher, outcome: Outcome
    ) -> None:
        self._access = access
        self._records = records
        self._job = job
        self._matcher = matcher
        self._outcome = outcome

    def run(self, candidates: list[Candidate]) -> None:
        groups = self._groups(candidates)
        for _ in range(ATTEMPTS):
            found = self._matcher.match(self._records, {key: group.last for key, group in groups.items()})
            created = marks.stamps(len(groups))
            marks.note(self._access, created)
            writes: list[tuple[Any, Write]] = []
            for key, moment in zip(list(groups), created, strict=True):
                operation = self._look_at(key, groups[key], found.get(key, []), moment)
                if operation is None:
                    del groups[key]
                else:
                    writes.append((key, operation))
            if not writes:
                return
            with sort_marks.outdated(self._records, [row["_id"] for rows in found.values() for row in rows]):
                self._write(writes, groups)
        # Others keep changing the same records; the batch is repeated as a whole.
        raise organization_busy()

    def _groups(self, candidates: list[Candidate]) -> dict[Any, _Group]:
        groups: dict[Any, _Group] = {}
        for candidate in candidates:
            try:
                key = key_of(self._job, candidate)
            except PortalError as error:
                self._outcome.fail(candidate.line, line_errors(candidate.line, error))
                continue
            groups.setdefault(key, _Group([])).candidates.append(candidate)
        return groups

    def _look_at(self, key: Any, group: _Group, found: list[Found], moment: datetime) -> Write | None:
        """What has still to be written for a group; None when it is settled, and counted."""
        if len(found) > 1:
            for candidate in group.candidates:
                message = f"{len(found)}{' or more' if len(found) >= FEW else ''} records have this key."
                self._outcome.fail(candidate.line, [LineError(candidate.line, "", message)])
            return None
        row = found[0] if found else None
        if row is not None and is_own(row, self._job, group.last.line):
            self._count(group, first=row["import"].get("first", row["import"]["line"]))
            return None
        if self._job.options.dry_run:
            self._count(group, first=0 if row is not None else group.candidates[0].line)
            return None
        return self._insertion(key, group, moment) if row is None else self._update(group, row)

    def _count(self, group: _Group, *, first: int) -> None:
        """`first` is the line of this import that inserted the record, 0 for none."""
        inserted = sum(candidate.line == first for candidate in group.candidates)
        self._outcome.inserted += inserted
        self._outcome.updated += len(group.candidates) - inserted

    def _insertion(self, key: Any, group: _Group, moment: datetime) -> Write:
        row = row_of(self._job, group.last, moment)
        first = group.candidates[0].line
        row |= {"_id": group.last.id or record_id(self._job.id, first), "rev": len(group.candidates)}
        row["import"]["first"] = first
        self._matcher.expect(key, row["_id"])
        return InsertOne(row)

    def _update(self, group: _Group, row: Found) -> Write:
        origin = row.get("import") or {}
        first = origin.get("first", origin["line"]) if origin.get("id") == self._job.id else 0
        state = {"_id": row["_id"], "rev": row["rev"], "created_at": row["created_at"]}
        fields = {
            "data": group.last.data,
            "updated_at": now(),
            "import": {"id": self._job.id, "line": group.last.line, "first": first},
        }
        return UpdateOne(state, {"$set": fields, "$inc": {"rev": len(group.candidates)}})

    def _write(self, writes: list[tuple[Any, Write]], groups: dict[Any, _Group]) -> None:
        """Try them all. Those that did not take place are met again in the next round."""
        try:
            self._records.bulk_write([operation for _, operation in writes])
        except BulkWriteError as error:
            for index, wrong in _write_errors(error).items():
                key = writes[index][0]
                groups[key].conflicts += is_id_conflict(wrong)
                # A record that appeared meanwhile is found in the next round; if not, its key is another.
                if not is_id_conflict(wrong) or groups[key].conflicts > 1:
                    self._refuse(groups.pop(key), wrong)

    def _refuse(self, group: _Group, wrong: Mapping[str, Any]) -> None:
        for candidate in group.candidates:
            self._outcome.fail(candidate.line, _refused_errors(candidate.line, wrong))
