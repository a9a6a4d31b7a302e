"""What the endpoints of imports take and give."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Query
from pydantic import BaseModel, Field

from orgportal.conventions.schemas import OMITTABLE
from tenants.imports.documents import Import as StoredImport
from tenants.imports.documents import State
from tenants.imports.options import MAX_TEXT, Format, Mode, Options, read_options

# Without NUL, and short enough for a query string.
TEXT = r"^[^\u0000]+$"


class ImportQuery(BaseModel):
    """How the file is to be imported."""

    format: Format = Field(description="What the file is.")
    mode: Mode = Field("insert", description="`upsert` updates the records that have the line's key.")
    key: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=MAX_TEXT, description="For `upsert`: the id (`_id`, the default) or up to 4 fields, by commas."
    )
    dry_run: Literal["0", "1"] = Field("0", description="`1` checks every line and writes nothing.")
    types: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=MAX_TEXT, description="For CSV: `column:type` by commas, such as `price:number,code:string`."
    )
    infer: Literal["0", "1"] = Field("1", description="For CSV: `0` takes every cell without a type for a text.")
    missing: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=MAX_TEXT, description="For CSV: texts that stand for no value, by commas, such as `NA`."
    )
    delimiter: Annotated[Literal["comma", "semicolon", "tab", "pipe"] | None, OMITTABLE] = Field(
        None, description="For CSV: what parts the cells. Unset: found out."
    )

    def options(self) -> Options:
        """What was asked for. Raises PortalError 422 for what does not go together."""
        return read_options(
            format=self.format,
            mode=self.mode,
            key=self.key,
            dry_run=self.dry_run == "1",
            types=self.types,
            infer=self.infer == "1",
            missing=self.missing,
            delimiter=self.delimiter,
        )


ImportParameters = Query[ImportQuery]
PARAMETERS = tuple(ImportQuery.model_fields)


class LineError(BaseModel):
    """What is wrong with one line."""

    line: int = Field(description="The line of the file from 1; of a JSON array, the document.")
    path: str = Field(description="The field; empty for the line as a whole.")
    message: str = Field(description="What, for people.")


class ImportRefusal(BaseModel):
    """Why a file was refused as a whole."""

    code: str
    message: str


class Import(BaseModel):
    """An import: how far it is, or its result."""

    id: str
    state: State = Field(description="`finished`, `cancelled` and `refused` are final.")
    interrupted: bool = Field(description="Nobody is at it: send the file again with the same Idempotency-Key.")
    format: Format
    mode: Mode
    dry_run: bool
    file_name: str
    received: int = Field(description="Documents seen so far: the sum of the three others.")
    inserted: int
    updated: int
    failed: int
    errors: list[LineError] = Field(description="Of the first 100 lines that failed.")
    percent: int = Field(description="How much of the file is done, 0 where its size is not known yet.")
    bytes: int
    total_bytes: int
    total_lines: int = Field(description="Documents in the file, once all of it was looked at.")
    created_at: datetime
    finished_at: datetime | None
    refusal: ImportRefusal | None

    @classmethod
    def of(cls, job: StoredImport) -> "Import":
        """What is told of an import."""
        return cls(
            id=job.id,
            state=job.state,
            interrupted=job.is_interrupted,
            format=job.options.format,
            mode=job.options.mode,
            dry_run=job.options.dry_run,
            file_name=job.file_name,
            received=job.counts.received,
            inserted=job.counts.inserted,
            updated=job.counts.updated,
            failed=job.counts.failed,
            errors=[LineError(line=one.line, path=one.path, message=one.message) for one in job.errors],
            percent=job.percent,
            bytes=job.counts.bytes,
            total_bytes=job.total_bytes,
            total_lines=job.total_lines,
            created_at=job.created_at,
            finished_at=job.finished_at,
            refusal=ImportRefusal(code=job.refusal.code, message=job.refusal.message) if job.refusal else None,
        )


class ImportList(BaseModel):
    """A page of imports, newest first."""

    items: list[Import]
    next_cursor: str | None
