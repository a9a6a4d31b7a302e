"""Indexes that an organization adds: built by the worker, kept through crashes and renames, refused with the reason."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, refusals, service, upkeep
from tenants.access import Access
from tenants.documents import now
from tenants.lifecycle import doctor, reconcile
from tenants.record_indexes import building, documents
from tenants.record_indexes import service as indexes
from tenants.records import listing, store
from tests.tenants.rules.people import acme, again, fill, work

pytestmark = pytest.mark.usefixtures("clean_database")


def refusal(act: Callable[[], object]) -> PortalError:
    with pytest.raises(PortalError) as refused:
        act()
    return refused.value


def add(*fields: str, unique: bool = False) -> documents.RecordIndex:
    return indexes.add_index(access=again(), fields=fields, unique=unique)


def stored(collection: str = "org_acme") -> dict[str, Any]:
    """The collection's indexes that were added, by their keys, without what stands beside them."""
    found = database.master()[collection].list_indexes()
    added = [index for index in found if index["name"].startswith(documents.PREFIX)]
    return {
        str(dict(index["key"])): index for index in added if "_" not in index["name"].removeprefix(documents.PREFIX)
    }


def beside(collection: str = "org_acme") -> int:
    """How many stand beside those."""
    found = database.master()[collection].list_indexes()
    return sum(re.fullmatch(r"added_[^_]+_.+", index["name"]) is not None for index in found)


def backwards() -> int:
    """How a descending field is stored: on the embedded database as an ascending one."""
    return 1 if database.copies_on_rename(database.MASTER) else -1


def states() -> list[tuple[str, str]]:
    return [
        (documents.keys_of(there.index.fields), there.index.state) for there in indexes.list_indexes(access=again())
    ]


def test_an_index_is_building_until_the_worker_has_built_it() -> None:
    acme({"country": "SE", "people": 5})
    added = add("country", "-people")
    assert (added.state, stored()) == ("building", {})
    assert work() == 1
    assert states() == [("country,-people", "ready")]
    assert list(stored()) == [f"{{'data.country': 1, 'data.people': {backwards()}}}"]
    # By the id as well, and of the records that hold an object in one of the fields.
    assert beside() == (3 if backwards() == 1 else 0)
    assert work() == 0
    assert list(doctor.examine()) == []


def test_a_filter_finds_the_same_with_a_descending_index_as_without() -> None:
    texts = ["", "a", "ab", "abc", "b"]
    acme(*({"name": text} for text in texts))
    filters: list[Any] = [{"name": {"$gte": "a", "$lte": "abc"}}, {"name": {"$lt": "b"}}, {"name": {"$gte": "a"}}]

    def found() -> list[list[str]]:
        pages = [listing.list_records(access=again(), filter=filter_, sort="name") for filter_ in filters]
        return [[record.data["name"] for record in page.records] for page in pages]

    before = found()
    assert before == [["a", "ab", "abc"], ["", "a", "ab", "abc"], ["a", "ab", "abc", "b"]]
    add("-name")
    work()
    assert found() == before


