"""The use cases of the audit: a page of it, and the whole as an export."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts import audit
from accounts.audit.actions import PHRASES
from accounts.audit.reading import Filter, lines, page
from orgportal.database import Document
from tenants.access import Access


@dataclass(frozen=True)
class Entry:
    """One entry of the organization's chain, as people and programs read it."""

    seq: int
    id: str
    at: datetime
    action: str
    phrase: str
    result: str
    actor_kind: str
    actor_id: str
    actor_name: str
    method: str
    target: str
    details: dict[str, Any]
    address: str
    agent: str
    request_id: str
    hash: str


@dataclass(frozen=True)
class EntryPage:
    """Entries, newest first; `before` is the place to go on from, `searched_until` how far back was looked."""

    entries: list[Entry]
    before: int | None
    searched_until: datetime | None


def list_entries(*, access: Access, wanted: Filter, limit: int, before: int | None = None) -> EntryPage:
    """The newest matching entries in front of a place. Raises PortalError 422 for what cannot be looked for."""
    found = page(access.organization.id, wanted=wanted, limit=limit, before=before)
    return EntryPage([_entry(row) for row in found.entries], found.before, found.searched_until)


def export(*, access: Access) -> Iterator[bytes]:
    """The organization's whole chain as NDJSON, to be checked offline by `scripts/verify_audit_export.py`.

    That somebody exports it is the last entry of the export. Raises PortalError 503 `audit_unavailable`.
    """
    organization = access.organization
    audit.happened(
        action="audit.exported",
        org_ids=[organization.id],
        actor=access.principal,
        target=f"organization:{organization.id}",
    )
    return (
        json.dumps(line, sort_keys=True, separators=(",", ":"), default=str).encode("ascii") + b"\n"
        for line in lines(organization.id, name=organization.slug)
    )


def _entry(row: Document) -> Entry:
    return Entry(
        seq=row["seq"],
        id=row["id"],
        at=row["at"],
        action=row["action"],
        phrase=PHRASES.get(row["action"]) or str(row["action"]),
        result=row["result"],
        actor_kind=row["actor"]["kind"],
        actor_id=row["actor"]["id"],
        actor_name=row["actor"]["name"],
        method=row["actor"]["method"],
        target=row["target"],
        details=row["details"],
        address=row["address"],
        agent=row["agent"],
        request_id=row["request_id"],
        hash=row["hash"],
    )
