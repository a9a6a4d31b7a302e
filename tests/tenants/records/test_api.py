"""The record calls of the JSON API, as script authors use them."""

import json
from typing import Any

import pytest

from orgportal import database
from tests.scripts import Script, body_of, log_in, problem_of, sign_up, wrong_paths

pytestmark = pytest.mark.usefixtures("clean_database")

RECORDS = "/api/v1/orgs/acme/records"


@pytest.fixture
def alice() -> Script:
    sign_up("Acme")
    return log_in("owner@acme.example")


def created(script: Script, data: Any, **more: Any) -> dict[str, Any]:
    response = script.post(RECORDS, {"data": data, **more})
    assert response.status_code == 201, response.content
    record: dict[str, Any] = body_of(response)
    return record


def test_a_record_is_created_and_read(alice: Script) -> None:
    response = alice.post(RECORDS, {"data": {"name": "Ada", "n": 1}})
    assert response.status_code == 201
    record = body_of(response)
    assert set(record) == {"id", "data", "rev", "created_at", "updated_at", "created_by"}
    assert record["data"] == {"name": "Ada", "n": 1}
    assert record["rev"] == 1
    assert record["created_by"] == body_of(alice.get("/api/v1/auth/me"))["account"]["id"]
    assert response["Location"] == f"{RECORDS}/{record['id']}"
    read = alice.get(response["Location"])
    assert body_of(read) == record
    assert read["ETag"] == response["ETag"]


def test_put_patch_delete(alice: Script) -> None:
    record = created(alice, {"a": 1, "b": {"c": 1, "d": 2}})
    path = f"{RECORDS}/{record['id']}"
    replaced = body_of(alice.call("PUT", path, {"data": {"a": 2, "b": {"c": 1, "d": 2}}}))
    assert (replaced["rev"], replaced["data"]["a"]) == (2, 2)
    patched = body_of(alice.patch(path, {"data": {"a": None, "b": {"d": None, "e": [None]}}}))
    assert patched["data"] == {"b": {"c": 1, "e": [None]}}
    assert patched["created_by"] == record["created_by"]
    assert patched["created_at"] == record["created_at"]
    merge = alice.patch(path, {"data": {"x": 1}}, Content_Type="application/merge-patch+json")
    assert body_of(merge)["data"]["x"] == 1
    assert alice.delete(path).status_code == 204
    for method, body in (("GET", None), ("PUT", {"data": {}}), ("PATCH", {"data": {}}), ("DELETE", None)):
        assert problem_of(alice.call(method, path, body)) == (404, "not_found")


def test_of_two_editors_one_is_told(alice: Script) -> None:
    path = f"{RECORDS}/{created(alice, {'n': 1})['id']}"
    tag = alice.get(path)["ETag"]
    first = alice.call("PUT", path, {"data": {"n": 2}}, If_Match=tag)
    assert first.status_code == 200
    assert first["ETag"] != tag
    for method, body in (("PUT", {"data": {"n": 3}}), ("PATCH", {"data": {"n": 3}}), ("DELETE", None)):
        assert problem_of(alice.call(method, path, body, If_Match=tag)) == (412, "stale")
        assert problem_of(alice.call(method, path, body, If_Match=f"W/{first['ETag']}")) == (412, "stale")
        assert problem_of(alice.call(method, path, body, If_Match="nonsense")) == (400, "bad_header")
    assert body_of(alice.get(path))["data"] == {"n": 2}
    assert alice.patch(path, {"data": {"n": 4}}, If_Match=f'"other", {first["ETag"]}').status_code == 200
    assert alice.patch(path, {"data": {"n": 5}}, If_Match="*").status_code == 200
    assert alice.delete(path, If_Match=alice.get(path)["ETag"]).status_code == 204


def test_a_record_made_again_is_not_the_one_that_was_read(alice: Script) -> None:
    path = f"{RECORDS}/{created(alice, {'n': 1}, id='one')['id']}"
    tag = alice.get(path)["ETag"]
    alice.delete(path)
    created(alice, {"n": 2}, id="one")
    assert problem_of(alice.call("PUT", path, {"data": {}}, If_Match=tag)) == (412, "stale")


def test_a_known_record_is_not_sent_again(alice: Script) -> None:
    path = f"{RECORDS}/{created(alice, {'n': 1})['id']}"
    tag = alice.get(path)["ETag"]
    assert alice.get(path, If_None_Match=tag).status_code == 304
    alice.patch(path, {"data": {"n": 2}})
    assert alice.get(path, If_None_Match=tag).status_code == 200


def test_ids_may_be_chosen_once(alice: Script) -> None:
    assert created(alice, {}, id="A-z_0.9~:@")["id"] == "A-z_0.9~:@"
    assert body_of(alice.get(f"{RECORDS}/A-z_0.9~:@"))["id"] == "A-z_0.9~:@"
    assert problem_of(alice.post(RECORDS, {"data": {}, "id": "A-z_0.9~:@"})) == (409, "record_exists")
    for wrong in (
        "",
        "a b",
        "a/b",
        "ä",
        "..",
        ".",
        "x" * 129,
        "a\n",
        "\u0000",
        "count",
        "delete-matching",
        "$x",
        None,
        1,
        {"$ne": 1},
    ):
        assert wrong_paths(alice.post(RECORDS, {"data": {}, "id": wrong})) == ["id"], wrong


