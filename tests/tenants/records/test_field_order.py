"""Sorted lists by an index: the same as sorting everything, whatever the records hold and wherever the marks are."""

import math
import random
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId

from orgportal import database
from tenants import manager
from tenants.access import Access
from tenants.record_indexes import building
from tenants.record_indexes import service as indexes
from tenants.records import field_order, sort_marks
from tenants.records.bulk import delete_matching
from tenants.records.field_order import FieldOrder
from tenants.records.listing import list_records
from tenants.records.picked import delete_picked
from tenants.records.sorting import parse_sort
from tenants.records.store import create_record, delete_record, get_record, patch_record, replace_record
from tests.effort import FULL, effort
from tests.emptying import empty
from tests.tenants.records.test_paging import all_pages, store
from tests.wire.people import access_of, sign_up

EMAIL = "owner@ordered.example"
SORTS = ["f", "-f", "a.b", "-a.b", "g,f", "-g,f", "g,-f", "-g,-f"] if FULL else ["f", "-a.b", "g,-f"]

NUMBERS: list[Any] = [
    0, 1, 2, 2.5, -1, -2.5, 19.99, Decimal128("19.99"), Decimal128("19.98999999999999843680598132777960"), 0.1,
    Decimal128("0.1"), Decimal128("0.10000000000000001"), 1e100, 1e127, 1e128, 1e200, -1e200, 1e-127, 1e-128, 1e-200,
    -1e-200, 5e-324, Decimal128("1E-6000"), Decimal128("-1E+6000"), 2**53, Int64(2**53 + 1), 2.0**53, Int64(2**60),
    Int64(2**60 + 1), 2.0**60, Decimal128("1152921504606846977"), Int64(2**63 - 1), 1.5e300, math.inf, -math.inf,
    math.nan, Decimal128("NaN"), -0.0, Decimal128("0E+3"),
]  # fmt: skip
OTHERS: list[Any] = [
    None, [], "", "a", "aa", "a\0", "a\0b", "b", "B", "\u00e9", "x" * 99, "x" * 100, "x" * 101, "x" * 100 + "y",
    "\U0010ffff", "\U0010ffff" * 150, "\uffff", {}, {"b": 1}, {"b": [1, {"b": None}]}, b"", b"\xff" * 50, b"a",
    Binary(b"a", 4), ObjectId("0" * 24), ObjectId("f" * 24), ObjectId("5" * 24), True, False,
    datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, tzinfo=timezone.utc),
    datetime(2024, 5, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc),
]  # fmt: skip


@pytest.fixture
def ordered(database_indexes: None) -> Access:
    """An organization with three indexes and no records: made anew only where another test has removed it."""
    if database.collection("organizations").find_one({"slug": "ordered"}) is None:
        # Tests of other modules need not leave anything that somebody could sign up with.
        empty(database.master())
        sign_up("Ordered", email=EMAIL)
        for fields in (["f"], ["a.b"], ["g", "-f"]):
            building.advance(indexes.add_index(access=access_of(EMAIL), fields=fields, unique=False))
    access = access_of(EMAIL)
    clear(access)
    return access


def clear(access: Access) -> None:
    manager.bind(access).delete_many({})
    database.collection(sort_marks.COLLECTION).delete_many({})


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sort_marks, "STEP", 4)


@pytest.fixture
def only_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("everything was read")

    monkeypatch.setattr(FieldOrder, "_from_everything", refused)


