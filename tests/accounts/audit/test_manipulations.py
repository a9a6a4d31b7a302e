"""Whoever can write to the database cannot change the audit unnoticed: more than fifty ways, each found."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bson import Int64, ObjectId

from accounts import audit
from accounts.audit import entries, keys
from orgportal import database
from tests.accounts.audit.chains import a_chain, broken, stored
from tests.remembered import recall

LENGTH = 8
Manipulation = Callable[[ObjectId], Any]


def _set(place: int, **fields: Any) -> Manipulation:
    def change(chain: ObjectId) -> None:
        database.collection("audit").update_one({"_id": f"{chain}:{place}"}, {"$set": fields})

    return change


def _later(seq: int) -> Manipulation:
    def change(chain: ObjectId) -> None:
        at = stored(chain)[seq - 1]["at"]
        _set(seq, at=at + timedelta(milliseconds=1))(chain)

    return change


def _unset(seq: int, name: str) -> Manipulation:
    return lambda chain: database.collection("audit").update_one({"_id": f"{chain}:{seq}"}, {"$unset": {name: ""}})


def _remove(*places: int) -> Manipulation:
    return lambda chain: database.collection("audit").delete_many({"_id": {"$in": [f"{chain}:{n}" for n in places]}})


def _head(**fields: Any) -> Manipulation:
    return lambda chain: database.collection("audit_heads").update_one({"_id": str(chain)}, {"$set": fields})


def _no_head(chain: ObjectId) -> None:
    database.collection("audit_heads").delete_one({"_id": str(chain)})


def _all_of(*steps: Manipulation) -> Manipulation:
    def change(chain: ObjectId) -> None:
        for step in steps:
            step(chain)

    return change


def _put(chain: ObjectId, rows: list[dict[str, Any]]) -> None:
    """The rows in the place of the chain, numbered and hashed anew as anybody can; seals need the key."""
    database.collection("audit").delete_many({"org_id": chain})
    previous = rows[0]["previous"]
    for seq, row in enumerate(rows, start=1):
        row |= {"_id": f"{chain}:{seq}", "seq": seq, "previous": previous}
        row["hash"] = previous = entries.hash_of(row)
        database.collection("audit").insert_one(row)
    _head(seq=len(rows), hash=previous)(chain)


def _rehashed(change: Callable[[list[dict[str, Any]]], Any]) -> Manipulation:
    def put(chain: ObjectId) -> None:
        rows = stored(chain)
        change(rows)
        _put(chain, rows)

    return put


def _resealed_with_own_key(chain: ObjectId) -> None:
    own = "an attacker's own key, long enough and random enough too"
    rows = stored(chain)
    rows[2]["action"] = "login.succeeded"
    for row in rows:
        row["key"] = keys.key_id(own)
    _put(chain, rows)
    for row in stored(chain):
        mac = keys._code(keys.derived(own), f"entry:{row['hash']}")
        _set(row["seq"], mac=mac)(chain)


def _swapped(one: int, other: int) -> Manipulation:
    def change(chain: ObjectId) -> None:
        rows = {row["seq"]: row for row in stored(chain)}
        _remove(one, other)(chain)
        for row, seq in ((rows[one], other), (rows[other], one)):
            database.collection("audit").insert_one({**row, "_id": f"{chain}:{seq}", "seq": seq})

    return change


def _copied(place: int, *, to: int, **fields: Any) -> Manipulation:
    def change(chain: ObjectId) -> None:
        row = stored(chain)[place - 1]
        _remove(to)(chain)
        database.collection("audit").insert_one({**row, "_id": f"{chain}:{to}", "seq": to, **fields})

    return change


def _from_another_chain(chain: ObjectId) -> None:
    other = a_chain(3)
    row = stored(other)[1]
    _remove(2)(chain)
    database.collection("audit").insert_one({**row, "_id": f"{chain}:2", "org_id": chain})


def _whole_other_chain(chain: ObjectId) -> None:
    other = a_chain(3)
    database.collection("audit").delete_many({"org_id": chain})
    for row in stored(other):
        database.collection("audit").insert_one({**row, "_id": f"{chain}:{row['seq']}", "org_id": chain})
    head = database.collection("audit_heads").find_one({"_id": str(other)})
    assert head is not None
    database.collection("audit_heads").replace_one({"_id": str(chain)}, {**head, "_id": str(chain), "org_id": chain})


def _everything_of_it(chain: ObjectId) -> None:
    database.collection("audit").delete_many({"org_id": chain})
    _no_head(chain)


def _acts_go_on(chain: ObjectId) -> None:
    a_chain(1, chain)


def _portal(manipulation: str, **fields: Any) -> Manipulation:
    def change(chain: ObjectId) -> None:
        last = stored(None)[-1]
        if manipulation == "remove":
            database.collection("audit").delete_one({"_id": last["_id"]})
        else:
            database.collection("audit").update_one({"_id": last["_id"]}, {"$set": fields})

    return change


def _portal_gone(chain: ObjectId) -> None:
    database.collection("audit").delete_many({"org_id": None})
    database.collection("audit_heads").delete_one({"_id": "portal"})


MANIPULATIONS: dict[str, Manipulation] = {
    "the action": _set(3, action="login.succeeded"),
    "the result": _set(3, result="failed"),
    "the target": _set(3, target="organization:another"),
    "the actor's name": _set(3, **{"actor.name": "eve@example.org"}),
    "the actor's id": _set(3, **{"actor.id": str(ObjectId())}),
    "the actor's kind": _set(3, **{"actor.kind": "operator"}),
    "how the actor came in": _set(3, **{"actor.method": "token"}),
    "an addition to the actor": _set(3, **{"actor.more": "x"}),
    "the address": _set(3, address="203.0.113.9"),
    "the agent": _set(3, agent="another"),
    "the request's id": _set(3, request_id="another"),
    "the time, by a millisecond": _later(3),
    "the time, to a text": _set(3, at="2026-01-01T00:00:00.000+00:00"),
    "a detail": _set(3, **{"details.number": 99}),
    "a detail's type": _set(3, **{"details.number": 2.0}),
    "a detail's type to truth": _set(2, **{"details.number": True}),
    "another detail": _set(3, **{"details.more": "x"}),
    "no details": _set(3, details={}),
    "an item of a list": _set(3, **{"details.names.0": "slug"}),
    "the entry's id": _set(3, id="0" * 32),
    "the place": _set(3, seq=Int64(30)),
    "the place, to a text": _set(3, seq="3"),
    "the place, to a fraction": _set(3, seq=3.0),
    "the organization": _set(3, org_id=ObjectId()),
    "to the portal": _set(3, org_id=None),
    "the previous hash": _set(3, previous="f" * 64),
    "the hash": _set(3, hash="f" * 64),
    "the hash, to a number": _set(3, hash=1),
    "the seal": _set(3, mac="f" * 64),
    "the seal, to nothing": _set(3, mac=None),
    "the seal, to letters of another script": _set(3, mac="é" * 64),
    "the key": _set(3, key="f" * 16),
    "an addition to the entry": _set(3, note="harmless"),
    "no address": _unset(3, "address"),
    "no seal": _unset(3, "mac"),
    "no time": _unset(3, "at"),
    "no previous hash": _unset(3, "previous"),
    "the first removed": _remove(1),
    "one removed": _remove(4),
    "two removed": _remove(4, 5),
    "the last removed": _remove(LENGTH),
    "the tail removed": _remove(6, 7, 8),
    "every entry removed": _remove(*range(1, LENGTH + 1)),
    "the tail removed, and the head set back": _all_of(_remove(7, 8), _head(seq=6)),
    "the tail removed, and the head with its hash set back": _rehashed(lambda rows: rows.__delitem__(slice(6, 8))),
    "the tail removed, and the head": _all_of(_remove(7, 8), _no_head),
    "the tail and the head removed, and acts go on": _all_of(_remove(7, 8), _no_head, _acts_go_on),
    "the tail removed, the head set back, and acts go on": _all_of(
        _rehashed(lambda rows: rows.__delitem__(slice(6, 8))), _acts_go_on
    ),
    "everything removed": _everything_of_it,
    "everything removed, and acts go on": _all_of(_everything_of_it, _acts_go_on),
    "two swapped": _swapped(3, 4),
    "the ends swapped": _swapped(1, LENGTH),
    "one in another's place": _copied(2, to=5),
    "one repeated at the end": _copied(LENGTH, to=LENGTH + 1),
    "one far beyond the end": _copied(LENGTH, to=10_000),
    "one beside the chain": _copied(3, to=LENGTH + 5, _id="beside"),
    "one inserted, and all behind it numbered and hashed anew": _rehashed(lambda rows: rows.insert(3, dict(rows[3]))),
    "one removed, and all behind it numbered and hashed anew": _rehashed(lambda rows: rows.__delitem__(3)),
    "one edited, and all behind it hashed anew": _rehashed(lambda rows: rows[3].update(target="x")),
    "the last edited and hashed anew": _rehashed(lambda rows: rows[-1].update(target="x")),
    "all hashed anew and sealed with another key": _resealed_with_own_key,
    "one of another organization": _from_another_chain,
    "another organization's whole chain": _whole_other_chain,
    "the head removed": _no_head,
    "the head removed, and acts go on": _all_of(_no_head, _acts_go_on),
    "the head's count": _head(seq=LENGTH - 1),
    "the head's count, upwards": _head(seq=LENGTH + 1),
    "the head's hash": _head(hash="f" * 64),
    "the head's seal": _head(mac="f" * 64),
    "the head's origin": _head(origin="f" * 64),
    "the head's organization": _head(org_id=ObjectId()),
    "the head's key": _head(key="f" * 16),
    "the portal's last entry removed": _portal("remove"),
    "the portal's last entry edited": _portal("set", target="organization:none"),
    "the portal's chain removed": _portal_gone,
    "the portal's chain removed, and acts go on": _all_of(_portal_gone, lambda chain: _acts_go_on(ObjectId())),
}


def test_there_are_more_than_fifty() -> None:
    assert len(MANIPULATIONS) > 50


def test_a_chain_that_nobody_touched_is_whole() -> None:
    a_chain(LENGTH)
    assert broken() == {}


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_each_manipulation_is_found(name: str) -> None:
    chain = recall(("a chain", LENGTH), lambda: a_chain(LENGTH))
    MANIPULATIONS[name](chain)

    found = broken()

    place = "portal" if "portal's" in name and "acts go on" not in name and "chain" not in name else str(chain)
    assert place in found, found


def test_a_chain_put_back_to_an_earlier_state_is_found_by_a_witness() -> None:
    from accounts.audit.verification import verify

    chain = a_chain(LENGTH)
    then = stored(chain)
    head = database.collection("audit_heads").find_one({"_id": str(chain)})
    a_chain(3, chain)
    seen = [(str(chain), row["seq"], row["hash"]) for row in stored(chain)]
    database.collection("audit").delete_many({"org_id": chain})
    database.collection("audit").insert_many(then)
    assert head is not None
    database.collection("audit_heads").replace_one({"_id": str(chain)}, head)
    assert broken() == {}  # from inside it is true

    found = {report.chain: report.broken for report in verify(witnesses=seen)}[str(chain)]

    assert found is not None
    assert (found.seq, found.problem) == (LENGTH + 1, "is missing, and a witness saw it")


def test_another_key_keeps_the_old_entries_checkable(settings: Any) -> None:
    chain = a_chain(3)
    old, settings.AUDIT_KEY = settings.AUDIT_KEY, "n" * 64
    assert "which is not in AUDIT_KEY" in broken()[str(chain)].problem

    settings.AUDIT_KEY_FALLBACKS = [old]
    a_chain(2, chain)

    assert broken() == {}
    assert len({row["key"] for row in stored(chain)}) == 2


def test_the_log_bears_witness(caplog: pytest.LogCaptureFixture) -> None:
    chain = audit.PORTAL
    with audit.act(action="organization.deleted", org_ids=[chain], actor=audit.SYSTEM):
        pass
    (entry,) = stored(None)
    assert entry["hash"] in caplog.text
