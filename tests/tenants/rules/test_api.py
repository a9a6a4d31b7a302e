"""Schema, indexes and figures over the JSON API: what a script author is promised."""

from typing import Any

import pytest

from orgportal import database
from tests.scripts import Script, body_of, log_in, problem_of, sign_up
from tests.tenants.rules.people import work

pytestmark = pytest.mark.usefixtures("clean_database")

BASE = "/api/v1/orgs/acme"
ADULTS = {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer", "minimum": 18}}}


@pytest.fixture
def script() -> Script:
    sign_up("Acme", email="owner@acme.example")
    return log_in("owner@acme.example")


def record(script: Script, data: Any) -> Any:
    return script.post(f"{BASE}/records", {"data": data})


def test_a_schema_comes_into_force_and_goes_again(script: Script) -> None:
    assert record(script, {"age": 20}).status_code == 201
    assert body_of(script.get(f"{BASE}/schema"))["state"] == "off"
    answer = script.call("PUT", f"{BASE}/schema", ADULTS)
    assert (answer.status_code, body_of(answer)["state"], body_of(answer)["checking"]["step"]) == (
        202,
        "checking",
        "waiting",
    )
    refused = record(script, {"age": 3})
    assert problem_of(refused) == (422, "schema_violation")
    assert body_of(refused)["errors"] == [{"path": "data.age", "message": "3 is less than the minimum of 18"}]
    work()
    standing = body_of(script.get(f"{BASE}/schema"))
    assert (standing["state"], standing["on"], standing["last"]["checked"]) == ("on", ADULTS, 1)
    assert script.delete(f"{BASE}/schema").status_code == 204
    assert record(script, {"age": 3}).status_code == 201


def test_a_schema_that_does_not_fit_gives_a_report(script: Script) -> None:
    id = body_of(record(script, {"name": "Bob"}))["id"]
    script.call("PUT", f"{BASE}/schema", ADULTS)
    work()
    standing = body_of(script.get(f"{BASE}/schema"))
    assert (standing["state"], standing["on"]) == ("off", None)
    last = standing["last"]
    assert (last["step"], last["checked"], last["wrong"]) == ("misfit", 1, 1)
    assert last["errors"] == [{"id": id, "path": "data.age", "message": "This field is required."}]


def test_trying_a_schema_and_drafting_one(script: Script) -> None:
    record(script, {"name": "Bob"})
    key = {"Idempotency_Key": "try-once"}
    assert script.post(f"{BASE}/schema/check", ADULTS, **key).status_code == 202
    assert script.post(f"{BASE}/schema/check", ADULTS, **key)["Idempotent-Replayed"] == "true"
    work(later=False)
    standing = body_of(script.get(f"{BASE}/schema"))
    assert (standing["state"], standing["last"]["purpose"], standing["last"]["step"]) == ("off", "check", "misfit")
    draft = body_of(script.get(f"{BASE}/schema/draft"))
    assert draft["required"] == ["name"]
    assert script.post(f"{BASE}/schema/check", draft).status_code == 202


def test_entity_tags_keep_two_admins_apart(script: Script) -> None:
    tag = script.get(f"{BASE}/schema")["ETag"]
    assert script.get(f"{BASE}/schema", If_None_Match=tag).status_code == 304
    assert script.call("PUT", f"{BASE}/schema", ADULTS, If_Match=tag).status_code == 202
    assert problem_of(script.call("PUT", f"{BASE}/schema", {}, If_Match=tag)) == (412, "stale")
    assert problem_of(script.delete(f"{BASE}/schema", If_Match=tag)) == (412, "stale")
    work()
    assert script.delete(f"{BASE}/schema", If_Match=script.get(f"{BASE}/schema")["ETag"]).status_code == 204


@pytest.mark.parametrize(
    ("schema", "status", "code"),
    [
        ([], 422, "invalid_input"),
        ("text", 422, "invalid_input"),
        ({"type": "strin"}, 422, "invalid_schema"),
        ({"$ref": "http://127.0.0.1:1/x"}, 422, "invalid_schema"),
        ({"pattern": "(?=a)"}, 422, "invalid_schema"),
        ({"description": "x" * 70_000}, 422, "invalid_schema"),
    ],
)
@pytest.mark.parametrize("call", ["PUT schema", "POST schema/check"])
def test_what_is_no_schema_is_refused_and_nothing_is_stored(
    script: Script, call: str, schema: Any, status: int, code: str
) -> None:
    method, path = call.split()
    assert problem_of(script.call(method, f"{BASE}/{path}", schema)) == (status, code)
    assert database.collection("record_schemas").count_documents({}) == 0


def test_a_schema_nested_too_deep_is_refused_by_the_parser(script: Script) -> None:
    deep = '{"not":' * 40 + "{}" + "}" * 40
    assert problem_of(script.call("PUT", f"{BASE}/schema", raw=deep))[0] == 422


def test_an_index_is_added_followed_and_removed(script: Script) -> None:
    record(script, {"city": "Oslo", "people": 5})
    answer = script.post(f"{BASE}/indexes", {"fields": ["city", "-people"], "unique": True})
    assert answer.status_code == 202
    where = answer["Location"]
    assert body_of(script.get(where))["state"] == "building"
    work()
    index = body_of(script.get(where))
    assert (index["state"], index["keys"], index["unique"]) == ("ready", ["city", "-people"], True)
    assert (index["size_bytes"], index["uses"]) == (None, None)
    assert [item["id"] for item in body_of(script.get(f"{BASE}/indexes"))["items"]] == [index["id"]]
    twice = record(script, {"city": "Oslo", "people": 5})
    assert problem_of(twice) == (409, "not_unique")
    assert [error["path"] for error in body_of(twice)["errors"]] == ["data.city", "data.people"]
    assert script.delete(where).status_code == 204
    assert problem_of(script.get(where)) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fields": []},
        {"fields": "city"},
        {"fields": [""]},
        {"fields": ["$where"]},
        {"fields": [{"$gt": ""}]},
        {"fields": ["a", "a"]},
        {"fields": ["a"] * 5},
        {"fields": ["a"], "unique": "yes"},
        {"fields": ["a"], "name": "organization_x"},
        {"fields": ["a..b"]},
    ],
)
def test_what_is_no_index_is_refused_and_nothing_is_stored(script: Script, body: Any) -> None:
    assert problem_of(script.post(f"{BASE}/indexes", body)) == (422, "invalid_input")
    assert database.collection("record_indexes").count_documents({}) == 0


def test_figures_tell_growth_and_how_a_field_is_spread(script: Script) -> None:
    for number in range(6):
        record(script, {"city": "Oslo" if number else "Rome", "people": number})
    items = body_of(script.get(f"{BASE}/figures"))["items"]
    assert [item["records"] for item in items] == [0, 6]
    spread = body_of(script.get(f"{BASE}/figures/distribution?field=city"))
    assert [(bar["label"], bar["count"]) for bar in spread["bars"]] == [("Oslo", 5), ("Rome", 1)]
    assert (spread["kind"], spread["looked_at"], spread["records"]) == ("texts", 6, 6)
    for query in ("", "?field=", "?field=$where", "?field=a..b", "?field=a&field=b", f"?field={'x' * 300}"):
        assert problem_of(script.get(f"{BASE}/figures/distribution{query}"))[0] == 422, query
