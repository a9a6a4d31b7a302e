"""Who made something, in words: the accounts and API keys that `created_by` fields name."""

from collections.abc import Collection

from bson import ObjectId

from accounts.documents import ACCOUNTS, API_KEYS
from orgportal import database

KEY = "key:"
UNKNOWN = "somebody who has left"


def names_of(*, org_id: ObjectId, authors: Collection[str]) -> dict[str, str]:
    """A name for each author (an account's id, or `key:` and an API key's id), at most one query for each sort.

    Only members of the organization and its own keys are named; the rest is somebody who has left.
    """
    accounts = [ObjectId(author) for author in authors if ObjectId.is_valid(author)]
    keys = [ObjectId(author[len(KEY) :]) for author in authors if _is_key(author)]
    names = dict.fromkeys(authors, UNKNOWN)
    if accounts:
        query = {"_id": {"$in": accounts}, "memberships.org_id": org_id}
        for row in database.collection(ACCOUNTS).find(query, {"email": 1, "name": 1}):
            names[str(row["_id"])] = row.get("name") or row["email"]
    if keys:
        for row in database.collection(API_KEYS).find(
            {"org_id": org_id, "key_id": {"$in": keys}}, {"name": 1, "key_id": 1}
        ):
            names[f"{KEY}{row['key_id']}"] = f"the API key “{row['name']}”"
    return names


def _is_key(author: str) -> bool:
    return author.startswith(KEY) and ObjectId.is_valid(author[len(KEY) :])