@pytest.mark.parametrize("fields", [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"], ["-a", "-b", "-c"]])
@pytest.mark.parametrize("unique", [False, True])
def test_a_filter_finds_the_ends_of_a_range_within_an_index(fields: list[str], unique: bool) -> None:
    rows = [{"a": 1, "b": b, "c": c, "d": 0} for b in range(3) for c in range(3)]
    acme(*rows)
    filters: list[Any] = [
        {"a": 1, "b": {"$lte": 1}}, {"a": 1, "b": {"$gte": 1}}, {"a": 1, "b": {"$lt": 1}}, {"a": 1, "b": {"$gt": 1}},
        {"a": 1, "b": 1, "c": {"$lte": 1}}, {"a": 1, "b": 1, "c": {"$gt": 0, "$lte": 2}}, {"a": {"$lte": 1}},
        {"a": 1, "b": {"$in": [0, 2]}}, {"a": 1, "c": {"$lte": 1}}, {"b": {"$lte": 1}},
        {"a": 1, "b": {"$gte": 0, "$lte": 1}},
    ]  # fmt: skip

    def found() -> list[list[str]]:
        pages = [listing.list_records(access=again(), filter=filter_) for filter_ in filters]
        return [sorted(f"{record.data['b']}{record.data['c']}" for record in page.records) for page in pages]

    before = found()
    assert before[:2] == [["00", "01", "02", "10", "11", "12"], ["10", "11", "12", "20", "21", "22"]]
    added = add(*fields, unique=unique and len(fields) > 2)
    work()
    assert states() == [(documents.keys_of(added.fields), "ready")]
    assert found() == before


def test_what_the_server_tells_is_listed_and_the_portals_own_index_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme({"country": "SE"})
    added = add("country")
    work()
    (there,) = indexes.list_indexes(access=again())
    assert there.facts is not None
    assert there.facts.name == added.name
    facts = upkeep.IndexFacts(added.name, 4096, 12, now())
    monkeypatch.setattr(upkeep, "index_facts", lambda placement: {added.name: facts})
    assert [found.facts for found in indexes.list_indexes(access=again())] == [facts]
    assert indexes.get_index(access=again(), id=str(added.id)).index.id == added.id
    assert refusal(lambda: indexes.get_index(access=access, id="0" * 24)).status == 404


def test_uniqueness_is_held_in_the_store_and_names_the_fields() -> None:
    acme({"email": "a@x.org", "city": "Oslo"}, {"email": "b@x.org", "city": "Oslo"})
    add("email", unique=True)
    add("city", "name", unique=True)
    assert work() == 2
    assert states() == [("email", "ready"), ("city,name", "failed")]
    refused = refusal(lambda: store.create_record(access=again(), data={"email": "a@x.org"}))
    assert (refused.status, refused.code) == (409, "not_unique")
    assert [error.path for error in refused.errors] == ["data.email"]
    assert "“email”" in refused.message
    made = store.create_record(access=again(), data={"email": "c@x.org"})
    again_refused = refusal(lambda: store.patch_record(access=again(), id=made.id, patch={"email": "b@x.org"}))
    assert again_refused.code == "not_unique"
    assert refusal(lambda: store.create_record(access=again(), data={}, id="r1")).code == "record_exists"


def test_a_bulk_write_tells_of_each_line_why() -> None:
    acme({"email": "a@x.org"})
    add("email", unique=True)
    work()
    rows = [{"_id": f"x{number}", "data": {"email": email}} for number, email in enumerate(("b@x.org", "a@x.org"))]
    with pytest.raises(BulkWriteError) as failed:
        manager.bind(again()).insert_many(rows)
    (error,) = failed.value.details["writeErrors"]
    refused = refusals.refusal_of(error)
    assert error["index"] == 1
    assert refused is not None
    assert [(part.path, part.message) for part in refused.errors] == [("data.email", "Another record has this value.")]


@pytest.mark.parametrize(
    ("records", "fields", "reason"),
    [
        ([{"email": "a"}, {"email": "a"}], ["email"], "More than one record has email = “a”"),
        ([{"n": 7, "c": "x"}, {"n": 7, "c": "x"}], ["n", "-c"], "More than one record has n = 7 and c = “x”"),
        ([{"a": 1}, {"a": 2}], ["email"], "email = null (a record without the field counts as null)"),
        ([{"t": "z" * 300}, {"t": "z" * 300}], ["t"], "“" + "z" * 59 + "…"),
    ],
)
def test_values_that_are_there_twice_are_named(records: list[Any], fields: list[str], reason: str) -> None:
    acme(*records)
    add(*fields, unique=True)
    work()
    (there,) = indexes.list_indexes(access=again())
    assert (there.index.state, reason in there.index.reason) == ("failed", True), there.index.reason
    assert stored() == {}


def test_one_that_failed_can_be_tried_again() -> None:
    acme({"email": "a"}, {"email": "a"})
    first = add("email", unique=True)
    work()
    store.delete_record(access=again(), id="r1")
    assert add("email", unique=True).id == first.id
    work()
    assert states() == [("email", "ready")]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ([], "fields"),
        (["a", "b", "c", "d", "e"], "fields"),
        (["a", "a"], "fields.1"),
        (["a", "-a"], "fields.1"),
        ([""], "fields.0"),
        (["-"], "fields.0"),
        (["$where"], "fields.0"),
        (["a..b"], "fields.0"),
        (["a.$b"], "fields.0"),
        (["a\0b"], "fields.0"),
        (["x" * 300], "fields.0"),
        ([".".join("a" * 40)], "fields.0"),
    ],
)
def test_what_is_no_list_of_paths_is_refused_at_once(fields: list[str], path: str) -> None:
    acme()
    refused = refusal(lambda: add(*fields))
    assert (refused.status, [error.path for error in refused.errors]) == (422, [path])
    assert states() == []


def test_no_more_than_so_many_and_none_twice(settings: Any) -> None:
    settings.INDEXES_PER_ORGANIZATION = 2
    acme()
    first = add("a")
    assert refusal(lambda: add("a")).code == "index_exists"
    add("-a")
    refused = refusal(lambda: add("b"))
    assert (refused.status, refused.code) == (409, "too_many_indexes")
    work()
    assert indexes.remove_index(access=again(), id=str(first.id))
    add("b")