def test_an_idempotency_key_never_makes_a_second_record(alice: Script) -> None:
    for body in ({"data": {"n": 1}}, {"data": {"n": 1}, "id": "chosen"}):
        key = f"key-{'id' in body}"
        first = alice.post(RECORDS, body, Idempotency_Key=key)
        assert first.status_code == 201
        # As a crash leaves it that comes before the answer is stored.
        assert database.collection("idempotency_keys").delete_many({}).deleted_count
        again = alice.post(RECORDS, body, Idempotency_Key=key)
        assert (again.status_code, body_of(again)) == (201, body_of(first))
        assert problem_of(alice.post(RECORDS, {"data": {"n": 2}}, Idempotency_Key=key)) == (
            422,
            "idempotency_key_reused",
        )
    assert body_of(alice.get(f"{RECORDS}/count")) == {"count": 2}
    assert problem_of(alice.post(RECORDS, {"data": {"n": 9}, "id": "chosen"}, Idempotency_Key="other"))[0] == 409


def test_values_of_all_types_survive(alice: Script) -> None:
    data = {
        "oid": {"$oid": "66f0c0ffee0123456789abcd"},
        "date": {"$date": "2024-05-01T12:00:00.250Z"},
        "old": {"$date": {"$numberLong": "-62135596800000"}},
        "decimal": {"$numberDecimal": "1.50"},
        "long": {"$numberLong": "5"},
        "nan": {"$numberDouble": "NaN"},
        "uuid": {"$uuid": "12345678-1234-1234-1234-123456789abc"},
        "binary": {"$binary": {"base64": "AAEC", "subType": "80"}},
        "big": 2**63 - 1,
        "double": 1.0,
        "minus": -0.0,
        "list": [None, True, [], {}, "\u0000", "\U0001f600"],
    }
    record = created(alice, data)
    assert json.dumps(record["data"]) == json.dumps(data)
    canonical = body_of(alice.get(f"{RECORDS}/{record['id']}?ejson=canonical"))["data"]
    assert canonical["big"] == {"$numberLong": str(2**63 - 1)}
    assert canonical["minus"] == {"$numberDouble": "-0.0"}
    again = created(alice, canonical)
    assert json.dumps(again["data"]) == json.dumps(data)


def test_a_list_is_filtered_sorted_shortened_and_paged(alice: Script) -> None:
    for n in range(7):
        created(alice, {"n": n, "g": n % 2, "deep": {"x": n, "y": 1}})
    asked = '?filter={"g":0}&sort=-n&fields=deep.x,n&limit=3'
    page = body_of(alice.get(RECORDS + asked))
    assert [item["data"] for item in page["items"]] == [{"n": n, "deep": {"x": n}} for n in (6, 4, 2)]
    assert all(item["id"] and item["rev"] == 1 for item in page["items"])
    rest = body_of(alice.get(f"{RECORDS}{asked}&cursor={page['next_cursor']}"))
    assert [item["data"]["n"] for item in rest["items"]] == [0]
    assert rest["next_cursor"] is None
    assert body_of(alice.get(f'{RECORDS}/count?filter={{"g":1}}')) == {"count": 3}
    for other in ('?filter={"g":1}&sort=-n', "?sort=n", "", "?sort=-n"):
        mark = "&" if other else "?"
        assert wrong_paths(alice.get(f"{RECORDS}{other}{mark}cursor={page['next_cursor']}")) == ["cursor"]


def test_a_cursor_is_of_one_organization(alice: Script) -> None:
    for n in range(3):
        created(alice, {"n": n})
    cursor = body_of(alice.get(f"{RECORDS}?limit=1"))["next_cursor"]
    sign_up("Bcme")
    bob = log_in("owner@bcme.example")
    assert wrong_paths(bob.get(f"/api/v1/orgs/bcme/records?limit=1&cursor={cursor}")) == ["cursor"]


def test_many_are_deleted_when_they_are_as_many_as_expected(alice: Script) -> None:
    for n in range(6):
        created(alice, {"n": n})
    asked = {"filter": {"n": {"$lt": 4}}, "expected_count": 3}
    refused = alice.post(f"{RECORDS}/delete-matching", asked)
    assert problem_of(refused) == (409, "count_differs")
    assert body_of(refused)["count"] == 4
    done = alice.post(f"{RECORDS}/delete-matching", {**asked, "expected_count": 4})
    assert body_of(done) == {"deleted": 4, "remaining": 0}
    assert [item["data"]["n"] for item in body_of(alice.get(RECORDS))["items"]] == [4, 5]


@pytest.mark.parametrize("name", ["rev", "created_at", "updated_at", "created_by", "_id", "origin", "import", "x"])
def test_members_that_nobody_may_set_are_refused(alice: Script, name: str) -> None:
    record = created(alice, {"n": 1})
    assert wrong_paths(alice.post(RECORDS, {"data": {}, name: "x"})) == [name]
    for method in ("PUT", "PATCH"):
        assert wrong_paths(alice.call(method, f"{RECORDS}/{record['id']}", {"data": {}, name: "x"})) == [name]
    assert wrong_paths(alice.call("PUT", f"{RECORDS}/{record['id']}", {"data": {}, "id": "x"})) == ["id"]
    assert body_of(alice.get(f"{RECORDS}/{record['id']}")) == record


@pytest.mark.parametrize(
    "part",
    ["%00", "..", ".", "%2e%2e", "a%2Fb", "%20", "%F0%9F%98%80", "%24ne", "x" * 200, "%FF", "a%0A", "{}", "[$ne]"],
)
def test_an_odd_id_in_the_address_is_unknown(alice: Script, part: str) -> None:
    for method, body in (("GET", None), ("PUT", {"data": {}}), ("PATCH", {"data": {}}), ("DELETE", None)):
        assert alice.call(method, f"{RECORDS}/{part}", body).status_code in {404, 422}, method
