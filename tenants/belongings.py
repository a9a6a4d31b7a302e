"""Documents of the master database that belong to one organization by `org_id`, and go with it.

Credentials and memberships are the accounts' affair (`accounts.service.forget_organization`).
"""

from collections.abc import Callable, Iterator

from bson import ObjectId

from orgportal import database

# A collection that is added here has an index that begins with `org_id`.
COLLECTIONS: tuple[str, ...] = (
    "record_schemas",
    "record_indexes",
    "figures",
    "sizes",
    "record_marks",
    "sort_marks",
    "imports",
    "import_chunks",
)
BATCH = 500


def forget(org_id: ObjectId) -> None:
    """Remove them all; safe to repeat."""
    for name in COLLECTIONS:
        database.collection(name).delete_many({"org_id": org_id})


def leftovers(organizations_exist: Callable[[list[object]], set[object]]) -> Iterator[tuple[str, str]]:
    """What belongs to an organization that is no more, as (subject, problem)."""
    for name in COLLECTIONS:
        ids: list[object] = database.collection(name).distinct("org_id")
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            for org_id in set(batch) - organizations_exist(batch):
                yield name, f"belongs to the organization {org_id}, which does not exist"
