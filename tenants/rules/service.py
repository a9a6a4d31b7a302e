"""The use cases of an organization's schema: read it, set it, switch it off, try one, draft one."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from bson import ObjectId

from accounts import audit
from orgportal.errors import PortalError, organization_busy
from tenants import manager
from tenants.access import Access
from tenants.documents import ACTIVE, Organization
from tenants.lifecycle import operation
from tenants.records.values import to_relaxed
from tenants.rules import compiled, documents, switching
from tenants.rules.compiled import DIALECT
from tenants.rules.documents import KeptSchema, Report
from tenants.rules.enforcement import check
from tenants.rules.inference import draft_from
from tenants.rules.translation import translated

__all__ = [
    "DIALECT",
    "Schema",
    "Standing",
    "check",
    "draft",
    "get_schema",
    "set_schema",
    "switch_off",
    "try_schema",
    "version",
]

DRAFT_SAMPLE = 1000

State = Literal["off", "checking", "on"]


@dataclass(frozen=True)
class Schema:
    """A schema as its author wrote it, and the check of the records against it."""

    id: ObjectId
    schema: Mapping[str, Any]
    kept: KeptSchema

    @property
    def report(self) -> Report:
        return self.kept.report


@dataclass(frozen=True)
class Standing:
    """How it stands with an organization's schema.

    `on` is what writes are held to, `checking` what is being switched on (writes are held to it already), `last` the
    newest schema whose check is over or that was only tried, whether it counts or not. `left_out` names the keywords
    of `on` that the database's own validator has no words for.
    """

    id: ObjectId
    rev: int
    on: Schema | None
    checking: Schema | None
    last: Schema | None
    left_out: tuple[str, ...]

    @property
    def state(self) -> State:
        """`checking` as long as a schema is being switched on, whatever is on beside it."""
        return "checking" if self.checking else "on" if self.on else "off"

    @property
    def is_moving(self) -> bool:
        """Whether the worker is still at something."""
        return self.checking is not None or (self.last is not None and not self.last.kept.is_finished)


@dataclass(frozen=True)
class Version:
    """Names the state of an organization's schema that a caller has seen."""

    id: ObjectId
    rev: int


def version(*, access: Access) -> Version:
    """The state of the schema as the access saw it; no query."""
    return Version(access.organization.id, access.organization.schema.rev)


def get_schema(*, access: Access) -> Standing:
    """How it stands (one round trip)."""
    return _standing(access.organization)


def _standing(organization: Organization) -> Standing:
    kept = documents.all_of(organization.id)
    by_id = {schema.id: schema for schema in kept}
    state = organization.schema
    on = _as_schema(by_id.get(state.on) if state.on else None)
    checking = _as_schema(by_id.get(state.checking) if state.checking else None)
    tried = [
        schema for schema in kept if schema.id != state.checking and (schema.is_finished or schema.purpose == "check")
    ]
    left_out = translated(on.schema)[1] if on else []
    return Standing(organization.id, state.rev, on, checking, _as_schema(tried[0] if tried else None), tuple(left_out))


def _as_schema(kept: KeptSchema | None) -> Schema | None:
    return Schema(kept.id, orjson.loads(kept.text), kept) if kept else None


def set_schema(*, access: Access, schema: object, expected_rev: int | None = None) -> Standing:
    """Begin to switch a schema on: new writes are held to it at once, and the records are checked by the worker.

    Raises PortalError 422 `invalid_schema`, 412 `stale`, 503 `organization_busy` during another operation.
    """
    text = compiled.accepted_text(schema)
    organization = _changeable(access, expected_rev)
    with _audited("schema_set", access, {"bytes": len(text)}):
        kept = switching.insert(organization.id, text, "switch_on")
        try:
            switching.name_for_checking(organization, kept.id)
        except PortalError:
            switching.withdraw(kept.id)
            raise
    return _standing_now(organization)


def _audited(what: str, access: Access, details: Mapping[str, int]) -> AbstractContextManager[None]:
    organization = access.organization
    return audit.act(
        action=f"organization.{what}",
        org_ids=[organization.id],
        actor=access.principal,
        target=f"organization:{organization.id}",
        details=dict(details),
    )


def switch_off(*, access: Access, expected_rev: int | None = None) -> None:
    """Hold writes to nothing any more, and forget what was on or being checked. Fine when there is nothing.

    Raises PortalError 412 `stale`, 503 `organization_busy` during another operation.
    """
    organization = _changeable(access, expected_rev)
    if not organization.schema.held_to:
        return
    with _audited("schema_off", access, {}):
        switching.switch_off(organization)
    try:
        switching.settle(organization.id)
    except switching.NotSettled:
        # Its schemas are due: the worker does it.
        return


def _changeable(access: Access, expected_rev: int | None) -> Organization:
    organization = access.organization
    if expected_rev is not None and expected_rev != organization.schema.rev:
        raise switching.stale()
    if organization.status != ACTIVE:
        raise organization_busy()
    return organization


def _standing_now(organization: Organization) -> Standing:
    current = operation.load(organization.id)
    if current is None:
        raise organization_busy()
    return _standing(current)


def try_schema(*, access: Access, schema: object) -> Standing:
    """Have the worker say which records would not fit a schema; nothing else changes. One at a time: a further one
    takes the place of the one before. Raises PortalError 422 `invalid_schema`."""
    text = compiled.accepted_text(schema)
    switching.insert(access.organization.id, text, "check")
    return _standing(access.organization)


def draft(*, access: Access) -> dict[str, Any]:
    """A first draft made from at most 1,000 records, which all fit it."""
    sample: list[Mapping[str, Any]] = [{"$sample": {"size": DRAFT_SAMPLE}}, {"$project": {"data": 1}}]
    rows = manager.bind(access).aggregate(sample)
    return draft_from([to_relaxed(row["data"]) for row in rows if isinstance(row.get("data"), dict)])
