"""Samples of how much data an organization has, one for each day, as the master database keeps them."""

from datetime import datetime, timedelta

from pymongo import ASCENDING, IndexModel

COLLECTION = "figures"
# Which days were sampled for all organizations, and how far the sampling of a day has come.
ROUNDS = "figure_rounds"
KEPT = timedelta(days=400)

INDEXES: dict[str, list[IndexModel]] = {
    COLLECTION: [
        IndexModel([("org_id", ASCENDING), ("day", ASCENDING)], name="org_id_day", unique=True),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ],
    ROUNDS: [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)],
}


def day_of(moment: datetime) -> datetime:
    """Midnight, in UTC, of the day of a moment in UTC: what names a sample's day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
