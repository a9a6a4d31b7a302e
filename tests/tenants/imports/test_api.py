"""What a script author is promised about imports."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from accounts.roles import Role
from orgportal import database
from tenants import service as tenants
from tenants.imports import journal
from tests.scripts import body_of, member, problem_of, sign_up, wrong_paths
from tests.tenants.imports.files import Shop, a_shop, ndjson
from tests.wire.people import access_of

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def shop() -> Shop:
    return a_shop()


def test_lines_become_records(shop: Shop) -> None:
    result = shop.result(ndjson([{"name": "Ada", "born": {"$date": "1815-12-10T00:00:00Z"}}, {"_id": "bob", "n": 1}]))
    assert (result["state"], result["received"], result["inserted"], result["failed"]) == ("finished", 2, 2, 0)
    ada, bob = sorted(shop.rows(), key=lambda row: len(str(row["_id"])), reverse=True)
    assert ada["data"] == {"name": "Ada", "born": datetime(1815, 12, 10, tzinfo=timezone.utc)}
    assert (bob["_id"], bob["data"], bob["rev"]) == ("bob", {"n": 1}, 1)


def test_a_line_that_is_wrong_stops_no_other_and_is_reported_with_its_path(shop: Shop) -> None:
    file = b'{"a": 1}\n\n{"a": {"$x": 1}}\nnonsense\n[1]\n{"a": 1, "a": 2}\n{"_id": "..", "a": 1}\n\xff\n{"a": 2}'
    result = shop.result(file)
    assert (result["received"], result["inserted"], result["failed"]) == (8, 2, 6)
    assert [(error["line"], error["path"]) for error in result["errors"]] == [
        (3, "a.$x"),
        (4, ""),
        (5, ""),
        (6, "a"),
        (7, "_id"),
        (8, ""),
    ]


def test_of_many_errors_the_first_hundred_are_kept(shop: Shop) -> None:
    result = shop.result(b"x\n" * 150 + b'{"a": 1}')
    assert (result["failed"], result["inserted"], len(result["errors"])) == (150, 1, 100)
    assert result["errors"][-1]["line"] == 100


def test_the_same_key_and_file_give_the_first_answer_again(shop: Shop) -> None:
    first = shop.result('{"a": 1}\nx', once="monday")
    assert shop.result('{"a": 1}\nx', once="monday") == first
    assert len(shop.rows()) == 1


def test_without_a_key_every_call_is_an_import_of_its_own(shop: Shop) -> None:
    assert shop.result('{"a": 1}')["id"] != shop.result('{"a": 1}')["id"]
    assert len(shop.rows()) == 2


@pytest.mark.parametrize(("file", "parameters"), [('{"a": 2}', {}), ('{"a": 1}', {"mode": "upsert"})])
def test_the_same_key_for_something_else_is_refused(shop: Shop, file: str, parameters: dict[str, str]) -> None:
    shop.result('{"a": 1}', once="monday")
    assert problem_of(shop.send(file, once="monday", **parameters)) == (422, "idempotency_key_reused")
    assert len(shop.rows()) == 1


def test_a_key_names_an_import_of_its_own_organization(shop: Shop) -> None:
    first = shop.result('{"a": 1}', once="monday")
    other = a_shop("bcme")
    assert other.result('{"a": 1}', once="monday")["id"] != first["id"]
    assert problem_of(other.script.get(f"/api/v1/orgs/bcme/imports/{first['id']}")) == (404, "not_found")


def test_a_refused_file_leaves_its_key_free(shop: Shop) -> None:
    assert problem_of(shop.send('[{"a": 1}', format="json", once="k")) == (422, "file_refused")
    assert shop.result('[{"a": 1}]', format="json", once="k")["inserted"] == 1


def test_one_import_runs_at_a_time_and_a_dead_one_is_overtaken(shop: Shop) -> None:
    access = access_of("owner@acme.example")
    journal.claim(access, "a" * 24, None, state="receiving", total_bytes=0)
    refused = shop.send('{"a": 1}')
    assert problem_of(refused) == (409, "import_running")
    assert 1 <= int(refused["Retry-After"]) <= 15
    past = datetime.now(timezone.utc) - timedelta(seconds=1)
    database.collection("imports").update_one({"_id": "a" * 24}, {"$set": {"lease_until": past}})
    assert shop.result('{"a": 1}')["inserted"] == 1
    assert body_of(shop.script.get(f"/api/v1/orgs/acme/imports/{'a' * 24}"))["interrupted"]


def test_a_dry_run_checks_every_line_and_writes_nothing(shop: Shop) -> None:
    shop.result('{"_id": "taken", "a": 1}')
    result = shop.result('{"_id": "taken"}\n{"_id": "new"}\n{"_id": "new"}\n{"$a": 1}\n{"b": 1}', dry_run="1")
    assert (result["inserted"], result["failed"]) == (2, 3)
    assert len(shop.rows()) == 1


def test_upsert_by_id_replaces_the_data_and_keeps_the_records_age(shop: Shop) -> None:
    shop.result('{"_id": "x", "a": 1, "b": 2}')
    before = shop.rows()[0]
    organization = database.collection("organizations").find_one({"slug": shop.slug})
    assert organization is not None
    database.collection("organizations").update_one({"slug": shop.slug}, {"$set": {"has_sort_marks": True}})
    marks = database.collection("sort_marks")
    marks.insert_one({"org_id": organization["_id"], "at": [{"values": [1], "id": "x"}, {"values": [1], "id": "z"}]})
    result = shop.result('{"_id": "x", "a": 5}\n{"_id": "y", "a": 1}\n{"a": 3}', mode="upsert")
    assert [mark["id"] for row in marks.find({"org_id": organization["_id"]}) for mark in row["at"]] == ["z"]
    assert (result["inserted"], result["updated"], result["failed"]) == (1, 1, 1)
    after = next(row for row in shop.rows() if row["_id"] == "x")
    assert (after["data"], after["rev"], after["created_at"]) == ({"a": 5}, 2, before["created_at"])


def test_upsert_by_fields_tells_types_apart_as_the_database_does(shop: Shop) -> None:
    shop.result(ndjson([{"k": 1, "g": "a"}, {"k": "1", "g": "a"}, {"k": True, "g": "a"}, {"k": [1], "g": "a"}]))
    result = shop.result('{"k": 1.0, "g": "a", "n": 1}\n{"k": 1, "g": "b"}\n{"g": "a"}', mode="upsert", key="k,g")
    assert (result["inserted"], result["updated"], result["failed"]) == (1, 1, 1)
    assert {"k": 1.0, "g": "a", "n": 1} in shop.data()
    assert len(shop.rows()) == 5


def test_upsert_by_a_key_that_several_records_have_is_an_error_of_the_line(shop: Shop) -> None:
    shop.result('{"k": 1}\n{"k": 1}')
    result = shop.result('{"k": 1, "n": 2}\n{"k": 2}', mode="upsert", key="k")
    assert (result["inserted"], result["updated"], result["failed"]) == (1, 0, 1)
    assert "2 records" in result["errors"][0]["message"]


def test_lines_of_one_file_with_the_same_key_count_each(shop: Shop) -> None:
    result = shop.result('{"k": 1, "n": 1}\n{"k": 1, "n": 2}\n{"k": 1, "n": 3}', mode="upsert", key="k")
    assert (result["inserted"], result["updated"]) == (1, 2)
    assert [(row["data"], row["rev"]) for row in shop.rows()] == [({"k": 1, "n": 3}, 3)]


def test_mongoexport_files_come_in(shop: Shop) -> None:
    line = {"_id": {"$oid": "5f4e1d2c3b4a596877869504"}, "price": {"$numberDecimal": "1.50"}, "n": {"$numberLong": "5"}}
    assert shop.result(json.dumps(line), format="ejson")["inserted"] == 1
    pretty = json.dumps([{**line, "_id": number} for number in (1, 2)], indent=2)
    assert shop.result(pretty, format="ejson")["inserted"] == 2
    assert {row["_id"] for row in shop.rows()} == {"5f4e1d2c3b4a596877869504", "1", "2"}


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"format": "xml"}, "format"),
        ({"format": "csv", "mode": "merge"}, "mode"),
        ({"format": "csv", "key": "a"}, "key"),
        ({"format": "csv", "mode": "upsert", "key": "a.$b"}, "key"),
        ({"format": "csv", "mode": "upsert", "key": "_id,a"}, "key"),
        ({"format": "csv", "types": "a:colour"}, "types"),
        ({"format": "csv", "types": "a:number,a:string"}, "types"),
        ({"format": "csv", "delimiter": "x"}, "delimiter"),
        ({"format": "json", "types": "a:number"}, "types"),
        ({"format": "json", "infer": "0"}, "infer"),
        ({"format": "json", "dry_run": "yes"}, "dry_run"),
        ({"format": "json", "colour": "red"}, "colour"),
        ({"format[$ne]": "json"}, "format[$ne]"),
    ],
)
def test_parameters_that_make_no_sense_name_themselves(shop: Shop, parameters: dict[str, str], path: str) -> None:
    from urllib.parse import urlencode

    address = f"/api/v1/orgs/acme/imports?{urlencode(parameters)}"
    assert path in wrong_paths(shop.script.call("POST", address, raw=b"[]", Content_Type="text/csv"))


def test_other_content_types_are_refused(shop: Shop) -> None:
    address = "/api/v1/orgs/acme/imports?format=csv"
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"):
        refused = shop.script.call("POST", address, raw=b"a\n1", Content_Type=content_type)
        assert problem_of(refused) == (415, "unsupported_media_type")


def test_editors_import_and_viewers_do_not(shop: Shop) -> None:
    org_id = tenants.describe(access=access_of("owner@acme.example")).organization.id
    editor, viewer = member("acme", org_id, Role.EDITOR), member("acme", org_id, Role.VIEWER)
    assert Shop("acme", editor).send('{"a": 1}').status_code == 200
    assert problem_of(Shop("acme", viewer).send('{"a": 1}')) == (403, "forbidden")
    assert Shop("acme", viewer).export(format="ndjson").count(b"\n") == 1


def test_a_schema_is_held_to_line_by_line(shop: Shop) -> None:
    from tenants.rules import service as rules

    rules.set_schema(access=access_of("owner@acme.example"), schema={"properties": {"a": {"type": "integer"}}})
    result = shop.result('{"a": 1}\n{"a": "x"}')
    assert (result["inserted"], result["failed"]) == (1, 1)
    assert (result["errors"][0]["line"], result["errors"][0]["path"]) == (2, "a")


def test_imports_are_listed_newest_first_and_page_by_page(shop: Shop) -> None:
    ids = [shop.result(f'{{"a": {number}}}')["id"] for number in range(3)]
    page = body_of(shop.script.get("/api/v1/orgs/acme/imports?limit=2"))
    rest = body_of(shop.script.get(f"/api/v1/orgs/acme/imports?limit=2&cursor={page['next_cursor']}"))
    assert [one["id"] for one in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


def test_an_import_that_is_over_cannot_be_cancelled(shop: Shop) -> None:
    done = shop.result('{"a": 1}')
    answer = shop.script.post(f"/api/v1/orgs/acme/imports/{done['id']}/cancel")
    assert body_of(answer)["state"] == "finished"


def test_imports_go_with_their_organization(shop: Shop) -> None:
    shop.result('{"a": 1}')
    assert shop.script.delete("/api/v1/orgs/acme").status_code == 204
    assert database.collection("imports").count_documents({}) == 0
    sign_up("other")
