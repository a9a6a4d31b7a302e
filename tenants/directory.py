"""What `accounts` asks about organizations, answered from the master database."""

from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId

from accounts.directory import OrganizationFacts
from orgportal import database
from tenants.documents import ACTIVE, RENAMING, organization_from


class MasterDirectory:
    """The protocol `accounts.directory.OrganizationDirectory` over the `organizations` collection."""

    def join(self, local_field: str, into: str) -> list[dict[str, Any]]:
        lookup = {"from": "organizations", "localField": local_field, "foreignField": "_id", "as": into}
        return [{"$lookup": lookup}]

    def from_join(self, rows: Iterable[Mapping[str, Any]]) -> OrganizationFacts | None:
        for row in rows:
            return organization_from(row)
        return None

    def open_ones(self, ids: Iterable[ObjectId]) -> list[OrganizationFacts]:
        wanted = list(ids)
        if not wanted:
            return []
        rows = database.collection("organizations").find({"_id": {"$in": wanted}})
        found = [organization_from(row) for row in rows if row["status"] in {ACTIVE, RENAMING}]
        return sorted(found, key=lambda organization: organization.name.casefold())
