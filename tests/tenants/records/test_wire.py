"""What record calls send to the database: little, and never anything of a hostile request."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.effort import FULL
from tests.scripts import Script, body_of, log_in, sign_up
from tests.wire.ears import EAR

pytestmark = pytest.mark.usefixtures("clean_database", "ear")

RECORDS = "/api/v1/orgs/acme/records"
WHO = ["aggregate sessions"]


@pytest.fixture
def alice() -> Script:
    sign_up("Acme")
    return log_in("owner@acme.example")


def asked(script: Script, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, list[str]]:
    """The status, and what was asked of the database."""
    with EAR.listening() as heard:
        answer = script.call(method, path, body, **more)
    return answer.status_code, heard.names


def test_reading_one_record_is_two_round_trips(alice: Script) -> None:
    path = f"{RECORDS}/{body_of(alice.post(RECORDS, {'data': {'n': 1}}))['id']}"
    assert asked(alice, "GET", path) == (200, [*WHO, "find org_acme"])


def test_a_page_is_three_round_trips_and_the_last_one_four(alice: Script) -> None:
    for n in range(4):
        alice.post(RECORDS, {"data": {"n": n}})
    page = [*WHO, "find record_marks", "find org_acme"]
    assert asked(alice, "GET", f"{RECORDS}?limit=2") == (200, page)
    cursor = body_of(alice.get(f"{RECORDS}?limit=2"))["next_cursor"]
    status, names = asked(alice, "GET", f"{RECORDS}?limit=2&cursor={cursor}")
    assert (status, [name for name in names if name != "find organizations"]) == (200, [*page, "find org_acme"])


def test_changing_a_record_is_four_round_trips(alice: Script) -> None:
    path = f"{RECORDS}/{body_of(alice.post(RECORDS, {'data': {'n': 1}}))['id']}"
    expected = [*WHO, "find org_acme", "update org_acme", "find organizations"]
    assert asked(alice, "PATCH", path, {"data": {"n": 2}}) == (200, expected)


OPERATORS: list[Any] = [
    {"$ne": 1}, {"$gt": ""}, {"$regex": "x"}, {"$where": "1"}, {"$expr": {"$eq": [1, 1]}}, {"$nor": [{"a": 1}]},
    {"a": {"b": {"$ne": 1}}}, [{"$ne": 1}], {"__raw__": {"$ne": 1}, "$x": 1}, {"$type": 2}, {"$elemMatch": {"x": 1}},
]  # fmt: skip


@pytest.mark.parametrize("turn", range(len(OPERATORS)), ids=lambda turn: json.dumps(OPERATORS[turn]))
def test_an_operator_in_any_field_is_refused_and_no_query_is_made(alice: Script, turn: int) -> None:
    """Each in the data of a record and in a filter; the other places share them out, unless everything is tried."""
    operator = OPERATORS[turn]
    path = f"{RECORDS}/{body_of(alice.post(RECORDS, {'data': {'n': 1}}))['id']}"
    text, equal, greater = (
        quote(json.dumps(one)) for one in (operator, {"a": {"$eq": operator}}, {"a": {"$not": {"$gt": operator}}})
    )
    name = quote(next(key for key in [*operator, "$ne"] if str(key).startswith("$")))
    always: list[tuple[str, str, Any]] = [
        ("POST", RECORDS, {"data": operator}),
        ("GET", f"{RECORDS}?filter={equal}", None),
    ]
    elsewhere: list[tuple[str, str, Any]] = [
        ("POST", RECORDS, {"data": {"a": operator}}),
        ("POST", RECORDS, {"data": {"a": [{"b": operator}]}}),
        ("POST", RECORDS, {"data": {}, "id": operator}),
        ("PUT", path, {"data": {"a": operator}}),
        ("PATCH", path, {"data": {"a": operator}}),
        ("POST", f"{RECORDS}/delete-matching", {"filter": {"a": {"$in": [operator]}}, "expected_count": 1}),
        ("POST", f"{RECORDS}/delete-matching", {"filter": {}, "expected_count": operator}),
        ("GET", f"{RECORDS}/count?filter={greater}", None),
        ("GET", f"{RECORDS}?sort=-{name},a.{name}", None),
        ("GET", f"{RECORDS}?fields=a,{name}", None),
        ("GET", f"{RECORDS}?cursor={text}", None),
        ("GET", f"{RECORDS}?limit={text}", None),
        ("GET", f"{RECORDS}?filter[$ne]={text}", None),
        ("GET", f"{RECORDS}?sort[$gt]=a", None),
        ("GET", f"{RECORDS}/count?{text}=1", None),
        ("GET", f"{RECORDS}?ejson={text}", None),
        ("DELETE", f"{path}?filter={text}", None),
    ]
    for method, at, body in always + (elsewhere if FULL else elsewhere[turn % 4 :: 4]):
        status, names = asked(alice, method, at, body)
        assert status == 422, (method, at, body, status)
        assert names in ([], WHO), (method, at, body)


@pytest.mark.parametrize("part", ["%24ne", "[$ne]", "{}", "%20", "a%0A", "%F0%9F%98%80", "x" * 129, "..."])
def test_an_id_that_no_record_can_have_makes_no_query(alice: Script, part: str) -> None:
    for method, body in (("GET", None), ("PUT", {"data": {}}), ("PATCH", {"data": {}}), ("DELETE", None)):
        assert asked(alice, method, f"{RECORDS}/{part}", body) == (404, WHO), method


BODIES = [
    b"", b"[]", b"null", b'{"data":', b'{"data":[]}', b'{"data":null}', b'{"data":{"a":1,"a":2}}',
    b'{"data":{"a":NaN}}',
    b'{"data":{"a":1e400}}', b'{"data":{"a":' + b"9" * 5000 + b"}}", b'{"data":{"a":"\\ud800"}}',
    b'{"data":{"a":"\xff"}}',
    b"\xef\xbb\xbf" + b'{"data":{}}', '{"data":{}}'.encode("utf-16"), b'{"data":' + b"[" * 100_000,
    b'{"data":' + b'{"a":' * 33 + b"1" + b"}" * 34, b'{"data":{"x":' + b"[" * 40 + b"]" * 40 + b"}}",
    b'{"data":{' + b",".join(b'"k%d":1' % n for n in range(1001)) + b"}}",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
def test_a_body_that_is_no_record_is_4xx_and_makes_no_query(alice: Script, body: bytes) -> None:
    for method, at in (("POST", RECORDS), ("PUT", f"{RECORDS}/x"), ("PATCH", f"{RECORDS}/x")):
        status, names = asked(alice, method, at, raw=body)
        assert status in {400, 422}, status
        assert names in ([], WHO)


def test_a_body_over_a_mebibyte_and_a_record_that_grows_beyond_one(alice: Script) -> None:
    status, _ = asked(alice, "POST", RECORDS, raw=b'{"data":{"a":"' + b"x" * 1_048_576 + b'"}}')
    assert status == 413
    # Short as JSON, long as BSON.
    status, names = asked(alice, "POST", RECORDS, raw=b'{"data":{"a":[' + b",".join([b"[]"] * 120_000) + b"]}}")
    assert (status, names) == (413, WHO)
    path = f"{RECORDS}/{body_of(alice.post(RECORDS, {'data': {'a': 'x' * 700_000}}))['id']}"
    assert asked(alice, "PATCH", path, {"data": {"b": "x" * 700_000}})[0] == 413


def test_other_content_types_are_415(alice: Script) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "", "application/merge-patch+json"):
        assert alice.post(RECORDS, {"data": {}}, Content_Type=content_type).status_code == 415
