"""Chains for the tests of the audit, and what the verification says of them."""

from typing import Any

from bson import ObjectId

from accounts import audit
from accounts.audit.verification import Break, verify
from orgportal import database


def a_chain(length: int, org_id: ObjectId | None = None) -> ObjectId:
    """An organization's chain with so many entries."""
    chain = org_id or ObjectId()
    for number in range(length):
        with audit.act(
            action="organization.changed",
            org_ids=[chain],
            actor=audit.account(ObjectId(), "ada@example.org", "session"),
            target=f"organization:{chain}",
            details={"number": number, "names": ["name", "metadata"]},
        ):
            pass
    return chain


def stored(org_id: ObjectId | None) -> list[dict[str, Any]]:
    """The entries of a chain as the database has them, in order."""
    return sorted(database.collection("audit").find({"org_id": org_id}), key=lambda row: int(row["seq"]))


def broken() -> dict[str, Break]:
    """What is broken, by chain."""
    return {report.chain: report.broken for report in verify() if report.broken}
