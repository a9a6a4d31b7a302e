"""Paging over records of any types equals one full sort, also while records come and go between the pages."""

import itertools
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orgportal import database
from orgportal.errors import PortalError
from tenants import manager
from tenants.access import Access
from tenants.documents import now
from tenants.records import listing, marks, windows
from tenants.records.listing import count_records, list_records
from tests.effort import effort
from tests.tenants.records.reference import sort_key
from tests.tenants.records.strategies import DOCUMENTS, PATHS
from tests.wire.people import access_of, sign_up

EMAIL = "owner@paging.example"
SORTS = st.lists(st.tuples(PATHS, st.booleans()), min_size=1, max_size=3, unique_by=lambda key: key[0])


@pytest.fixture(scope="module")
def signed_up(database_indexes: None) -> Access:
    sign_up("Paging", email=EMAIL)
    return access_of(EMAIL)


@pytest.fixture
def paging(signed_up: Access) -> Access:
    access = replace(signed_up, read_at=time.monotonic())
    manager.bind(access).delete_many({})
    database.collection(marks.COLLECTION).delete_many({})
    return access


def store(access: Access, documents: list[dict[str, Any]], *, spread: int = 3, marked: bool = True) -> list[str]:
    """Store them, so many at each moment; their ids in the default order."""
    start = now() - timedelta(days=3)
    rows: list[dict[str, Any]] = []
    for number, data in enumerate(documents):
        moment = start + timedelta(milliseconds=number // spread * 700)
        row = {"_id": f"{number:05}", "data": data, "rev": 1, "created_by": "x"}
        rows.append({**row, "created_at": moment, "updated_at": moment})
    if marked:
        marks.note(access, [row["created_at"] for row in rows])
    if rows:
        manager.bind(access).insert_many(rows)
    return [row["_id"] for row in rows]


def all_pages(access: Access, limit: int, **asked: Any) -> list[str]:
    seen, cursor = [], None
    for _ in range(2000):
        page = list_records(access=access, limit=limit, cursor=cursor, **asked)
        assert len(page.records) <= limit
        assert page.next_cursor is None or len(page.records) == limit
        seen += [record.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return seen
    raise AssertionError("the pages do not end")


def fully_sorted(documents: list[dict[str, Any]], sort: list[tuple[str, bool]]) -> list[str]:
    ordered = [(f"{number:05}", data) for number, data in enumerate(documents)]
    for path, descending in reversed(sort):
        ordered.sort(key=lambda item: sort_key(item[1], path, descending=descending), reverse=False)
        if descending:
            groups = itertools.groupby(ordered, key=lambda item: sort_key(item[1], path, descending=True))
            ordered = [item for group in reversed([list(same) for _, same in groups]) for item in group]
    return [id_ for id_, _ in ordered]


def text_of(sort: list[tuple[str, bool]]) -> str:
    return ",".join(f"{'-' if descending else ''}{path}" for path, descending in sort)


def run_sorted(paging: Access, count: int) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(documents=st.lists(DOCUMENTS, max_size=25), sort=SORTS, limit=st.integers(1, 9))
    def run(documents: list[dict[str, Any]], sort: list[tuple[str, bool]], limit: int) -> None:
        manager.bind(paging).delete_many({})
        store(paging, documents)
        assert all_pages(paging, limit, sort=text_of(sort)) == fully_sorted(documents, sort)

    run()


def test_pages_sorted_by_fields_equal_one_full_sort(paging: Access) -> None:
    run_sorted(paging, effort(short=15, full=25))


@pytest.mark.long
def test_many_pages_sorted_by_fields_equal_one_full_sort(paging: Access) -> None:
    run_sorted(paging, 400)


@pytest.mark.parametrize("sort", [None, "n", "-n,m"])
def test_records_that_stay_are_seen_once_while_others_come_and_go(paging: Access, sort: str | None) -> None:
    documents = [{"n": number % 7, "m": [number % 3, "x"]} for number in range(90)]
    ids = store(paging, documents)
    records, seen, cursor = manager.bind(paging), [], None
    staying = set(ids)
    for turn in itertools.count():
        page = list_records(access=paging, limit=7, cursor=cursor, sort=sort)
        seen += [record.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            break
        # The very record that the cursor stands at, one that was seen, one that is still to come.
        gone = [page.records[-1].id, ids[turn], ids[-1 - turn]]
        records.delete_many({"_id": {"$in": gone}})
        staying -= set(gone)
        moment = now()
        new = {"_id": f"new{turn}", "data": {"n": turn % 7}, "rev": 1, "created_by": "x"}
        records.insert_one({**new, "created_at": moment - timedelta(days=turn), "updated_at": moment})
    assert len(seen) == len(set(seen))
    assert staying <= set(seen)


@pytest.mark.parametrize("spread", [1, 50, 1000])
@pytest.mark.parametrize("marked", [True, False])
def test_the_default_order_is_by_age_however_the_records_lie_in_time(
    paging: Access, spread: int, marked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "STEP", 10)
    ids = store(paging, [{"n": number, "g": number % 4} for number in range(230)], spread=spread, marked=marked)
    assert bool(marks.after(paging, None)) is marked
    assert all_pages(paging, 40) == ids
    for filter_ in ({"g": 1}, {"$or": [{"g": 1}, {"g": 5}]}, {"$not": {"g": {"$ne": 1}}}):
        assert all_pages(paging, 9, filter=filter_) == ids[1::4]
        assert count_records(access=paging, filter=filter_) == len(ids[1::4])
    assert count_records(access=paging) == 230
    newest = windows.DefaultOrder(paging, {}, None).newest(25)
    assert [row["_id"] for row in newest] == ids[:-26:-1]


def test_a_database_that_stops_at_the_limit_gives_the_same_pages(
    paging: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = store(paging, [{"n": number % 5} for number in range(60)], spread=8)
    monkeypatch.setattr(marks, "are_needed", lambda access: False)
    assert all_pages(paging, 7) == ids
    assert all_pages(paging, 7, filter={"$or": [{"n": 1}, {"n": 9}]}) == ids[1::5]
    assert all_pages(paging, 7, sort="n") == [id_ for start in range(5) for id_ in ids[start::5]]
    assert [row["_id"] for row in windows.DefaultOrder(paging, {}, None).newest(3)] == ids[:-4:-1]


@pytest.mark.parametrize("sort", [None, "n", "-n"])
@pytest.mark.parametrize("size", [1, 900, 5000])
def test_a_page_ends_early_once_it_has_enough_bytes(
    paging: Access, sort: str | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_BYTES", 3000)
    monkeypatch.setattr(listing, "SLICE", 4)
    ids = store(paging, [{"n": number, "text": "x" * size} for number in range(23)])
    page = list_records(access=paging, limit=20, sort=sort)
    assert len(page.records) == {1: 20, 900: 3, 5000: 1}[size]
    seen = [record.id for record in page.records]
    while page.next_cursor:
        page = list_records(access=paging, limit=20, sort=sort, cursor=page.next_cursor)
        assert page.records
        seen += [record.id for record in page.records]
    assert seen == (ids if sort != "-n" else ids[::-1])
    # What is not shown does not count.
    assert len(list_records(access=paging, limit=20, sort=sort, fields="n").records) > 10


def test_a_sort_takes_the_beginning_of_long_values(paging: Access) -> None:
    long = "x" * 100_000
    documents: list[dict[str, Any]] = [
        {"a": long + "b"},
        {"a": long + "a"},
        {"a": [long, {"b": long}]},
        {"a": {"b": long}},
        {"a": b"x" * 10_000},
    ]
    ids = store(paging, documents)
    page = list_records(access=paging, sort="a", limit=1)
    assert page.next_cursor is not None
    assert len(page.next_cursor) < 1000
    assert sorted(all_pages(paging, 1, sort="a")) == ids
    assert sorted(all_pages(paging, 2, sort="-a")) == ids


@pytest.mark.parametrize(
    "sort", ["$a", "a..b", ".a", "a,a", "a,-a", "a,b,c,d", "-", "a,", "x" * 2001, "a.$b", "_cls", "--a\0"]
)
def test_a_sort_that_names_no_field_is_refused(paging: Access, sort: str) -> None:
    with pytest.raises(PortalError) as refused:
        list_records(access=paging, sort=sort)
    assert [wrong.path for wrong in refused.value.errors] == ["sort"]


@pytest.mark.parametrize("fields", ["$a", "a..b", "a,", "a.$", ",".join(["a"] * 101), "x" * 8193, "_ref"])
def test_fields_that_no_record_has_are_refused(paging: Access, fields: str) -> None:
    with pytest.raises(PortalError) as refused:
        list_records(access=paging, fields=fields)
    assert [wrong.path for wrong in refused.value.errors] == ["fields"]


def test_fields_within_each_other_show_the_outer_one(paging: Access) -> None:
    store(paging, [{"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}], "g": 3}])
    shown = list_records(access=paging, fields="a.b,a,d.e").records[0]
    assert shown.data == {"a": {"b": 1, "c": 2}, "d": [{"e": 1}]}
    assert (shown.id, shown.rev) == ("00000", 1)
    assert list_records(access=paging, fields="a.b,x", sort="g").records[0].data == {"a": {"b": 1}}


@pytest.mark.parametrize("cursor", ["", "x", "a~b", "x" * 4001, "AAAA~AAAA"])
def test_a_cursor_that_was_not_given_out_is_refused(paging: Access, cursor: str) -> None:
    with pytest.raises(PortalError) as refused:
        list_records(access=paging, cursor=cursor)
    assert [wrong.path for wrong in refused.value.errors] == ["cursor"]
