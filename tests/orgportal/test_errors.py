"""Whatever goes wrong, the caller gets the right status in the right form, and never the driver's words."""

import logging
import re
from typing import Any, cast

import pytest
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from orgportal import answers, embedded, urls
from orgportal.errors import InputError, PortalError, invalid, not_found, organization_busy
from orgportal.middleware import public
from tests.scripts import Script, body_of, client, log_in, problem_of, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")

DRIVERS_WORDS = "mongodb://root:hunter2@10.1.2.3:27017 refused, Topology Description: <...>"
to_raise: list[BaseException] = []


@public
def raising(request: HttpRequest) -> HttpResponse:
    raise to_raise[0]


urlpatterns = [*urls.urlpatterns, path("api/v1/raising", raising), path("raising", raising)]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


def answer_to(error: BaseException, address: str = "/api/v1/raising") -> HttpResponse:
    to_raise[:] = [error]
    with override_settings(ROOT_URLCONF=__name__):
        return cast(HttpResponse, client(enforce_csrf_checks=False, raise_request_exception=False).get(address))


UNAVAILABLE = [
    AutoReconnect(DRIVERS_WORDS),
    ServerSelectionTimeoutError(DRIVERS_WORDS),
    NetworkTimeout(DRIVERS_WORDS),
    NotPrimaryError(DRIVERS_WORDS),
    WaitQueueTimeoutError(DRIVERS_WORDS),
    ExecutionTimeout(DRIVERS_WORDS, 50),
    OperationFailure(DRIVERS_WORDS, 10107),
    OperationFailure(DRIVERS_WORDS, 14031),
    embedded.NotRunning(DRIVERS_WORDS),
]
BROKEN_REQUESTS = [
    (SuspiciousOperation("x"), 400, "bad_request"),
    (BadRequest("x"), 400, "bad_request"),
    (MultiPartParserError("x"), 400, "bad_request"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), 400, "bad_request"),
    (DisallowedHost("x"), 400, "unknown_host"),
    (TooManyFieldsSent("x"), 400, "too_many_fields"),
    (UnreadablePostError("x"), 400, "incomplete_body"),
    (RequestDataTooBig("x"), 413, "body_too_large"),
    (PermissionDenied("x"), 403, "forbidden"),
    (Http404("x"), 404, "not_found"),
]
MISTAKES_OF_OURS = [
    ValueError(DRIVERS_WORDS),
    KeyError(DRIVERS_WORDS),
    RecursionError(DRIVERS_WORDS),
    DuplicateKeyError(DRIVERS_WORDS),
    OperationFailure(DRIVERS_WORDS, 2),
]


