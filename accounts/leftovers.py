"""Finds what should have gone with an account or organization; reads only, in batches."""

from collections.abc import Callable, Iterator
from itertools import islice

from accounts.audit.entries import HEADS
from accounts.documents import ACCOUNTS, API_KEYS, SESSIONS
from accounts.invitations.documents import INVITATIONS
from accounts.links import LINKS
from accounts.mail.queue import MAIL
from orgportal import database
from orgportal.database import Document

BATCH = 500


def leftovers(*, organization_exists: Callable[[list[object]], set[object]]) -> Iterator[tuple[str, str]]:
    """Pairs of what is left over and why it should not be.

    `organization_exists` tells which of the given organization ids exist.
    """
    for batch in _batches(ACCOUNTS, {"memberships": 1}):
        present = organization_exists([one["org_id"] for row in batch for one in row["memberships"]])
        for row in batch:
            if not row["memberships"]:
                yield f"account {row['_id']}", "belongs to no organization"
            for one in row["memberships"]:
                if one["org_id"] not in present:
                    yield f"account {row['_id']}", f"belongs to {one['org_id']}, which does not exist"
    for batch in _batches(SESSIONS, {"account_id": 1, "org_id": 1}):
        present = organization_exists([row["org_id"] for row in batch if row["org_id"] is not None])
        ids = {"$in": [row["account_id"] for row in batch]}
        accounts = {row["_id"] for row in database.collection(ACCOUNTS).find({"_id": ids}, {"_id": 1})}
        for row in batch:
            # The session's id stays unsaid: with a signing key it would be half of a token.
            if row["org_id"] is not None and row["org_id"] not in present:
                yield f"a session of account {row['account_id']}", f"is for {row['org_id']}, which does not exist"
            if row["account_id"] not in accounts:
                yield f"a session of account {row['account_id']}", "its account does not exist"
    yield from _leftover_keys(organization_exists)
    yield from _leftovers_of_invitations(organization_exists)


def _leftover_keys(organization_exists: Callable[[list[object]], set[object]]) -> Iterator[tuple[str, str]]:
    for batch in _batches(API_KEYS, {"key_id": 1, "account_id": 1, "org_id": 1}):
        present = organization_exists([row["org_id"] for row in batch])
        ids = {"$in": [row["account_id"] for row in batch]}
        accounts = {row["_id"] for row in database.collection(ACCOUNTS).find({"_id": ids}, {"_id": 1})}
        for row in batch:
            if row["org_id"] not in present:
                yield f"API key {row['key_id']}", f"is for {row['org_id']}, which does not exist"
            if row["account_id"] not in accounts:
                yield f"API key {row['key_id']}", "its maker's account does not exist"


def _leftovers_of_invitations(organization_exists: Callable[[list[object]], set[object]]) -> Iterator[tuple[str, str]]:
    for collection, thing in ((INVITATIONS, "invitation"), (LINKS, "a link"), (MAIL, "mail"), (HEADS, "audit")):
        for batch in _batches(collection, {"org_id": 1}):
            present = organization_exists([row["org_id"] for row in batch if row["org_id"] is not None])
            for row in batch:
                # The id of a link stays unsaid, as that of a session.
                subject = thing if collection == LINKS else f"{thing} {row['_id']}"
                if row["org_id"] is not None and row["org_id"] not in present:
                    yield subject, f"is for {row['org_id']}, which does not exist"


def _batches(collection: str, projection: Document) -> Iterator[list[Document]]:
    cursor = database.collection(collection).find({}, projection, batch_size=BATCH)
    while batch := list(islice(cursor, BATCH)):
        yield batch
