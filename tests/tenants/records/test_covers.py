"""The ranges that find a stretch of an order: where they begin."""

from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId

from tenants.records.covers import cover
from tenants.records.sorting import parse_sort

DAY = datetime(2024, 5, 1, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        ("SE", {"$gte": "SE\0"}),
        ("", {"$gte": "\0"}),
        (False, {"$gte": True}),
        (DAY, {"$gte": DAY.replace(microsecond=1000)}),
        (ObjectId("0" * 23 + "f"), {"$gte": ObjectId("0" * 22 + "10")}),
        # Behind these nothing more of their kind comes, or nobody can say what is next.
        (True, {"$gt": True}),
        (LAST, {"$gt": LAST}),
        (ObjectId("f" * 24), {"$gt": ObjectId("f" * 24)}),
        (2.5, {"$gt": 2.5}),
    ],
)
def test_what_lies_behind_many_records_with_one_value_is_found_without_them(value: Any, begins: dict[str, Any]) -> None:
    ranges = cover(parse_sort("f"), (value, "x"), None, embedded=True)
    tie, *behind = ranges
    assert tie == {"data.f": value, "_id": {"$gte": "x", "$lte": "\x7f"}}
    assert behind[0]["data.f"].items() >= begins.items()
    assert not any("$gte" in condition and condition["$gte"] == value for condition in _conditions(behind))


def _conditions(ranges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["data.f"] for each in ranges if isinstance(each.get("data.f"), dict)]
