"""Organizations with records, and a worker at hand, for tests of schemas, indexes and figures."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bson import ObjectId

from orgportal import database
from tenants import manager
from tenants.access import Access
from tenants.documents import now
from tenants.lifecycle import operation
from tenants.record_indexes import building
from tenants.records.documents import new_row
from tenants.rules import checks
from tests.wire.people import access_of, sign_up

OWNER = "owner@acme.example"
_first: list[Access] = []


def acme(*records: Mapping[str, Any]) -> Access:
    """A new organization that holds these data."""
    sign_up("Acme", email=OWNER)
    _first.append(access_of(OWNER))
    fill(records)
    return _first[-1]


def again() -> Access:
    """Access as the next request has it, without another login."""
    organization = operation.load(_first[-1].organization.id)
    assert organization is not None
    return replace(_first[-1], organization=organization, read_at=time.monotonic())


def fill(records: Iterable[Mapping[str, Any]]) -> None:
    """Put data into the collection, past every check of the portal."""
    rows = [new_row(id=f"r{number}", data=dict(data), created_by="tests") for number, data in enumerate(records)]
    if rows:
        manager.bind(again()).insert_many(rows)


def work(*, later: bool = True) -> int:
    """What the worker does, at once or when every quarantine and lease is over."""
    at = now() + timedelta(hours=1) if later else now()
    return checks.run_due(at=at) + building.run_due(at=at)


def organization_row(org_id: ObjectId) -> dict[str, Any]:
    """The organization's document."""
    row = database.collection("organizations").find_one({"_id": org_id})
    assert row is not None
    return row


def validator_of(access: Access) -> dict[str, Any] | None:
    """What the database itself holds the organization's collection to."""
    organization = operation.load(access.organization.id)
    assert organization is not None
    options = database.master()[organization.placement.collection].options()
    found: dict[str, Any] | None = options.get("validator") or None
    return found if options.get("validationLevel", "strict") != "off" else None
