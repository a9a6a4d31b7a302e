"""What the endpoints of the audit take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Query
from pydantic import AwareDatetime, BaseModel, Field

from accounts.audit.reading import Filter
from orgportal.conventions.schemas import OMITTABLE, ListQuery
from tenants.audit.service import Entry as Stored

_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"


class EntryQuery(ListQuery):
    """What to look for; each is optional, and all have to fit."""

    action: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=60, pattern=r"^[a-z_]+\.[a-z_]+$", description="One action.", examples=["login.failed"]
    )
    actor: Annotated[str | None, OMITTABLE] = Field(
        None,
        max_length=254,
        pattern=_NO_CONTROLS,
        description="An address or id, or `operator`, `system`, `anonymous`, `key`, `account`.",
    )
    target: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=254, pattern=_NO_CONTROLS, description="How the target begins.", examples=["account:"]
    )
    result: Annotated[Literal["done", "failed", "refused"] | None, OMITTABLE] = None
    since: Annotated[AwareDatetime | None, OMITTABLE] = Field(None, description="From this time on.")
    before: Annotated[AwareDatetime | None, OMITTABLE] = Field(None, description="Before this time.")

    def wanted(self) -> Filter:
        """What the service looks for."""
        return Filter(
            action=self.action or "",
            actor=self.actor or "",
            target=self.target or "",
            result=self.result or "",
            since=self.since,
            before=self.before,
        )


EntryParameters = Query[EntryQuery]


class Actor(BaseModel):
    """Who did it."""

    kind: Literal["account", "key", "operator", "system", "anonymous"]
    id: str = Field(description="Of the account or key; empty for others.")
    name: str = Field(description="The address, or the operator's user name.")
    method: str = Field(description="How they came in: `session`, `token`, `key`, `link`.")


class Entry(BaseModel):
    """One entry of the organization's chain."""

    seq: int = Field(description="The place in the chain, from 1 without a gap.")
    id: str
    at: datetime
    action: str = Field(examples=["member.role_changed"])
    result: Literal["done", "failed", "refused"] = Field(
        description="`done` is written before it happens; a `failed` one that names it in `details.entry` follows "
        "when it did not. `refused` ones may stand for several (`details.times`)."
    )
    actor: Actor
    target: str = Field(examples=["account:6b03b6016f39908e0959da2d"])
    details: dict[str, Any]
    address: str
    agent: str
    request_id: str
    hash: str = Field(description="SHA-256 over the entry and the hash of the one before it.")

    @classmethod
    def of(cls, entry: Stored) -> "Entry":
        """The answer for an entry."""
        actor = Actor.model_construct(
            kind=entry.actor_kind, id=entry.actor_id, name=entry.actor_name, method=entry.method
        )
        return cls.model_construct(
            seq=entry.seq,
            id=entry.id,
            at=entry.at,
            action=entry.action,
            result=entry.result,
            actor=actor,
            target=entry.target,
            details=entry.details,
            address=entry.address,
            agent=entry.agent,
            request_id=entry.request_id,
            hash=entry.hash,
        )


class EntryList(BaseModel):
    """A page of entries, newest first."""

    items: list[Entry]
    next_cursor: str | None = Field(
        description="Where to go on. A filter that matches little may give a page with few items or none, and go on."
    )
