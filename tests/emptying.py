"""A database made empty as quickly as it can be: before most tests, and between the rounds of some."""

from typing import Any

from pymongo.database import Database


def empty(database: "Database[Any]") -> None:
    """No organization's collection any more, and nothing in the others, whose indexes stay."""
    names = database.list_collection_names()
    for name in names:
        if name.startswith("org_"):
            database.drop_collection(name)
    for name in _filled(database, [name for name in names if not name.startswith("org_")]):
        database[name].delete_many({})


def _filled(database: "Database[Any]", names: list[str]) -> list[str]:
    """Those of the collections that hold something, in one round trip: most tests leave most of them empty."""
    if not names:
        return []
    looks = [[{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}] for name in names]
    others = [{"$unionWith": {"coll": name, "pipeline": look}} for name, look in zip(names[1:], looks[1:], strict=True)]
    return [row["name"] for row in database[names[0]].aggregate([*looks[0], *others])]
