"""Every route of the portal, with a call to it that would succeed for an owner.

`test_every_route_is_listed` (beside the authorization table) holds this list against the URL resolver and
the OpenAPI document, so that no route escapes the tests that go through it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from orgportal.api import api
from tests.accounts.cast import NEW_PASSWORD, PASSWORD

SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Route:
    """One method of one address. `{…}` in path and values is filled in from who calls (see `filled`).

    `spends`: after a success the caller's credentials, or what the path names, are not what they were.
    """

    name: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    query: str = ""
    needs_database: bool = True
    spends: bool = False

    @property
    def method(self) -> str:
        return self.name.split(" ")[0]

    @property
    def path(self) -> str:
        return self.name.split(" ")[1]

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE


def filled(values: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """The values with every `{name}` in their texts replaced by the fact of that name."""
    return {key: value.format_map(facts) if isinstance(value, str) else value for key, value in values.items()}


NEW_ORGANIZATION = {"organization_name": "Company {fresh}"}
SIGN_UP = {**NEW_ORGANIZATION, "email": "{fresh}@example.org", "password": NEW_PASSWORD}
CREDENTIALS = {"email": "{carol}", "password": PASSWORD}

# A word behind the path tells two calls of one route apart.
ROUTES = (
    Route("GET /healthz", needs_database=False),
    Route("GET /readyz"),
    Route("GET /.well-known/jwks.json", needs_database=False),
    Route("GET /api/v1/openapi.json", needs_database=False),
    Route("GET /api/v1/docs", needs_database=False),
    Route("POST /api/v1/auth/login", json=CREDENTIALS),
    Route("POST /api/v1/auth/refresh", json={"refresh_token": "{refresh}"}, spends=True),
    Route("POST /api/v1/auth/logout", spends=True),
    Route("GET /api/v1/auth/me"),
    Route("POST /api/v1/orgs signing up", json=SIGN_UP),
    Route("POST /api/v1/orgs adding", json=NEW_ORGANIZATION),
    Route("GET /api/v1/orgs"),
    Route("GET /api/v1/orgs/{org}"),
    Route("PATCH /api/v1/orgs/{org}", json={"metadata": {"changed": True}}, spends=True),
    Route("PATCH /api/v1/orgs/{org} renaming", json={"slug": "{fresh}"}, spends=True),
    Route("DELETE /api/v1/orgs/{org}", spends=True),
    Route("GET /"),
    Route("POST /theme", form={"theme": "dark"}, needs_database=False),
    Route("GET /login"),
    Route("POST /login", form=CREDENTIALS, spends=True),
    Route("POST /logout", spends=True),
    Route("GET /account"),
    Route("POST /account", form={"current": PASSWORD, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD}, spends=True),
    Route("GET /signup"),
    Route("POST /signup", form=SIGN_UP, spends=True),
    Route("GET /signup/name", query="?organization_name=Acme+Coffee"),
    Route("GET /new"),
    Route("POST /new", form=NEW_ORGANIZATION, spends=True),
    Route("GET /choose"),
    Route("POST /choose", form={"slug": "{org}"}, spends=True),
    Route("GET /dashboard"),
    Route("GET /progress"),
    Route("GET /settings"),
    Route("POST /settings", form={"organization_name": "Company", "slug": "{org}", "rev": "1"}, spends=True),
    Route("GET /delete"),
    Route("POST /delete", form={"confirmation": "{org}"}, spends=True),
)


def routes_of_the_resolver() -> set[str]:
    """Every path that the URL resolver knows."""
    return {"/" + path.replace("<org>", "{org}") for path in _paths(get_resolver().url_patterns)}


def _paths(patterns: "list[URLPattern | URLResolver]", prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, path)
        else:
            yield path


def operations_of_the_document() -> set[str]:
    """Every method and path of the OpenAPI document."""
    paths: Mapping[str, Mapping[str, Any]] = api.get_openapi_schema()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
