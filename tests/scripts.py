"""A script author's side of the JSON API, in-process, for tests."""

import json
from typing import Any, cast

from django.http import HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from accounts import service as accounts
from accounts.roles import Role
from tests.remembered import recall

PASSWORD = "a long walk on the beach"
JSON = "application/json"


_handlers: dict[bool, ClientHandler] = {}


def client(*, enforce_csrf_checks: bool = True, raise_request_exception: bool = True) -> Client:
    """Django's test client, without building the middleware anew: each time that lists all static files (0.2 s)."""
    made = Client(enforce_csrf_checks=enforce_csrf_checks, raise_request_exception=raise_request_exception)
    made.handler = _handlers.setdefault(enforce_csrf_checks, made.handler)
    return made


class Script:
    """Calls the API as a program does: with or without a token, JSON in, JSON out. CSRF is enforced."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.client = client()

    def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | str | None = None, **headers: str
    ) -> HttpResponse:
        """Send `body` as JSON, or `raw` as it is. Header names are given with underscores."""
        data = raw if raw is not None else b"" if body is None else json.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = sent.pop("Content-Type", JSON)
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.client.generic(method, path, data, content_type=content_type, headers=sent)
        return cast(HttpResponse, answer)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self.call("DELETE", path, **headers)


def body_of(response: Any) -> Any:
    """The JSON of an answer."""
    return json.loads(response.content)


def problem_of(response: Any) -> tuple[int, str]:
    """Status and code of a refusal, once it is found to be a whole problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content[:500]
    document = body_of(response)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(document)
    assert document["status"] == response.status_code
    assert document["request_id"] == response["X-Request-ID"]
    return response.status_code, document["code"]


def wrong_paths(response: Any) -> list[str]:
    """The paths that a 422 complains about."""
    assert problem_of(response) == (422, "invalid_input"), response.content
    return [wrong["path"] for wrong in body_of(response)["errors"]]


def sign_up(name: str, *, email: str = "", slug: str | None = None, **more: Any) -> dict[str, Any]:
    """Sign an organization up over the API; its owner's address comes from its name unless given."""
    address = email or f"owner@{name.lower().replace(' ', '-')}.example"
    fields = {"organization_name": name, "email": address, "password": PASSWORD, **more}
    fields |= {} if slug is None else {"slug": slug}

    def create() -> dict[str, Any]:
        response = Script().post("/api/v1/orgs", fields)
        assert response.status_code == 201, response.content
        created: dict[str, Any] = body_of(response)
        return created

    return recall(("sign up by script", repr(fields)), create)


def log_in(email: str, *, org: str | None = None) -> Script:
    """A script that is logged in."""
    body = {"email": email, "password": PASSWORD} | ({} if org is None else {"org": org})

    def token() -> str:
        response = Script().post("/api/v1/auth/login", body)
        assert response.status_code == 200, response.content
        return str(body_of(response)["access_token"])

    return Script(recall(("log in by script", repr(body)), token))


def member(slug: str, org_id: Any, role: Role) -> Script:
    """A script logged in as a further member of an organization: an owner elsewhere who has the role here."""
    name = f"{role.value} of {slug}"
    created = sign_up(name, email=f"{role.value}@{slug.replace('_', '-')}.example")
    accounts.add_membership(account_id=_object_id(created["admin"]["id"]), org_id=_object_id(org_id), role=role)
    return log_in(created["admin"]["email"], org=slug)


def _object_id(text: str) -> Any:
    from bson import ObjectId

    return ObjectId(text)
