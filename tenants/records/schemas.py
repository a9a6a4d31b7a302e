"""What the record endpoints take and give."""

from typing import Annotated, Any, Literal

from ninja import Query
from pydantic import BaseModel, Field, WithJsonSchema

from orgportal.conventions.schemas import OMITTABLE, Input, ListQuery
from tenants.records import filters, paging, selection, sorting
from tenants.records.documents import ID_PATTERN
from tenants.records.values import MAX_KEYS, MAX_NAME

NAMES = {"minLength": 1, "maxLength": MAX_NAME, "pattern": r"^[^$.\u0000][^.\u0000]*$"}
DATA = (
    "Any JSON object of at most 1 MiB and 32 levels. What JSON has no word for is written in MongoDB's Extended "
    'JSON v2: `{"$date": "2024-05-01T12:00:00Z"}`, `$oid`, `$numberDecimal`, `$numberLong`, `$numberDouble`, '
    "`$binary`, `$uuid`."
)

# Checked by the lookup, not here: an id that cannot exist is as unknown as any other (404).
RecordId = Annotated[str, WithJsonSchema({"type": "string", "pattern": ID_PATTERN, "examples": ["66f0c0ffee01"]})]
Data = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_KEYS,
        description=DATA,
        json_schema_extra={"propertyNames": NAMES},
        examples=[{"name": "Ada", "born": {"$date": "1815-12-10T00:00:00Z"}}],
    ),
]
Filter = Annotated[
    dict[str, Any],
    Field(description=f"A filter with {', '.join(filters.OPERATORS)}.", examples=[{"age": {"$gte": 18}}]),
]


class NewRecord(Input):
    """A record to create."""

    data: Data
    id: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=128, pattern=ID_PATTERN, description="Made up when left out.", examples=["order-1815"]
    )


class RecordReplacement(Input):
    """All the data that a record is to have."""

    data: Data


class RecordPatch(Input):
    """Changes to a record's data: a JSON merge patch (RFC 7396), in which null removes."""

    data: Data


class Matching(Input):
    """Records to delete: those that match, when they are as many as expected."""

    filter: Filter
    expected_count: int = Field(ge=0, le=2**53, description="How many match, as counted before.", examples=[3])


class Record(BaseModel):
    """A record."""

    id: str = Field(examples=["66f0c0ffee0123456789abcd"])
    data: dict[str, Any] = Field(description=DATA)
    rev: int = Field(description="Grows with every change, from 1.", examples=[1])
    created_at: str = Field(json_schema_extra={"format": "date-time"}, examples=["2026-05-01T12:00:00.250Z"])
    updated_at: str = Field(json_schema_extra={"format": "date-time"}, examples=["2026-05-01T12:00:00.250Z"])
    created_by: str = Field(
        description="An account's id, or `key:` and an API key's.", examples=["66f0c0ffee0123456789"]
    )


class RecordList(BaseModel):
    """One page of records."""

    items: list[Record]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")


class Count(BaseModel):
    """How many records match."""

    count: int = Field(examples=[1200])


class Deletion(BaseModel):
    """How many records were deleted, and how many of those expected are still to be: call again for them."""

    deleted: int = Field(examples=[3])
    remaining: int = Field(examples=[0])


class ShownQuery(BaseModel):
    """How values are written."""

    ejson: Literal["relaxed", "canonical"] = Field(
        "relaxed", description="`canonical`: every number says its type, as in MongoDB's canonical Extended JSON."
    )


class FilterQuery(BaseModel):
    """Which records."""

    filter: Annotated[str | None, OMITTABLE] = Field(
        None,
        max_length=filters.MAX_TEXT,
        description=f"JSON over the fields of `data`, dotted paths, with {', '.join(filters.OPERATORS)}.",
        examples=['{"age": {"$gte": 18}}'],
    )


class RecordListQuery(ListQuery, FilterQuery, ShownQuery):
    """Which records, in which order, and what of them."""

    sort: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=sorting.MAX_TEXT, description="`field,-field`; by age when left out.", examples=["name,-age"]
    )
    fields: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=selection.MAX_TEXT, description="What to show of `data`.", examples=["name,address.city"]
    )
    cursor: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=paging.MAX_LENGTH, pattern="^[A-Za-z0-9_~-]+$", description="`next_cursor` of the page before."
    )


ListParameters = Query[RecordListQuery]
CountParameters = Query[FilterQuery]
ShownParameters = Query[ShownQuery]
