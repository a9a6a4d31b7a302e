"""What the endpoints of figures give."""

from datetime import datetime
from typing import Annotated, Literal

from ninja import Query
from pydantic import BaseModel, Field

from tenants.figures.service import Distribution as Found
from tenants.figures.service import Point


class Sample(BaseModel):
    """How much there was at a moment."""

    at: datetime
    records: int = Field(examples=[1200])
    storage_bytes: int = Field(examples=[482000])


class Growth(BaseModel):
    """Records and bytes over the last eight weeks: one sample a day, the oldest first, and the last one of now."""

    items: list[Sample]

    @classmethod
    def of(cls, points: list[Point]) -> "Growth":
        """The answer for these points."""
        return cls(items=[Sample(at=point.at, records=point.records, storage_bytes=point.bytes) for point in points])


class DistributionQuery(BaseModel):
    """Which field."""

    field: Annotated[str, Field(min_length=1, max_length=256, description="A dotted path.", examples=["country"])]


DistributionParameters = Query[DistributionQuery]


class Bar(BaseModel):
    """So many values are the same, or lie from `low` up to `high`."""

    label: str = Field(examples=["Sweden"])
    count: int
    low: float | None
    high: float | None


class Distribution(BaseModel):
    """How the values of a field are spread; of a list, each element counts."""

    field: str
    kind: Literal["numbers", "texts", "dates", "booleans", "nothing"] = Field(description="What most values are.")
    by: Literal["value", "range", "day", "month", "year"] = Field(description="What a bar stands for.")
    bars: list[Bar]
    values: int = Field(description="Values in the bars.")
    without: int = Field(description="Records that were looked at and have no value there.")
    others: int = Field(description="Values of other types, which are in no bar.")
    looked_at: int = Field(description="Records that were looked at.")
    records: int = Field(description="Records that there are.")

    @classmethod
    def of(cls, found: Found) -> "Distribution":
        """The answer for a distribution."""
        spread = found.spread
        return cls(
            field=found.field,
            kind=spread.kind,
            by=spread.by,
            bars=[Bar(label=bar.label, count=bar.count, low=bar.low, high=bar.high) for bar in spread.bars],
            values=spread.values,
            without=spread.without,
            others=spread.others,
            looked_at=found.looked_at,
            records=found.records,
        )
