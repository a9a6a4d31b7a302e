"""`Idempotency-Key`: one run, one answer, nothing readable kept, and no key lost to a crash."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pymongo.errors import AutoReconnect

from orgportal import database
from orgportal.conventions import idempotent, origin_of
from orgportal.conventions.idempotency import LIFETIME
from orgportal.errors import PortalError
from tests.scripts import PASSWORD, Script, body_of, problem_of, sign_up, wrong_paths

pytestmark = pytest.mark.usefixtures("clean_database")

View = Callable[..., HttpResponse]


class Counter:
    """A view that counts its runs and answers what it is told to."""

    def __init__(self, *statuses: int, body: bytes = b'{"token": "very-secret-token"}') -> None:
        self.runs = 0
        self.statuses = statuses or (201,)
        self.body = body
        self.origins: list[str | None] = []

    def __call__(self, request: Any) -> HttpResponse:
        self.origins.append(origin_of(request))
        status = self.statuses[min(self.runs, len(self.statuses) - 1)]
        self.runs += 1
        response = HttpResponse(self.body, status=status, content_type="application/json")
        response["Location"] = f"/things/{self.runs}"
        response["Set-Cookie"] = "session=never-kept"
        return response

    @property
    def __name__(self) -> str:
        return "counter"


def send(view: Any, key: str | None = "k-1", body: bytes = b"{}", path: str = "/api/v1/things") -> HttpResponse:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = RequestFactory().post(path, body, content_type="application/json", headers=headers)
    answer: HttpResponse = idempotent(view)(request)
    return answer


def refused(view: Any, **request: Any) -> tuple[int, str]:
    with pytest.raises(PortalError) as caught:
        send(view, **request)
    return caught.value.status, caught.value.code


def records() -> Any:
    return database.collection("idempotency_keys")


def test_without_a_key_every_call_runs() -> None:
    view = Counter()
    send(view, key=None)
    send(view, key=None)
    assert view.runs == 2
    assert view.origins == [None, None]
    assert records().find_one() is None


def test_the_same_key_and_body_run_once_and_give_the_first_answer() -> None:
    view = Counter()
    first, again = send(view), send(view)
    assert view.runs == 1
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again["Location"], again["Content-Type"]) == ("/things/1", "application/json")
    assert again["Idempotent-Replayed"] == "true"
    assert "Set-Cookie" not in again


def test_another_key_or_another_path_runs_anew() -> None:
    view = Counter()
    send(view, key="k-1")
    send(view, key="k-2")
    send(view, key="k-1", path="/api/v1/others")
    assert view.runs == 3
    assert len(set(view.origins)) == 3


def test_the_same_key_with_another_body_is_422() -> None:
    view = Counter()
    send(view, body=b'{"a": 1}')
    assert refused(view, body=b'{"a": 2}') == (422, "idempotency_key_reused")
    assert view.runs == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\tb"])
def test_a_malformed_key_is_422(key: str) -> None:
    view = Counter()
    assert refused(view, key=key) == (422, "invalid_input")
    assert view.runs == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "0b7d6c1e-6f0e-4d4c-9d5e-1b2a3c4d5e6f", '!"$%&/()=?{}[]~'])
def test_any_visible_ascii_is_a_key(key: str) -> None:
    view = Counter()
    send(view, key=key)
    send(view, key=key)
    assert view.runs == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401])
def test_an_answer_that_is_about_the_moment_frees_the_key(status: int) -> None:
    view = Counter(status, 201)
    assert [send(view).status_code, send(view).status_code, send(view).status_code] == [status, 201, 201]
    assert view.runs == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 404, 409, 412, 422])
def test_an_answer_that_is_about_the_request_is_kept(status: int) -> None:
    view = Counter(status, 299)
    assert [send(view).status_code, send(view).status_code] == [status, status]


def test_an_exception_frees_the_key_and_goes_on() -> None:
    def failing(request: Any) -> HttpResponse:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        send(failing)
    assert send(Counter()).status_code == 201


def test_after_a_freed_key_another_body_is_a_new_request_with_an_origin_of_its_own() -> None:
    view = Counter(503, 201)
    send(view, body=b'{"a": 1}')
    send(view, body=b'{"a": 2}')
    assert view.runs == 2
    assert view.origins[0] != view.origins[1]


def test_the_origin_is_the_same_whenever_key_and_body_are() -> None:
    view = Counter(503, 503, 201)
    for _ in range(3):
        send(view)
    assert len(set(view.origins)) == 1
    assert view.origins[0]


def test_while_the_first_one_runs_the_second_is_told_to_wait() -> None:
    running, finish = threading.Event(), threading.Event()

    def slow(request: Any) -> HttpResponse:
        running.set()
        finish.wait(30)
        return HttpResponse(b"{}", status=201)

    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(send(slow).status_code))
    first.start()
    assert running.wait(30)
    with pytest.raises(PortalError) as caught:
        send(Counter())
    finish.set()
    first.join(30)
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (409, "request_in_progress", 1)
    assert answers == [201]
    assert send(Counter()).status_code == 201


def test_of_many_at_once_exactly_one_runs() -> None:
    view, start = Counter(), threading.Barrier(12)
    outcomes: list[int] = []

    def call() -> None:
        start.wait(30)
        try:
            outcomes.append(send(view).status_code)
        except PortalError as error:
            outcomes.append(error.status)

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert view.runs == 1
    assert set(outcomes) <= {201, 409}
    assert 201 in outcomes


def long_ago() -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=2)


def test_a_holder_that_died_is_overtaken_once_its_lease_is_over() -> None:
    send(Counter())
    records().update_many({}, {"$unset": {"answer": ""}, "$set": {"holder": "dead"}})
    assert refused(Counter()) == (409, "request_in_progress")
    records().update_many({}, {"$set": {"lease_until": long_ago()}})
    view = Counter()
    assert send(view).status_code == 201
    assert view.runs == 1
    assert send(view)["Idempotent-Replayed"] == "true"


def test_a_late_holder_does_not_replace_the_answer_of_the_one_that_overtook_it() -> None:
    def overtaken(request: Any) -> HttpResponse:
        records().update_many({}, {"$set": {"lease_until": long_ago()}})
        send(Counter(body=b'"overtaker"'))
        return HttpResponse(b'"late"', status=201)

    send(overtaken)
    assert send(Counter()).content == b'"overtaker"'


def test_a_key_is_forgotten_after_24_hours_even_before_the_database_removes_it() -> None:
    assert timedelta(hours=24) == LIFETIME
    view = Counter()
    send(view)
    records().update_many({}, {"$set": {"expires_at": long_ago()}})
    send(view, body=b'{"another": "body"}')
    assert view.runs == 2


def test_nothing_of_the_request_or_the_answer_can_be_read_in_the_database() -> None:
    send(Counter(), key="my-own-key-0123", body=b'{"password": "correct horse"}')
    (record,) = records().find({})
    kept = repr(record).encode() + b"".join(value for value in record.values() if isinstance(value, bytes))
    for secret in (b"my-own-key", b"correct horse", b"very-secret-token", b"token", b"things", b"never-kept"):
        assert secret not in kept


def test_a_sealed_answer_that_was_changed_is_not_believed() -> None:
    send(Counter())
    (record,) = records().find({})
    records().update_many({}, {"$set": {"answer": record["answer"][:-1] + b"\x00"}})
    assert refused(Counter()) == (422, "idempotency_key_reused")


def test_the_indexes_remove_old_keys() -> None:
    assert records().index_information()["expires_at"]["expireAfterSeconds"] == 0


class LostReply:
    """A collection whose first insertion is stored although its reply is lost (or is not stored at all)."""

    def __init__(self, *, stored: bool) -> None:
        self.real = records()
        self.stored = stored
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def insert_one(self, record: dict[str, Any]) -> Any:
        if not self.lost:
            self.lost = True
            if self.stored:
                self.real.insert_one(record)
            raise AutoReconnect("connection closed")
        return self.real.insert_one(record)


@pytest.mark.parametrize("stored", [True, False])
def test_a_lost_reply_to_the_insertion_neither_blocks_the_request_nor_runs_it_twice(
    monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    wrapped = LostReply(stored=stored)
    monkeypatch.setattr(database, "collection", lambda name: wrapped)
    view = Counter()
    assert send(view).status_code == 201
    assert send(view)["Idempotent-Replayed"] == "true"
    assert view.runs == 1


# Over the API


def test_a_key_belongs_to_its_caller() -> None:
    one = sign_up("Acme")
    sign_up("Other")
    tokens = [
        body_of(Script().post("/api/v1/auth/login", {"email": f"owner@{name}.example", "password": PASSWORD}))
        for name in ("acme", "other")
    ]
    answers = [
        Script(token["access_token"]).post("/api/v1/orgs", {"organization_name": name}, Idempotency_Key="same")
        for token, name in zip(tokens, ("First", "Second"), strict=True)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert body_of(answers[0])["admin"]["id"] == one["admin"]["id"] != body_of(answers[1])["admin"]["id"]


def test_a_login_with_a_key_gives_the_same_tokens_again() -> None:
    sign_up("Acme")
    body = {"email": "owner@acme.example", "password": PASSWORD}
    first = Script().post("/api/v1/auth/login", body, Idempotency_Key="k")
    again = Script().post("/api/v1/auth/login", body, Idempotency_Key="k")
    assert body_of(first) == body_of(again)


def test_a_wrong_password_is_not_kept() -> None:
    body = {"email": "owner@acme.example", "password": PASSWORD}
    assert Script().post("/api/v1/auth/login", body, Idempotency_Key="k").status_code == 401
    sign_up("Acme")
    assert Script().post("/api/v1/auth/login", body, Idempotency_Key="k").status_code == 200


def test_a_malformed_key_is_refused_over_the_api() -> None:
    response = Script().post("/api/v1/auth/login", {}, Idempotency_Key="a b")
    assert wrong_paths(response) == ["Idempotency-Key"]


def test_another_body_under_the_same_key_is_refused_over_the_api() -> None:
    body = {"organization_name": "Acme", "email": "a@acme.example", "password": PASSWORD}
    assert Script().post("/api/v1/orgs", body, Idempotency_Key="k").status_code == 201
    other = Script().post("/api/v1/orgs", {**body, "organization_name": "Other"}, Idempotency_Key="k")
    assert problem_of(other) == (422, "idempotency_key_reused")
    spaced = Script().call("POST", "/api/v1/orgs", raw=json.dumps(body, indent=2), Idempotency_Key="k")
    assert problem_of(spaced) == (422, "idempotency_key_reused")