def test_many_at_once_do_not_pass_the_limit(settings: Any) -> None:
    settings.INDEXES_PER_ORGANIZATION = 3
    access, codes = acme(), []

    def one(name: str) -> None:
        try:
            indexes.add_index(access=access, fields=[name], unique=False)
            codes.append("added")
        except PortalError as refused:
            codes.append(refused.code)

    threads = [threading.Thread(target=one, args=(f"f{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count("added") == 3
    assert len(states()) == 3


def test_removing_takes_the_index_away_and_leaves_the_portals_own() -> None:
    access = acme({"a": 1})
    added = add("a")
    work()
    assert indexes.remove_index(access=again(), id=str(added.id)) is True
    assert (states(), stored(), beside()) == ([], {}, 0)
    assert manager.ownership(access.organization.placement, access.organization.id) is manager.Ownership.OWN
    for unknown in (str(added.id), "nonsense", "0" * 24):
        assert refusal(lambda id=unknown: indexes.remove_index(access=again(), id=id)).status == 404  # type: ignore[misc]


def test_another_organizations_index_is_not_to_be_had() -> None:
    from tests.wire.people import access_of, sign_up

    acme({"a": 1})
    added = add("a")
    sign_up("Bcme")
    other = access_of("owner@bcme.example")
    assert refusal(lambda: indexes.remove_index(access=other, id=str(added.id))).status == 404
    assert indexes.list_indexes(access=other) == []


def test_indexes_survive_a_rename() -> None:
    acme({"email": "a"})
    add("email", unique=True)
    add("-name")
    work()
    service.update(access=again(), slug="bcme")
    assert set(stored("org_bcme")) == {"{'data.email': 1}", f"{{'data.name': {backwards()}, '_id': 1}}"}
    assert stored("org_bcme")["{'data.email': 1}"]["unique"]
    assert refusal(lambda: store.create_record(access=again(), data={"email": "a"})).code == "not_unique"
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def test_a_rename_in_the_middle_of_building_builds_it_where_the_data_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"a": 1})
    add("a")
    build = upkeep.build_index

    def renaming(*args: Any) -> None:
        monkeypatch.undo()
        service.update(access=again(), slug="bcme")
        build(*args)

    monkeypatch.setattr(upkeep, "build_index", renaming)
    assert work() == 0
    assert states() == [("a", "building")]
    assert work() == 1
    assert list(stored("org_bcme")) == ["{'data.a': 1, '_id': 1}"]


class Killed(BaseException):
    """Ends the process where it stands, as kill -9 does: nothing catches it, nothing is tidied up."""


@pytest.mark.parametrize("step", ["build_index", "drop_index"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_killed_before_and_after_what_it_does_the_next_worker_finishes(
    step: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme({"a": 1})
    added = add("a")
    if step == "drop_index":
        work()
    really = getattr(upkeep, step)

    def killed(*args: Any) -> None:
        if done:
            really(*args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(upkeep, step, killed)
        with pytest.raises(Killed):
            work() if step == "build_index" else indexes.remove_index(access=again(), id=str(added.id))
    assert work(later=False) == 0, "its lease is not over"
    work()
    assert states() == ([("a", "ready")] if step == "build_index" else [])
    assert len(stored()) == (step == "build_index")
    assert work() == 0


def test_one_that_is_removed_while_it_is_built_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"a": 1})
    added = add("a")
    build = upkeep.build_index

    def overtaken(*args: Any) -> None:
        monkeypatch.undo()
        assert indexes.remove_index(access=again(), id=str(added.id))
        build(*args)

    monkeypatch.setattr(upkeep, "build_index", overtaken)
    assert work() == 0
    assert (states(), stored()) == ([], {})


def test_building_never_makes_a_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme()
    add("a")
    database.master().drop_collection("org_acme")
    assert work() == 0
    assert manager.ownership(access.organization.placement, access.organization.id) is manager.Ownership.ABSENT


def test_a_deleted_organization_leaves_no_index() -> None:
    access: Access = acme({"a": 1})
    add("a")
    service.delete(access=again())
    work()
    assert documents.all_of(access.organization.id) == []
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def test_the_lease_is_moved_on_while_it_takes_long(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LEASE_SECONDS = 0.3
    acme({"a": 1})
    added = add("a")
    build = upkeep.build_index
    leases: set[Any] = set()

    def slow(*args: Any) -> None:
        while len(leases) < 3:
            leases.add(documents.all_of(added.org_id)[0].due_at)
        build(*args)

    monkeypatch.setattr(upkeep, "build_index", slow)
    assert work() == 1
    assert states() == [("a", "ready")]


def test_lists_in_two_fields_of_one_index_are_told_as_what_they_are() -> None:
    parallel = {"code": 171, "errmsg": "cannot index parallel arrays"}
    told = refusals.refusal_of(parallel)
    assert told is not None
    assert (told.status, told.errors[0].path) == (422, "data")
    assert refusals.refusal_of({"code": 11000, "keyPattern": {"_id": 1}}) is None
    assert refusals.refusal_of({"code": 11000}) is None
    assert refusals.refusal_of({"code": 50}) is None
    from pymongo.errors import OperationFailure

    assert "lists" in building.reason_of(OperationFailure("x", 171))
    assert "code 67" in building.reason_of(OperationFailure("x", 67))
    assert "more than once" in building.reason_of(OperationFailure("x", 11000))


def test_records_that_come_while_it_is_built_are_in_it() -> None:
    acme({"a": 1})
    add("a", unique=True)
    fill([])
    work()
    assert refusal(lambda: store.create_record(access=again(), data={"a": 1})).code == "not_unique"
