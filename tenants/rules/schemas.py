"""What the endpoints of an organization's schema take and give."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel

from tenants.rules.service import Schema, Standing

EXAMPLE: Any = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}}


class JsonSchema(RootModel[dict[str, Any]]):
    """A JSON Schema of draft 2020-12 for the `data` of records: at most 64 KiB, no references out of itself."""

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}


class WrongRecord(BaseModel):
    """One thing wrong with a record."""

    id: str = Field(description="The record's.", examples=["66f0c0ffee0123456789abcd"])
    path: str = Field(examples=["data.address.zip"])
    message: str = Field(examples=["This field is required."])


class Check(BaseModel):
    """A schema, and how the records were held against it."""

    id: str
    purpose: Literal["switch_on", "check"]
    step: Literal["waiting", "checking", "fits", "misfit", "failed", "superseded"] = Field(
        description="`waiting`: until no write under the old rules can arrive any more. `failed`: see `reason`."
    )
    document: dict[str, Any] = Field(description="The schema.", examples=[EXAMPLE])
    checked: int = Field(description="Records that were looked at.")
    wrong: int = Field(description="Records that do not fit.")
    errors: list[WrongRecord] = Field(description="The first hundred faults.")
    reason: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, schema: Schema) -> "Check":
        """The answer for a schema."""
        report = schema.report
        return cls(
            id=str(schema.id),
            purpose=schema.kept.purpose,
            step=schema.kept.step,
            document=dict(schema.schema),
            checked=report.checked,
            wrong=report.wrong,
            errors=[WrongRecord(id=error.id, path=error.path, message=error.message) for error in report.errors],
            reason=report.reason,
            created_at=schema.kept.created_at,
            finished_at=schema.kept.finished_at,
        )


class SchemaStanding(BaseModel):
    """How it stands with the organization's schema."""

    state: Literal["off", "checking", "on"]
    on: dict[str, Any] | None = Field(description="What every write is held to.", examples=[EXAMPLE])
    left_out: list[str] = Field(
        description="Keywords of `on` that only the portal checks: the database's own validator has no words for them."
    )
    checking: Check | None = Field(description="What is being switched on. Writes are held to it already.")
    last: Check | None = Field(description="The newest check that is over, or that only tries a schema.")

    @classmethod
    def of(cls, standing: Standing) -> "SchemaStanding":
        """The answer for how it stands."""
        return cls(
            state=standing.state,
            on=dict(standing.on.schema) if standing.on else None,
            left_out=list(standing.left_out),
            checking=Check.of(standing.checking) if standing.checking else None,
            last=Check.of(standing.last) if standing.last else None,
        )