def a_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if kind < 0.35:
        return chance.randrange(4)
    if kind < 0.55:
        return chance.choice(NUMBERS)
    if kind < 0.85 or depth == 2:
        return chance.choice(OTHERS)
    if kind < 0.95:
        return [a_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {"b": a_value(chance, depth + 1)}


def some_data(chance: random.Random) -> dict[str, Any]:
    found = {name: a_value(chance) for name in ("f", "g") if chance.random() < 0.9}
    inner = {"b": a_value(chance)} if chance.random() < 0.9 else {"c": 1}
    found["a"] = inner if chance.random() < 0.8 else chance.choice([[inner, {"b": a_value(chance)}], [1, inner], 5, []])
    if isinstance(found.get("f"), list) and isinstance(found.get("g"), list):
        # An index over two lists is none.
        del found["g"]
    return found


def in_order(access: Access, sort: str) -> list[str]:
    """All ids, by sorting all records."""
    keys = parse_sort(sort)
    rows = manager.bind(access).find({}, limit=10_000)
    place = lambda row: (*(key.key(key.value(row)) for key in keys), row["_id"])  # noqa: E731
    return [row["_id"] for row in sorted(rows, key=place)]


@pytest.mark.parametrize("seed", range(effort(short=1, full=40)))
def test_it_is_the_order_of_all_that_is_there(
    ordered: Access, short_steps: None, only_by_index: None, seed: int
) -> None:
    chance = random.Random(seed)
    store(ordered, [some_data(chance) for _ in range(effort(short=50, full=120))])
    for sort in SORTS:
        expected = in_order(ordered, sort)
        for limit in (13, 100):
            assert all_pages(ordered, limit, sort=sort) == expected, (sort, limit)
    assert database.collection(sort_marks.COLLECTION).count_documents({}) == 3, "and marks were left on the way"
    # Other records, and the marks of those that were there.
    manager.bind(ordered).delete_many({"_id": {"$lt": "00030"}})
    for _ in range(effort(short=20, full=60)):
        create_record(access=ordered, data=some_data(chance))
    for sort in SORTS:
        assert all_pages(ordered, 19, sort=sort) == in_order(ordered, sort), sort


@pytest.mark.parametrize("sort", ["f", "-f", "g,f"])
def test_many_records_with_one_value_are_parted_by_their_ids(
    ordered: Access, short_steps: None, only_by_index: None, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    each = effort(short=40, full=100)
    store(ordered, [{"f": "same", "g": 1} for _ in range(each)] + [{"g": 1} for _ in range(each)])
    ids = in_order(ordered, sort)
    list_records(access=ordered, sort=sort, limit=1)
    read: list[int] = []
    stretch = FieldOrder._stretch

    def counted(*args: Any) -> Any:
        found = stretch(*args)
        read.append(len(found))
        return found

    monkeypatch.setattr(FieldOrder, "_stretch", counted)
    assert all_pages(ordered, 3, sort=sort) == ids
    assert max(read) <= 3 * sort_marks.STEP


def test_with_a_filter_it_is_what_the_filter_finds(ordered: Access, short_steps: None, only_by_index: None) -> None:
    store(ordered, [{"f": number % 10, "g": number, "n": number % 3} for number in range(effort(short=30, full=60))])
    for sort in ("f", "-g,f"):
        list_records(access=ordered, sort=sort, limit=1)
        expected = [id_ for id_ in in_order(ordered, sort) if int(id_) % 3 == 1]
        assert all_pages(ordered, 4, sort=sort, filter={"n": 1}) == expected
        assert all_pages(ordered, 4, sort=sort, filter={"$or": [{"n": 1}, {"n": 7}]}) == expected


def test_a_filter_that_finds_little_is_not_looked_for_mark_by_mark(
    ordered: Access, short_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(ordered, [{"f": number, "n": int(number == 399)} for number in range(400)])
    list_records(access=ordered, sort="f", limit=1)
    read = []

    def nothing(*_: Any) -> list[Any]:
        read.append(1)
        return []

    monkeypatch.setattr(FieldOrder, "_stretch", nothing)
    assert [record.id for record in list_records(access=ordered, sort="f", filter={"n": 1}).records] == ["00399"]
    assert 1 < len(read) <= field_order.PATIENCE


def test_a_stretch_that_has_become_too_long_is_sorted_as_a_whole_and_parted(
    ordered: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_order, "LONGEST_STRETCH", 50)
    monkeypatch.setattr(sort_marks, "STEP", 8)
    ids = store(ordered, [{"f": number} for number in range(200)])
    best = FieldOrder._from_everything
    whole = []

    def counted(*args: Any, **asked: Any) -> Any:
        whole.append(1)
        return best(*args, **asked)

    monkeypatch.setattr(FieldOrder, "_from_everything", counted)
    assert all_pages(ordered, 40, sort="f") == ids
    assert whole == [1], "the first page left the marks for the others"
    assert all_pages(ordered, 40, sort="-f") == ids[::-1]
    assert whole == [1]


def test_marks_come_with_the_records_too(ordered: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sort_marks, "STEP", 1)
    for number in range(5):
        create_record(access=ordered, data={"f": number, "g": "x" * 200})
    found = {tuple(row["paths"]): row["at"] for row in database.collection(sort_marks.COLLECTION).find()}
    assert set(found) == {("f",), ("a.b",)}, "where the values are such that a range can begin there"
    assert [mark["values"] for mark in found["f",]] == [[number] for number in range(5)]


def test_marks_are_bounded_and_go_with_the_index_and_with_the_organization(
    ordered: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sort_marks, "MOST", 20)
    monkeypatch.setattr(sort_marks, "STEP", 4)
    marks = database.collection(sort_marks.COLLECTION)
    count = effort(short=240, full=800)
    store(ordered, [{"extra": number} for number in range(count)])
    added = indexes.add_index(access=ordered, fields=["extra"], unique=False)
    building.run_due()
    row = marks.find_one({"paths": ["extra"]})
    assert row is not None
    assert 5 <= len(row["at"]) <= 20
    values = sorted(mark["values"][0] for mark in row["at"])
    assert values[0] < count * 3 / 8, "spread over all of them"
    assert values[-1] > count * 5 / 8
    monkeypatch.setattr(sort_marks, "STEP", 1)
    for number in range(30):
        create_record(access=ordered, data={"extra": number})
    row = marks.find_one({"paths": ["extra"]})
    assert row is not None
    assert len(row["at"]) == 20
    assert indexes.remove_index(access=access_of(EMAIL), id=str(added.id))
    assert marks.find_one({"paths": ["extra"]}) is None


def marked_ids() -> set[str]:
    return {mark["id"] for row in database.collection(sort_marks.COLLECTION).find() for mark in row["at"]}


CHANGES: dict[str, Callable[[Access, str], object]] = {
    "deleted": lambda access, id: delete_record(access=access, id=id),
    "deleted as it was read": lambda access, id: delete_record(
        access=access, id=id, expected=[get_record(access=access, id=id).version]
    ),
    "deleted with others": lambda access, id: delete_picked(access=access, ids=[id], expected_count=1),
    "deleted by a filter": lambda access, id: delete_matching(access=access, filter={"f": id}, expected_count=1),
    "replaced": lambda access, id: replace_record(access=access, id=id, data={"f": "other"}),
    "patched": lambda access, id: patch_record(access=access, id=id, patch={"f": "other"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_mark_outlives_what_it_is_made_of(ordered: Access, short_steps: None, change: str) -> None:
    store(ordered, [{"f": f"{number:05}"} for number in range(40)])
    list_records(access=ordered, sort="f", limit=1)
    (marked, *_), others = sorted(marked_ids()), len(marked_ids())
    assert others > 5
    CHANGES[change](ordered, marked)
    assert marked not in marked_ids()
    assert len(marked_ids()) == others - 1


def test_a_record_that_goes_while_marks_are_made_leaves_none(
    ordered: Access, short_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = store(ordered, [{"f": number} for number in range(40)])
    keep = sort_marks._keep

    def overtaken(*made: Any) -> None:
        for id_ in ids[:20]:
            delete_record(access=ordered, id=id_)
        keep(*made)

    monkeypatch.setattr(sort_marks, "_keep", overtaken)
    list_records(access=ordered, sort="f", limit=1)
    assert marked_ids()
    assert not marked_ids() & set(ids[:20])


def test_what_other_programs_wrote_is_not_left_out(ordered: Access) -> None:
    store(ordered, [{"alien": number} for number in range(3)])
    collection = database.collection(ordered.organization.placement.collection)
    collection.update_one({"_id": "00001"}, {"$currentDate": {"data.alien": {"$type": "timestamp"}}})
    added = indexes.add_index(access=ordered, fields=["alien"], unique=False)
    building.run_due()
    try:
        assert all_pages(ordered, 2, sort="alien") == ["00000", "00002", "00001"]
    finally:
        indexes.remove_index(access=access_of(EMAIL), id=str(added.id))


def test_an_order_goes_by_indexes_that_were_built_for_it_only(
    ordered: Access, short_steps: None, only_by_index: None
) -> None:
    store(ordered, [{"f": 1, "g": 2}])
    for sort in ("x", "g", "f,g", "g,f,x", "a", "f.0"):
        with pytest.raises(AssertionError, match="everything was read"):
            list_records(access=ordered, sort=sort)
    list_records(access=ordered, sort="f")
    with pytest.raises(AssertionError, match="everything was read"):
        list_records(access=ordered, sort="f", filter={"g": 2})
    database.collection("record_indexes").update_many({"org_id": ordered.organization.id}, {"$set": {"sorts": False}})
    try:
        with pytest.raises(AssertionError, match="everything was read"):
            list_records(access=ordered, sort="f")
    finally:
        database.collection("record_indexes").update_many(
            {"org_id": ordered.organization.id}, {"$set": {"sorts": True}}
        )
