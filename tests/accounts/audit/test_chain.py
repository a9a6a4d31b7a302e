"""A chain: entries in order, one head, no gap, and nothing happens that is not written."""

from typing import Any

import pytest
from bson import ObjectId

from accounts import audit
from accounts.audit import chain, entries, tallies
from orgportal import database
from orgportal.errors import PortalError, forbidden


def stored(org_id: ObjectId | None) -> list[dict[str, Any]]:
    return sorted(database.collection("audit").find({"org_id": org_id}), key=lambda row: int(row["seq"]))


def test_an_act_is_written_before_it_happens_with_all_that_is_known_of_it() -> None:
    org_id = ObjectId()
    with audit.act(
        action="organization.changed", org_ids=[org_id], actor=audit.OPERATOR, target="x", details={"names": ["a"]}
    ):
        assert [row["action"] for row in stored(org_id)] == ["organization.changed"]

    (entry,) = stored(org_id)
    assert (entry["seq"], entry["result"], entry["actor"]["kind"]) == (1, "done", "operator")
    assert entry["hash"] == entries.hash_of(entry)
    head = chain.head_of(org_id)
    assert head is not None
    assert (head["seq"], head["hash"]) == (1, entry["hash"])
    assert chain.head_fits(head)


def test_a_failure_follows_its_act() -> None:
    org_id = ObjectId()
    with pytest.raises(PortalError), audit.act(action="password.changed", org_ids=[org_id], actor=audit.SYSTEM):
        raise forbidden()

    done, failed = stored(org_id)
    assert (done["result"], failed["result"]) == ("done", "failed")
    assert failed["details"] == {"entry": done["id"], "code": "forbidden"}
    assert failed["previous"] == done["hash"]


def test_equal_refusals_are_counted_and_written_once() -> None:
    org_id = ObjectId()
    for _ in range(5):
        audit.note(action="login.failed", org_ids=[org_id], actor=audit.anonymous("a@b.example"))
    assert stored(org_id) == []

    tallies.settle(until=entries.instant() + 2 * tallies.WINDOW)

    (entry,) = stored(org_id)
    assert (entry["result"], entry["details"]["times"]) == ("refused", 5)
    assert database.collection("audit_tallies").find_one({}) is None
