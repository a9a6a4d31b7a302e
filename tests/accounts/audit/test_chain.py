"""A chain: entries in order, one head, no gap, and nothing happens that is not written."""

from typing import Any

import pytest
from bson import ObjectId

from accounts import audit
from accounts.audit import chain, entries, tallies
from orgportal import database
from orgportal.errors import PortalError, forbidden
from tests.accounts.audit.chains import a_chain, broken, stored


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


def test_a_head_that_lags_behind_a_dead_writer_is_moved_on() -> None:
    org_id = ObjectId()
    with audit.act(action="organization.changed", org_ids=[org_id], actor=audit.SYSTEM):
        pass
    head = chain.head_of(org_id)
    assert head is not None
    draft = entries.Draft("organization.changed", "done", audit.SYSTEM)
    database.collection("audit").insert_one(entries.placed(draft, org_id, 2, head["hash"]))

    with audit.act(action="organization.changed", org_ids=[org_id], actor=audit.SYSTEM):
        pass

    assert [row["seq"] for row in stored(org_id)] == [1, 2, 3]
    assert broken() == {}


@pytest.mark.parametrize("details", [{"a": 1.5}, {"A": 1}, {"$set": 1}, {"a.b": 1}, {"a": b"x"}, {"a": "x" * 5000}])
def test_details_that_would_not_read_back_are_refused(details: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"details|detail|kept"):
        entries.Draft("organization.changed", "done", audit.SYSTEM, details=details)


def test_an_action_that_is_not_declared_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not declared"):
        entries.Draft("made.up", "done", audit.SYSTEM)


def test_texts_that_no_encoding_holds_are_written_all_the_same() -> None:
    org_id = ObjectId()
    actor = audit.anonymous("\ud800\x00" + "x" * 500)
    audit.happened(action="login.failed", org_ids=[org_id], actor=actor, details={"text": "\udfff"}, result="failed")
    (entry,) = stored(org_id)
    assert len(entry["actor"]["name"]) == 300
    assert broken() == {}


def test_what_cannot_be_written_does_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    # A unique index on what all entries share refuses the second.
    database.collection("audit").create_index("result", unique=True, name="unwritable")
    monkeypatch.setattr("django.conf.settings.DATABASE_DEADLINE", 0.3)
    try:
        audit.happened(action="organization.changed", org_ids=[], actor=audit.SYSTEM)
        happened = False
        with (
            pytest.raises(PortalError) as refused,
            audit.act(action="organization.changed", org_ids=[ObjectId()], actor=audit.SYSTEM),
        ):
            happened = True
    finally:
        database.collection("audit").drop_index("unwritable")
    assert not happened
    assert (refused.value.status, refused.value.code) == (503, "audit_unavailable")


def test_a_process_that_lacks_the_key_in_use_refuses_rather_than_calls_the_chain_forged(settings: Any) -> None:
    org_id = a_chain(2)
    old, settings.AUDIT_KEY = settings.AUDIT_KEY, "n" * 64
    with (
        pytest.raises(PortalError) as refused,
        audit.act(action="organization.changed", org_ids=[org_id], actor=audit.SYSTEM),
    ):
        pass
    assert refused.value.code == "audit_unavailable"
    settings.AUDIT_KEY = old
    a_chain(1, org_id)
    assert [row["action"] for row in stored(org_id)] == ["organization.changed"] * 3
    assert broken() == {}


def test_the_chain_of_a_deleted_organization_goes_and_the_portal_keeps_that_it_was() -> None:
    org_id = a_chain(3)
    last = stored(org_id)[-1]["hash"]

    audit.forget(org_id)
    audit.forget(org_id)

    assert stored(org_id) == []
    ended = [row for row in stored(None) if row["action"] == "audit.ended"]
    assert [row["details"] for row in ended] == [{"entries": 3, "last_hash": last}]
    assert broken() == {}


def test_refusals_of_strangers_stay_few_however_many_addresses_they_invent() -> None:
    for number in range(300):
        audit.note(action="login.failed", org_ids=[], actor=audit.anonymous(f"{number}@flood.example"))

    assert tallies.settle(until=entries.instant() + 2 * tallies.WINDOW) <= 2  # the minute may have turned

    assert sum(row["details"]["times"] for row in stored(None)) == 300


def test_a_tally_is_written_once_though_its_worker_died_behind_the_entry() -> None:
    org_id = ObjectId()
    audit.note(action="login.failed", org_ids=[org_id], actor=audit.anonymous("a@b.example"))
    (tally,) = database.collection("audit_tallies").find({})
    later = entries.instant() + 2 * tallies.WINDOW
    tallies.settle(until=later)
    long_ago = entries.instant() - tallies.WINDOW
    database.collection("audit_tallies").insert_one({**tally, "leased_until": long_ago})

    assert tallies.settle(until=later) == 1

    assert len(stored(org_id)) == 1
    assert database.collection("audit_tallies").find_one({}) is None


def test_a_forgotten_organization_takes_its_part_of_a_tally_with_it() -> None:
    gone, stays = ObjectId(), ObjectId()
    audit.note(action="login.failed", org_ids=[gone, stays], actor=audit.anonymous("a@b.example"))
    audit.forget(gone)
    tallies.settle(until=entries.instant() + 2 * tallies.WINDOW)
    assert (len(stored(gone)), len(stored(stays))) == (0, 1)
