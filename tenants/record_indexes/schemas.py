"""What the endpoints of an organization's indexes take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from orgportal.conventions.schemas import Input
from tenants.record_indexes.service import Described

FieldName = Annotated[str, Field(min_length=1, max_length=257)]


class NewIndex(Input):
    """Fields of `data`, as in `sort`: `country`, or `-population` for large values first."""

    fields_: list[FieldName] = Field(alias="fields", min_length=1, max_length=4, examples=[["country", "-population"]])
    unique: bool = Field(False, description="No two records may have the same values. A missing one counts as null.")


class Index(BaseModel):
    """An index that the organization added."""

    id: str = Field(examples=["66f0c0ffee0123456789abcd"])
    keys: list[str] = Field(description="The fields.", examples=[["country", "-population"]])
    unique: bool
    state: Literal["building", "ready", "failed", "removing"]
    reason: str = Field(description="Why it failed.", examples=[""])
    sorts: bool = Field(
        description="Whether lists sorted by just these fields, in this order, are quick on every page."
    )
    created_at: datetime
    size_bytes: int | None = Field(description="null: not told by this database.")
    uses: int | None = Field(description="Reads that used it since `uses_since`; null: not told by this database.")
    uses_since: datetime | None

    @classmethod
    def of(cls, described: Described) -> "Index":
        """The answer for an index."""
        index, facts = described.index, described.facts
        return cls(
            id=str(index.id),
            keys=[f"-{field.path}" if field.descending else field.path for field in index.fields],
            unique=index.unique,
            state=index.state,
            reason=index.reason,
            sorts=index.order is not None,
            created_at=index.created_at,
            size_bytes=facts.bytes if facts else None,
            uses=facts.uses if facts else None,
            uses_since=facts.since if facts else None,
        )


class IndexList(BaseModel):
    """All of an organization's indexes; they are few."""

    items: list[Index]
    next_cursor: None = Field(description="Always null.")
