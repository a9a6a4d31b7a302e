"""Logs: one line of JSON per event, named by its request, with nothing secret in it."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orgportal import logs
from orgportal.logs import REDACTED, clean
from tests.scripts import PASSWORD, Script, body_of, client, log_in, sign_up


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator["Lines"]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["gunicorn"])
    monkeypatch.setattr(sys, "stdout", stream)
    logs.configure({"level": "INFO"})
    yield Lines(stream)
    monkeypatch.undo()
    logs.configure({"level": "INFO"})


class Lines:
    """What was logged so far."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "request"]


def test_an_event_is_one_line_of_json(lines: Lines) -> None:
    structlog.get_logger("portal").info("something", number=3, text="two\nlines")
    (event,) = lines.events
    assert (event["event"], event["number"], event["text"]) == ("something", 3, "two\nlines")
    assert (event["level"], event["logger"]) == ("info", "portal")
    assert event["timestamp"].endswith("Z")
    assert lines.text.count("\n") == 1


def test_lines_of_django_gunicorn_and_other_libraries_have_the_same_form(lines: Lines) -> None:
    for name in ("django.security", "gunicorn.error", "pymongo.topology", "anything"):
        logging.getLogger(name).warning("from %s", name)
    assert [(event["logger"], event["event"]) for event in lines.events] == [
        (name, f"from {name}") for name in ("django.security", "gunicorn.error", "pymongo.topology", "anything")
    ]


def test_an_exception_is_part_of_its_line(lines: Lines) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        structlog.get_logger().exception("failed")
    (event,) = lines.events
    assert "ValueError: first\nsecond" in event["exception"]


def test_what_is_below_the_level_is_not_logged(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("x").debug("detail")
    logging.getLogger("pymongo.command").info("filter: {password: 1}")
    assert lines.text == ""


@given(st.text())
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._formatter())
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s", (text,), None)
    handler.emit(record)
    line = stream.getvalue()
    assert line.isascii()
    assert not any(ord(character) < 32 for character in line.removesuffix("\n"))
    json.loads(line)


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "PASSWORD", "token", "access_token", "refresh_token", "csrfmiddlewaretoken",
        "authorization", "Authorization", "cookie", "set-cookie", "secret", "secret_key", "api_key", "apikey", "otp",
        "credentials", "session_id", "sid", "jwt", "signature",
    ],
)  # fmt: skip
def test_values_under_secret_names_are_redacted_at_any_depth(name: str) -> None:
    assert clean({"a": [{name: "hunter2"}], name: {"x": "hunter2"}}) == {"a": [{name: REDACTED}], name: REDACTED}


@pytest.mark.parametrize("name", ["path", "status", "code", "organization", "account", "inside", "passed_on"])
def test_other_values_are_kept(name: str) -> None:
    if name == "passed_on":
        assert clean({name: "x"}) == {name: "x"}
    assert clean({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("could not reach mongodb://root:hunter2@db.example:27017/?x", "hunter2"),
        ("could not reach mongodb+srv://root:hunter2@db.example", "hunter2"),
        ("token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl is bad", "eyJ"),
        ("Authorization: Bearer abc.def-ghi", "abc.def"),
        ("bearer 0123456789", "0123456789"),
    ],
)
def test_secrets_inside_texts_are_redacted(text: str, secret: str) -> None:
    assert secret not in clean(text)
    assert REDACTED in clean(text)


def test_bytes_are_not_logged_and_long_texts_are_cut() -> None:
    assert clean(b"secret") == "[6 bytes]"
    assert len(clean("x" * 1_000_000)) < 21_000


def test_each_request_has_one_line(lines: Lines) -> None:
    client(enforce_csrf_checks=False).get("/no-such-page", headers={"X-Request-ID": "my-id"})
    (event,) = lines.requests()
    assert (event["request_id"], event["method"], event["path"]) == ("my-id", "GET", "/no-such-page")
    assert (event["status"], event["code"], event["client"]) == (404, "not_found", "127.0.0.1")
    assert event["ms"] >= 0
    assert len(lines.events) == 1


def test_control_characters_in_a_path_are_escaped(lines: Lines) -> None:
    client(enforce_csrf_checks=False).get("/a%0D%0Ab%1B%5B31m%E2%80%AE")
    assert lines.text.count("\n") == 1
    assert lines.requests()[0]["path"] == "/a\r\nb\x1b[31m\u202e"
    assert "\x1b" not in lines.text
    assert "\u202e" not in lines.text


def test_the_query_is_not_logged(lines: Lines) -> None:
    client(enforce_csrf_checks=False).get("/login?token=hunter2")
    assert "hunter2" not in lines.text


def test_routine_requests_are_not_logged(lines: Lines) -> None:
    client(enforce_csrf_checks=False).get("/healthz")
    assert lines.text == ""


@pytest.mark.usefixtures("clean_database")
def test_a_whole_life_leaves_no_secret_in_the_logs(lines: Lines) -> None:
    created = sign_up("Acme")
    pair = body_of(Script().post("/api/v1/auth/login", {"email": "owner@acme.example", "password": PASSWORD}))
    script = Script(pair["access_token"])
    script.get("/api/v1/auth/me")
    Script("eyJhbGciOiJub25lIn0.e30.").get("/api/v1/auth/me")
    Script().post("/api/v1/auth/login", {"email": "owner@acme.example", "password": "wrong-and-secret"})
    Script().call("POST", "/api/v1/auth/login", raw=b'{"password": "wrong-and-secret",,}')
    Script().post("/api/v1/auth/refresh", {"refresh_token": pair["refresh_token"]})
    log_in("owner@acme.example").delete("/api/v1/orgs/acme")
    for secret in (PASSWORD, "wrong-and-secret", pair["access_token"], pair["refresh_token"], "eyJ"):
        assert secret not in lines.text
    me = next(event for event in lines.requests() if event["path"] == "/api/v1/auth/me")
    assert me["account"] == created["admin"]["id"]
    assert me["organization"] == created["organization"]["id"]


def test_lines_of_one_request_share_its_id(lines: Lines) -> None:
    client(enforce_csrf_checks=True).post("/login", headers={"X-Request-ID": "shared"})
    assert len(lines.events) > 1
    assert {event["request_id"] for event in lines.events} == {"shared"}


def test_a_forged_host_costs_one_line_and_no_traceback(lines: Lines) -> None:
    client(enforce_csrf_checks=False).get("/", headers={"Host": "evil.example"})
    assert [(event["event"], event["status"]) for event in lines.events] == [("request", 400)]


@pytest.mark.parametrize(
    ("argv", "stream"),
    [
        (["manage.py", "serve"], "stdout"),
        (["manage.py", "worker"], "stdout"),
        (["/srv/portal/bin/gunicorn"], "stdout"),
        (["manage.py", "listorgs"], "stderr"),
        (["/srv/portal/manage.py", "doctor"], "stderr"),
        (["manage.py"], "stderr"),
    ],
)
def test_a_command_whose_output_is_its_result_logs_elsewhere(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], stream: str
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    assert logs._stream() is getattr(sys, stream)