@pytest.mark.parametrize("error", UNAVAILABLE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("address", ["/api/v1/raising", "/raising"])
def test_a_database_that_gives_no_answer_is_503_with_retry_after(error: Exception, address: str) -> None:
    response = answer_to(error, address)
    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert not re.search(rb"mongo|hunter2|10\.1\.2\.3|Topology|refused", response.content)
    if address.startswith("/api"):
        assert problem_of(response) == (503, "database_unavailable")


@pytest.mark.parametrize(("error", "status", "code"), BROKEN_REQUESTS, ids=lambda value: str(value)[:20])
def test_a_broken_request_is_told_so(error: Exception, status: int, code: str) -> None:
    assert problem_of(answer_to(error)) == (status, code)
    page = answer_to(error, "/raising")
    assert page.status_code == status
    assert page["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("error", MISTAKES_OF_OURS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("address", ["/api/v1/raising", "/raising"])
def test_a_mistake_of_ours_is_500_and_says_nothing_of_what_it_was(error: Exception, address: str) -> None:
    response = answer_to(error, address)
    assert response.status_code == 500
    assert not re.search(rb"mongo|hunter2|Traceback|Error\(|Topology", response.content)
    assert response["X-Request-ID"].encode() in response.content
    if address.startswith("/api"):
        assert problem_of(response) == (500, "internal_error")


def test_a_mistake_of_ours_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response = answer_to(ValueError("what it was"))
    (record,) = [record for record in caplog.records if "unexpected_error" in record.getMessage()]
    assert "what it was" in record.getMessage()
    assert response["X-Request-ID"] in record.getMessage()


@pytest.mark.parametrize("address", ["/api/v1/raising", "/raising"])
def test_a_refusal_is_told_with_its_status_and_its_wait(address: str) -> None:
    response = answer_to(organization_busy(7), address)
    assert (response.status_code, response["Retry-After"]) == (503, "7")


def test_a_problem_names_the_fields_and_carries_further_members() -> None:
    error = PortalError(
        "strange", 409, "It is strange.", errors=[InputError("a.b", "No.")], data={"hint": "x", "status": "kept out"}
    )
    document = body_of(answer_to(error))
    assert document["errors"] == [{"path": "a.b", "message": "No."}]
    assert (document["hint"], document["status"], document["title"]) == ("x", 409, "Conflict")
    assert document["type"] == "about:blank"


def test_a_401_says_how_to_authenticate() -> None:
    response = answer_to(PortalError("unauthenticated", 401, "x"))
    assert response["WWW-Authenticate"].startswith("Bearer")


class Breaking:
    """A middleware that raises before the view is reached."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise to_raise[0]


@pytest.mark.parametrize(
    ("error", "status"),
    [(AutoReconnect(DRIVERS_WORDS), 503), (invalid("x", "No."), 422), (not_found(), 404), (ValueError("x"), 500)],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("position", [0, 6, 13])
def test_errors_inside_any_middleware_are_answered_too(
    settings: Any, error: Exception, status: int, position: int
) -> None:
    chain = list(settings.MIDDLEWARE)
    chain.insert(position, f"{__name__}.Breaking")
    settings.MIDDLEWARE = chain
    to_raise[:] = [error]
    response = Client(raise_request_exception=False).get("/api/v1/auth/me")
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert b"hunter2" not in response.content


def test_a_page_that_cannot_be_rendered_becomes_plain_text(settings: Any) -> None:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": []}]
    request = RequestFactory().get("/x")
    response = answers.answer(request, not_found())
    assert response.status_code == 404
    assert response["Content-Type"] == "text/plain"


# Requests that no view gets to see


@pytest.mark.parametrize("query", ["%FF", "a=%C0%AF", "%ED%A0%80=1", "a=%00", "a%00b=1", "a=%E2%82"])
@pytest.mark.parametrize("address", ["/", "/api/v1/orgs"])
def test_a_query_that_is_no_utf_8_is_400(address: str, query: str) -> None:
    assert client(enforce_csrf_checks=False).get(f"{address}?{query}").status_code == 400


@pytest.mark.parametrize("address", ["/%00", "/api/v1/orgs/%00", "/%FF", "/api/v1/%C0%AF", "/static/%00"])
def test_a_path_that_is_no_text_is_404(address: str) -> None:
    assert client(enforce_csrf_checks=False).get(address).status_code == 404


def test_too_many_parameters_are_400() -> None:
    sign_up("Acme")
    script = log_in("owner@acme.example")
    assert problem_of(script.get("/api/v1/orgs?" + "&".join(f"a{n}=1" for n in range(1000)))) == (
        400,
        "too_many_fields",
    )


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_a_compressed_body_is_415(coding: str) -> None:
    response = Script().call("POST", "/api/v1/auth/login", raw=b"\x1f\x8b\x08", Content_Encoding=coding)
    assert problem_of(response) == (415, "unsupported_encoding")


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "hex", "base64", "rot13", "idna", "no-such", "\x7f"])
@pytest.mark.parametrize("address", ["/api/v1/auth/login", "/login"])
def test_another_charset_is_415(address: str, charset: str) -> None:
    response = Script().call("POST", address, {}, Content_Type=f"application/json; charset={charset}")
    assert response.status_code == 415


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_read(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    over = Script().call("POST", "/api/v1/auth/login", raw=b'"' + b"x" * 999 + b'"')
    assert problem_of(over) == (413, "body_too_large")
    at = Script().call("POST", "/api/v1/auth/login", raw=b'"' + b"x" * 998 + b'"')
    assert problem_of(at)[0] == 422


def test_a_form_over_the_limit_is_413(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert client(enforce_csrf_checks=False).post("/login", {"email": "x" * 2000}).status_code == 413


def test_a_form_with_too_many_fields_is_400() -> None:
    assert client(enforce_csrf_checks=False).post("/login", {f"a{n}": "1" for n in range(1000)}).status_code == 400


def test_a_broken_multipart_form_is_refused() -> None:
    for content_type in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"):
        response = client(enforce_csrf_checks=False).generic(
            "POST", "/login", b"--x\r\nbroken", content_type=content_type
        )
        assert response.status_code in {400, 422}, content_type


def test_unknown_addresses_answer_in_the_form_of_their_callers() -> None:
    assert problem_of(Script().get("/api/v1/no-such-route")) == (404, "not_found")
    assert problem_of(Script().get("/api/v2/orgs")) == (404, "not_found")
    page = client(enforce_csrf_checks=False).get("/no-such-page")
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"/no-such-page" not in page.content
