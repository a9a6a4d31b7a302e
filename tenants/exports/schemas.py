"""What the endpoint of exports takes."""

from typing import Annotated

from ninja import Query
from pydantic import BaseModel, Field

from orgportal.conventions.schemas import OMITTABLE
from tenants.exports.service import Format
from tenants.records.filters import MAX_TEXT


class ExportQuery(BaseModel):
    """Which records, as what."""

    format: Format = Field(description="What the file is to be.")
    filter: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=MAX_TEXT, description="As for listing records; unset: all of them."
    )
    fields: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=MAX_TEXT, description="For CSV: the columns, by commas; unset: all fields that there are."
    )


ExportParameters = Query[ExportQuery]
PARAMETERS = tuple(ExportQuery.model_fields)
