"""The filter language against a reference in Python, over the real database; and whatever is not of the language."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from orgportal.errors import PortalError
from tenants import manager
from tenants.bound import TenantCollection
from tenants.records.documents import new_row
from tenants.records.filters import MAX_TEXT, parse_filter, query_of
from tenants.records.values import to_canonical
from tests.effort import effort
from tests.tenants.records.reference import matches
from tests.tenants.records.strategies import DOCUMENTS, FEW, FIELDS, MIXED, PATHS
from tests.wire.people import access_of, sign_up

Filter = dict[str, Any]

ORDERED = FEW.filter(lambda value: value is not None and not isinstance(value, bool))
OPERATORS: st.SearchStrategy[Filter] = st.one_of(
    st.builds(lambda name, value: {name: value}, st.sampled_from(["$eq", "$ne"]), MIXED),
    st.builds(lambda name, value: {name: value}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ORDERED),
    st.builds(lambda name, some: {name: some}, st.sampled_from(["$in", "$nin"]), st.lists(MIXED, max_size=3)),
    st.booleans().map(lambda there: {"$exists": there}),
    st.sampled_from(["a", "ab", "\u00e9", ".", "^a", "a|b"]).map(lambda text: {"$prefix": text}),
)
TESTS = st.one_of(
    FEW,
    OPERATORS,
    OPERATORS.map(lambda test: {"$not": test}),
    st.builds(lambda one, other: {**one, **other}, OPERATORS, OPERATORS),
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    st.dictionaries(PATHS, TESTS, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3)
        ),
        inner.map(lambda part: {"$not": part}),
        st.builds(lambda one, other: {**one, **other}, inner, inner),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def records(database_indexes: None) -> TenantCollection:
    email = "owner@filters.example"
    sign_up("Filters", email=email)
    return manager.bind(access_of(email))


def as_sent(filter_: Any) -> Any:
    """The filter as the JSON that a caller writes."""
    if isinstance(filter_, dict):
        return {name: as_sent(inner) for name, inner in filter_.items()}
    if isinstance(filter_, list):
        return [as_sent(inner) for inner in filter_]
    return filter_ if isinstance(filter_, bool | str) else to_canonical(filter_)


def check(records: TenantCollection, documents: list[dict[str, Any]], filter_: Filter) -> None:
    expected = {str(number) for number, data in enumerate(documents) if matches(data, filter_)}
    found = {row["_id"] for row in records.find(query_of(as_sent(filter_)), limit=1000)}
    wrong = {number: documents[int(number)] for number in expected ^ found}
    assert not wrong, f"{query_of(as_sent(filter_))}: {wrong}"


def store(records: TenantCollection, documents: list[dict[str, Any]]) -> None:
    records.delete_many({})
    rows = [new_row(id=str(number), data=data, created_by="x") for number, data in enumerate(documents)]
    records.insert_many(rows)


def compared(count: int) -> Callable[[TenantCollection], None]:
    @settings(
        max_examples=count // 5,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(documents=st.lists(DOCUMENTS, min_size=12, max_size=20), filters=st.lists(FILTERS, min_size=5, max_size=5))
    def run(records: TenantCollection, documents: list[dict[str, Any]], filters: list[Filter]) -> None:
        store(records, documents)
        for filter_ in filters:
            check(records, documents, filter_)

    return run


def test_a_filter_finds_what_the_reference_finds(records: TenantCollection) -> None:
    compared(effort(short=75, full=150))(records=records)  # type: ignore[call-arg]


@pytest.mark.long
def test_two_thousand_filters_find_what_the_reference_finds(records: TenantCollection) -> None:
    compared(2000)(records=records)  # type: ignore[call-arg]


VALUES: list[Any] = [
    None,
    True,
    False,
    1,
    1.0,
    math.inf,
    "a",
    "ab",
    [],
    [1],
    ["a", "b"],
    {},
    {"b": 1},
    [{"b": 1}],
    [{"b": []}],
]


def test_every_operator_in_every_position(records: TenantCollection) -> None:
    documents = [{}, *({"a": value} for value in VALUES)]
    store(records, documents)
    tests: list[Any] = [{name: value} for name in ("$eq", "$ne") for value in VALUES]
    tests += [{name: value} for name in ("$gt", "$gte", "$lt", "$lte") for value in (1, 1.5, "a", math.inf)]
    tests += [{name: VALUES[start::3]} for name in ("$in", "$nin") for start in range(3)]
    tests += [{"$exists": True}, {"$exists": False}, {"$prefix": "a"}]
    for test in tests:
        for path in ("a", "a.b", "a.0"):
            for filter_ in (
                {path: test},
                {path: {"$not": test}},
                {"$or": [{path: test}, {"b": 1}]},
                {"$not": {path: test}},
            ):
                check(records, documents, filter_)


def test_a_place_in_an_array_is_one_step_and_the_array_that_is_there_is_not_looked_into(
    records: TenantCollection,
) -> None:
    documents = [{"b": value} for value in ([[1], [-1], []], [[1], -1], [5, []], [{"1": -1}, [7]], [[], [[-1]]])]
    store(records, documents)
    tests: list[Any] = [{"$lte": 0}, {"$not": {"$lte": 0}}, {"$gte": -5}, {"$in": [-1]}, {"$ne": -1}, -1, [-1], []]
    for test in tests:
        check(records, documents, {"b.1": test})
    assert {row["_id"] for row in records.find(query_of({"b.1": -1}), limit=10)} == {"1", "3"}
    assert {row["_id"] for row in records.find(query_of({"b.1": [-1]}), limit=10)} == {"0"}


REFUSED: list[Any] = [
    {"a": {"$regex": "x"}},
    {"a": {"$options": "i"}},
    {"$where": "1"},
    {"$expr": {"$eq": [1, 1]}},
    {"$nor": [{"a": 1}]},
    {"a": {"$elemMatch": {"b": 1}}},
    {"a": {"$type": "string"}},
    {"a": {"$size": 1}},
    {"a": {"$all": [1]}},
    {"a": {"$mod": [2, 0]}},
    {"a": {"b": {"$ne": 1}}},
    {"a": {"$eq": {"$ne": 1}}},
    {"a": {"$in": [{"$ne": 1}]}},
    {"a": {"$in": [{"$regex": "x"}]}},
    {"a": {"$in": 1}},
    {"a": {"$in": [1] * 501}},
    {"a": {"$nin": {"x": 1}}},
    {"a": {"$exists": 1}},
    {"a": {"$exists": "true"}},
    {"a": {"$gt": None}},
    {"a": {"$gt": True}},
    {"a": {"$gt": []}},
    {"a": {"$gt": {"b": 1}}},
    {"a": {"$gt": {"$gt": 1}}},
    {"a": {"$not": 1}},
    {"a": {"$not": {}}},
    {"a": {"$not": {"b": 1}}},
    {"a": {"$not": [1]}},
    {"a": {"$prefix": ""}},
    {"a": {"$prefix": 1}},
    {"a": {"$prefix": "x" * 257}},
    {"a": {"$prefix": "\0"}},
    {"a": {"$prefix": {"$ne": 1}}},
    {"a": {"$gt": 1, "b": 1}},
    {"a": {"$date": "x"}},
    {"$and": []},
    {"$and": {}},
    {"$or": [1]},
    {"$or": [[]]},
    {"$not": []},
    {"": 1},
    {"a.": 1},
    {".a": 1},
    {"a..b": 1},
    {"$a": 1},
    {"a.$b": 1},
    {"a.$": 1},
    {"a\0": 1},
    {"_cls": 1},
    {"a._ref": 1},
    {"x" * 129: 1},
    {".".join(["a"] * 33): 1},
    {"$and": [{f"f{number}": 1} for number in range(101)]},
    {f"f{number}": number for number in range(101)},
    [],
    1,
    "x",
    None,
]


@pytest.mark.parametrize("filter_", REFUSED, ids=lambda filter_: str(filter_)[:40])
def test_what_is_not_of_the_language_is_refused_with_its_path(filter_: Any) -> None:
    with pytest.raises(PortalError) as refused:
        query_of(filter_)
    assert refused.value.status == 422
    assert all(wrong.path.startswith("filter") for wrong in refused.value.errors)


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> Any:
        return {"$or": [nested(levels - 1), {"a": 1}]} if levels else {"a": 1}

    query_of(nested(7))
    with pytest.raises(PortalError):
        query_of(nested(8))
    deep: Any = {"$gt": 1}
    for _ in range(8):
        deep = {"$not": deep}
    with pytest.raises(PortalError):
        query_of({"a": deep})


@pytest.mark.parametrize(
    "text", ["{", "[]x", "{'a':1}", '{"a":1,"a":2}', '{"a":NaN}', "\ufeff{}", '{"a":"\ud800"}', "x" * (MAX_TEXT + 1)]
)
def test_a_filter_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(PortalError) as refused:
        query_of(parse_filter(text))
    assert refused.value.status == 422
    assert all(wrong.path.startswith("filter") for wrong in refused.value.errors)


def test_a_prefix_is_never_a_pattern() -> None:
    for text in ("^(a+)+$", ".*", "a|b", "[a]", "\\d", "(?i)x", "a\nb", " #"):
        query = query_of({"a": {"$prefix": text}})
        assert query["data.a"]["$regex"].startswith("^")
        assert set(query["data.a"]) == {"$regex"}


@given(field=FIELDS, value=MIXED)
@settings(max_examples=50, deadline=None)
def test_a_value_is_never_more_than_a_value(field: str, value: Any) -> None:
    query = query_of({field: {"$eq": to_canonical(value)}})
    assert list(query) == [f"data.{field}"]
    assert list(query[f"data.{field}"]) == ["$eq"]
