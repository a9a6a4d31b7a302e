"""From which kinds of programs and networks an account has logged in. A new one is told to its owner."""

import hashlib

from bson import ObjectId

from accounts import notices
from accounts.agents import family_of
from accounts.documents import ACCOUNTS
from accounts.tokens import now
from orgportal import circumstances, database
from orgportal.network import network_of

# The latest ones are remembered.
MOST = 20


def note_login(*, account_id: ObjectId) -> None:
    """Remember where this login comes from; tell the account's owner when it is new, unless it is the first one.

    Of two logins at once from the same new place one is told. Costs one query by id where the place is known.
    """
    came_from = circumstances.current()
    if not came_from.address:
        return
    place = _place(family_of(came_from.agent), network_of(came_from.address))
    accounts = database.collection(ACCOUNTS)
    if accounts.find_one({"_id": account_id, "familiar.id": place}, {"_id": 1}) is not None:
        return
    remember = {"$push": {"familiar": {"$each": [{"id": place, "at": now()}], "$slice": -MOST}}}
    known_before = accounts.update_one(
        {"_id": account_id, "familiar.0": {"$exists": True}, "familiar.id": {"$ne": place}}, remember
    )
    if known_before.matched_count == 1:
        notices.send(kind="new_device", account_ids=[account_id])
        return
    accounts.update_one({"_id": account_id, "familiar.0": {"$exists": False}}, remember)


def _place(family: str, network: str) -> str:
    return hashlib.sha256(f"{family}\0{network}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
