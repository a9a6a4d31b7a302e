"""What a script author is promised about exports."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError
from tenants import manager
from tenants import service as tenants
from tenants.exports import service
from tests.effort import effort
from tests.scripts import problem_of, wrong_paths
from tests.tenants.imports.files import Shop, a_shop, ndjson
from tests.wire.people import access_of

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def shop() -> Shop:
    return a_shop()


def rows_of(exported: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(exported.decode(), newline="")))


def test_records_come_as_lines_with_their_id_first(shop: Shop) -> None:
    shop.result('{"_id": "x", "b": 1, "a": {"$date": "2024-05-01T12:00:00Z"}}')
    assert shop.export(format="ndjson") == b'{"_id":"x","b":1,"a":{"$date":"2024-05-01T12:00:00Z"}}\n'
    assert json.loads(shop.export(format="ejson"))["b"] == {"$numberInt": "1"}


def test_an_empty_organization_exports_empty_files(shop: Shop) -> None:
    assert shop.export(format="ndjson") == b""
    assert shop.export(format="csv") == b"_id\r\n"


def test_the_file_has_a_name_that_says_whose_and_when(shop: Shop) -> None:
    answer = shop.script.get("/api/v1/orgs/acme/exports?format=csv")
    assert re.fullmatch(r'attachment; filename="acme-\d{4}-\d\d-\d\d\.csv"', answer["Content-Disposition"])
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"


def test_a_filter_chooses_records(shop: Shop) -> None:
    shop.result(ndjson({"n": number} for number in range(20)))
    exported = shop.export(format="ndjson", filter='{"n": {"$gte": 15}}')
    assert [json.loads(line)["n"] for line in exported.splitlines()] == [15, 16, 17, 18, 19]


def test_columns_are_all_fields_that_there_are(shop: Shop) -> None:
    shop.result(ndjson([{"_id": "1", "a": 1}, {"_id": "2", "b": {"c": [1]}, "a": None}]))
    assert rows_of(shop.export(format="csv")) == [["_id", "a", "b"], ["1", "1", ""], ["2", "null", '{"c":[1]}']]


def test_columns_can_be_chosen_by_path(shop: Shop) -> None:
    shop.result('{"_id": "1", "a": {"b": 2}, "c": 3}')
    exported = shop.export(format="csv", fields="a.b,nothing")
    assert rows_of(exported) == [["_id", "a.b", "nothing"], ["1", "2", ""]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'", "''", "'="])
def test_formulas_are_neutralised_and_come_back(shop: Shop, start: str) -> None:
    text = f'{start}cmd|" /C calc"!A0'
    shop.result(ndjson([{"_id": "-x", start + "name": text, "n": -1, "m": start}]))
    before = shop.data()
    exported = shop.export(format="csv")
    for row in rows_of(exported):
        for cell in row:
            # A number may be negative.
            assert cell == "-1" or cell[:1] not in set("=+-@\t\r"), cell
    database.collection("org_acme").delete_many({})
    shop.result(exported, format="csv")
    assert shop.data() == before
    assert shop.rows()[0]["_id"] == "-x"


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ("format=xml", "format"),
        ("format=csv&fields=a.$b", "fields"),
        ("format=ndjson&fields=a", "fields"),
        ("format=csv&filter[$ne]=1", "filter[$ne]"),
        ("format=csv&filter={", "filter"),
        ('format=csv&filter={"a":{"$where":"1"}}', "filter.a.$where"),
        ("format=csv&colour=red", "colour"),
    ],
)
def test_parameters_that_make_no_sense_name_themselves(shop: Shop, parameters: str, path: str) -> None:
    assert wrong_paths(shop.script.get(f"/api/v1/orgs/acme/exports?{parameters}")) == [path]


def test_head_answers_without_reading(shop: Shop) -> None:
    answer = shop.script.call("HEAD", "/api/v1/orgs/acme/exports?format=ndjson")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "filename" in answer["Content-Disposition"]


def chunks_of(shop: Shop, format: str = "ndjson") -> Iterator[bytes]:
    return service.export(access=access_of("owner@acme.example"), format=format).chunks


# Two batches of a stream at least.
MANY = effort(short=2000, full=5000)


def many(shop: Shop) -> None:
    collection = database.collection("org_acme")
    rows: list[Document] = [{"_id": f"{number:06}", "data": {"n": number}} for number in range(MANY)]
    # In pieces that a busy server takes within the deadline: one that comes late would stay for the next test.
    for start in range(0, len(rows), 250):
        collection.insert_many(rows[start : start + 250])


@pytest.mark.parametrize("change", ["renamed", "deleted"])
def test_an_export_breaks_off_when_the_organization_changes(shop: Shop, change: str) -> None:
    many(shop)
    chunks = chunks_of(shop)
    next(chunks)
    if change == "renamed":
        tenants.update(access=access_of("owner@acme.example"), slug="bcme")
    else:
        tenants.delete(access=access_of("owner@acme.example"), expected_rev=None)
    with pytest.raises(PortalError) as broken:
        list(chunks)
    assert broken.value.code in {"organization_busy", "not_found"}


def test_a_field_that_appears_meanwhile_breaks_a_csv_export_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.result('{"a": 1}')
    chunks = chunks_of(shop, "csv")
    assert next(chunks) + next(chunks) == b"_id,a\r\n"
    shop.result('{"b": 1}')
    with pytest.raises(PortalError) as broken:
        list(chunks)
    assert broken.value.code == "columns_changed"


def test_a_stream_gives_every_document_once_in_batches(shop: Shop) -> None:
    many(shop)
    records = manager.bind(access_of("owner@acme.example"))
    sizes = [len(batch) for batch in records.stream({}, batch_size=1000)]
    assert sizes == [1000] * (MANY // 1000)
    found: list[Any] = [row["_id"] for batch in records.stream({"data.n": {"$lt": 1500}}) for row in batch]
    assert sorted(found) == [f"{number:06}" for number in range(1500)]


def test_another_organizations_export_is_not_found(shop: Shop) -> None:
    a_shop("bcme")
    assert problem_of(shop.script.get("/api/v1/orgs/bcme/exports?format=ndjson")) == (404, "not_found")
