"""Upserts by a field that no index begins with: the collection is read through once, and only up to a size."""

from typing import Any

import pytest

from orgportal import database
from tenants.imports import batches, matching, writing
from tests.scripts import problem_of
from tests.tenants.imports.files import Shop, a_shop, ndjson

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(batches, "LINES", 10)
    return a_shop()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whether the records were read through, each time."""
    reads: list[str] = []
    original = matching._places

    def reading(*arguments: Any) -> dict[int, list[str]]:
        reads.append("all")
        return original(*arguments)

    monkeypatch.setattr(matching, "_places", reading)
    return reads


def test_all_batches_share_one_reading_of_the_records(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.result(ndjson({"code": f"c{number}", "n": 0} for number in range(40)))
    reads = counted(monkeypatch)
    result = shop.result(
        ndjson({"code": f"c{number % 60}", "n": number} for number in range(90)), mode="upsert", key="code"
    )
    assert (result["inserted"], result["updated"], result["failed"]) == (20, 70, 0)
    assert sorted(row["n"] for row in shop.data()) == list(range(30, 90))
    assert reads == ["all"]


def test_with_an_index_nothing_is_read_through(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    database.collection("org_acme").create_index("data.code")
    monkeypatch.setattr(matching, "MOST_WITHOUT_INDEX", 5)
    reads = counted(monkeypatch)
    file = ndjson({"code": number % 20} for number in range(30))
    assert shop.result(file, mode="upsert", key="code")["inserted"] == 20
    assert reads == []


def test_other_keys_of_the_same_hash_are_other_keys(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.result('{"code": -1, "n": 1}')
    # hash(-1) == hash(-2) in Python.
    result = shop.result('{"code": -2, "n": 2}', mode="upsert", key="code")
    assert (result["inserted"], result["updated"]) == (1, 0)


@pytest.mark.parametrize("dry_run", ["0", "1"])
def test_beyond_a_size_the_file_is_refused_with_the_index_that_it_takes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, dry_run: str
) -> None:
    monkeypatch.setattr(matching, "MOST_WITHOUT_INDEX", 5)
    shop.result('{"code": 1}\n{"code": 2}\n{"code": 3}')
    file = '{"code": 3}\n{"code": 4}\n{"code": 5}'
    asked = {"mode": "upsert", "key": "code", "once": "k", "dry_run": dry_run}
    answer = shop.send(file, **asked)
    assert problem_of(answer) == (422, "key_needs_index")
    assert b"add an index on code" in answer.content
    assert len(shop.rows()) == 3
    # The same key of the same file, once the advice was followed.
    database.collection("org_acme").create_index("data.code")
    result = shop.result(file, **asked)
    assert (result["inserted"], result["updated"]) == (2, 1)


def test_a_file_that_was_begun_is_not_refused_for_what_came_since(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ndjson({"code": number} for number in range(30))
    asked = {"mode": "upsert", "key": "code", "once": "k"}
    with monkeypatch.context() as broken:
        broken.setattr(writing, "checked_record", _dies)
        with pytest.raises(KeyboardInterrupt):
            shop.send(file, **asked)
    monkeypatch.setattr(matching, "MOST_WITHOUT_INDEX", 5)
    assert shop.result(file, **asked)["inserted"] == 30


def _dies(*_: object) -> None:
    raise KeyboardInterrupt
