"""What the operator sees of the queue of mail."""

from datetime import timedelta

from bson import ObjectId
from django.conf import settings
from pymongo import DESCENDING

from accounts.mail.letters import Entry, entry_from
from accounts.mail.queue import FAILED, KEPT, MAIL, STATUSES, WAITING
from accounts.tokens import now
from orgportal import database


def counts() -> dict[str, int]:
    """How many entries there are in each state."""
    mail = database.collection(MAIL)
    return {status: mail.count_documents({"status": status}) for status in STATUSES}


def failed(*, limit: int) -> list[Entry]:
    """The latest letters that were given up."""
    rows = database.collection(MAIL).find({"status": FAILED}).sort("created_at", DESCENDING).limit(limit)
    return [entry_from(row) for row in rows]


def retry(which: str) -> int:
    """Queue a failed letter, or `all` of them, with all their time again; how many there were."""
    query: dict[str, object] = {"status": FAILED}
    if which != "all":
        query["_id"] = ObjectId(which) if ObjectId.is_valid(which) else which
    moment = now()
    give_up_at = moment + timedelta(seconds=settings.MAIL_GIVE_UP_SECONDS)
    again = {"status": WAITING, "due_at": moment, "give_up_at": give_up_at, "expires_at": give_up_at + KEPT}
    change = {"$set": {**again, "attempts": 0, "problem": ""}}
    return database.collection(MAIL).update_many(query, change).modified_count
