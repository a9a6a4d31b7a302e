"""The use cases of figures: how the data has grown, and how the values of a field are spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import PyMongoError

from orgportal import database
from orgportal.errors import PortalError, invalid
from tenants import manager, sizes
from tenants.access import Access
from tenants.figures.growth import Point, growth
from tenants.figures.spread import Spread, spread_of, values_at
from tenants.records.filters import field_of
from tenants.records.windows import DefaultOrder

__all__ = ["Distribution", "Point", "distribution", "growth"]

# A larger collection is told by a random sample of so many records.
SAMPLE = 5000
# To draw one, the embedded database reads all records: of more than this it is asked for the oldest instead.
EMBEDDED_LIMIT = 20_000
DEADLINE_SECONDS = 3.0
MAX_PATH = 256


@dataclass(frozen=True)
class Distribution:
    """How the values of a field are spread over `looked_at` records.

    Where there are more in all, those are a random sample, or the oldest ones where drawing one takes too long.
    """

    field: str
    spread: Spread
    looked_at: int
    records: int
    is_oldest: bool = False

    @property
    def is_sample(self) -> bool:
        return self.looked_at < self.records


def distribution(*, access: Access, field: str) -> Distribution:
    """How the values of a field (a path such as `address.country`) are spread; of a list, each element counts.

    Bounded work: at most 5,000 records are looked at. Raises PortalError 422 for what is no path, 503
    `too_slow` when the database could not give even those in time.
    """
    if len(field) > MAX_PATH:
        raise invalid("field", f"A path has at most {MAX_PATH} characters.")
    stored = field_of(field, "field")
    records = sizes.size_of(access.organization).records
    is_oldest = records > EMBEDDED_LIMIT and database.copies_on_rename(access.organization.placement.cluster)
    rows = _rows(access, stored, records, is_oldest=is_oldest)
    names = field.split(".")
    found = spread_of([values_at(row.get("data"), names) for row in rows])
    return Distribution(field, found, len(rows), max(records, len(rows)), is_oldest)


def _rows(access: Access, stored: str, records: int, *, is_oldest: bool) -> Sequence[dict[str, Any]]:
    collection, projection = manager.bind(access), {stored: 1, "_id": 0}
    try:
        with database.deadline(DEADLINE_SECONDS):
            if is_oldest:
                return DefaultOrder(access, {}, {stored: 1, "created_at": 1}).rows(None, SAMPLE)
            if records <= SAMPLE:
                return collection.find({}, limit=SAMPLE, projection=projection)
            return collection.aggregate([{"$sample": {"size": SAMPLE}}, {"$project": projection}])
    except PyMongoError as error:
        if not database.is_unavailable(error):
            raise
        message = "The database could not look at enough records in time. Try again later."
        raise PortalError("too_slow", 503, message, retry_after=30) from error
