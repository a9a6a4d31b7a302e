"""How an organization's data has grown: the samples of the last weeks, and how much there is now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from orgportal import database
from tenants import sizes
from tenants.access import Access
from tenants.documents import now
from tenants.figures.documents import COLLECTION, day_of

WEEKS = 8


@dataclass(frozen=True)
class Point:
    """How much there was at a moment."""

    at: datetime
    records: int
    bytes: int


def growth(*, access: Access, current: tuple[int, int] | None = None) -> list[Point]:
    """Records and bytes over the last eight weeks, the oldest first, one point a day and the last one now.

    An organization younger than that begins with nothing, at its creation. `current` is the number of records and
    bytes where the caller has just measured them.
    """
    organization, moment = access.organization, now()
    begin = day_of(moment - timedelta(weeks=WEEKS))
    query = {"org_id": organization.id, "day": {"$gte": begin, "$lte": moment}}
    rows = database.collection(COLLECTION).find(query).sort("day", 1)
    points = [Point(row["at"], row["records"], row["bytes"]) for row in rows]
    if current is None:
        size = sizes.size_of(organization)
        current = size.records, size.bytes
    if organization.created_at >= begin:
        points = [
            Point(organization.created_at, 0, 0),
            *(point for point in points if point.at > organization.created_at),
        ]
    return [*points, Point(moment, *current)]
