"""Which cluster a new organization's collection goes to, and how full the clusters are.

MongoDB advises against unbounded numbers of collections on one cluster, so they are counted and capped. The
counts live in the `clusters` collection: moved by one with every sign-up and deletion, and counted afresh by
the worker, so that a crash in between does not matter for long and a sign-up never counts organizations.
"""

from dataclasses import dataclass

from django.conf import settings

from orgportal import database
from orgportal.errors import PortalError
from tenants.documents import Placement, now


@dataclass(frozen=True)
class ClusterLoad:
    """How many organizations a cluster holds, of how many it may."""

    cluster: str
    organizations: int
    capacity: int


def loads() -> list[ClusterLoad]:
    """Every configured cluster with its count, the least loaded first."""
    counted = {row["_id"]: row["organizations"] for row in database.collection("clusters").find()}
    found = [
        ClusterLoad(name, max(0, counted.get(name, 0)), settings.CLUSTER_CAPACITY) for name in database.cluster_names()
    ]
    return sorted(found, key=lambda load: load.organizations)


def choose(collection: str) -> Placement:
    """Where a new organization's collection goes. Raises PortalError 503 when every cluster is full."""
    least = loads()[0]
    if least.organizations >= least.capacity:
        raise PortalError("no_capacity", 503, "No more organizations can be taken in for now.", retry_after=3600)
    return Placement(cluster=least.cluster, database=settings.MONGODB_DATABASE, collection=collection)


def moved(cluster: str, difference: int) -> None:
    """Note that a cluster holds more or fewer organizations than before."""
    database.collection("clusters").update_one({"_id": cluster}, {"$inc": {"organizations": difference}}, upsert=True)


def recount() -> None:
    """Count every cluster's organizations afresh (an index scan; the worker does it now and then)."""
    for cluster in database.cluster_names():
        organizations = database.collection("organizations").count_documents({"placement.cluster": cluster})
        change = {"$set": {"organizations": organizations, "counted_at": now()}}
        database.collection("clusters").update_one({"_id": cluster}, change, upsert=True)
