"""Every route of the portal, with a call to it that would succeed for an owner.

`test_every_route_is_listed` (beside the authorization table) holds this list against the URL resolver and
the OpenAPI document, so that no route escapes the tests that go through it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from orgportal.api import api
from tests.accounts.cast import NEW_PASSWORD, PASSWORD

SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Route:
    """One method of one address. `{…}` in path and values is filled in from who calls (see `filled`).

    `allows`: an action of `accounts.roles.ACTIONS`, or "everybody", "visitors" (who is logged in is led on), "accounts"
    (whoever is logged in). `ok` is the outcome where it is allowed, `but` what differs for some callers; the rest of
    the authorization table follows (see `tests.wire.promises`). `keys` is said where `allows` is no action: whether
    API keys may call it, or the scope that they need. `spends`: after a success the caller's credentials, or what the
    path names, are not what they were.
    """

    name: str
    allows: str = "everybody"
    ok: str = "200"
    but: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    query: str = ""
    needs_database: bool = True
    spends: bool = False
    keys: bool | str = False

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

# Callers whose credentials do not count (any more).
DEAD = ("setting up", "deleting", "suspended", "gone", "removed", "password changed", "expired", "tampered")
ALIVE = ("viewer", "editor", "admin", "owner", "stranger", "undecided", "renaming")
BUSY = {"renaming": "503"}
# A page that does not look at who calls, or does not mind.
UNSEEN = {"both, the token bad": "200"}
TO_DASHBOARD = dict.fromkeys((*ALIVE, "csrf token missing"), "dash")
TO_NEW = dict.fromkeys((*ALIVE, "csrf token missing"), "new")
# A bad Bearer is 401 even where nobody need be known; with a cookie that does not count one is just a visitor.
SIGNING_UP = dict.fromkeys(DEAD, "mix") | {"both, the token bad": "401", "csrf token missing": "403", "keys": "403"}

# Pages of links in mails do not ask who opens them; who is logged in is led to the account afterwards.
UNASKED = {"both, the token bad": "logi"}
TO_ACCOUNT = dict.fromkeys(ALIVE, "acco")
# An invitation is for its address alone.
NOT_INVITED = dict.fromkeys(ALIVE, "403")
NEW_PASSWORDS = {"password": NEW_PASSWORD, "repeat": NEW_PASSWORD}

# Who owns an organization alone cannot leave it, however it is called.
ALONE = ("owner", "renaming", "stranger")
LAST_OWNER = {"owner": "409", "renaming": "409"}
LAST_OWNER_PAGE = dict.fromkeys(ALONE, "memb")
# What the address names is another organization's than that of the session.
STRANGE = {"stranger": "404"}

# Well-formed, and the answer to no challenge: how it goes on is told in tests/accounts/passkeys/.
SHOWN = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA"},
}
MADE = {**SHOWN, "response": {"clientDataJSON": "e30", "attestationObject": "AAAA"}}
SHOWN_FORM = {"credential": json.dumps(SHOWN).replace("{", "{{").replace("}", "}}")}
MADE_FORM = {"credential": json.dumps(MADE).replace("{", "{{").replace("}", "}}"), "name": "Phone"}

# A word behind the path tells two calls of one route apart.
ROUTES = (
    Route("GET /healthz", but=UNSEEN, needs_database=False),
    Route("GET /readyz", but=UNSEEN),
    Route("GET /.well-known/jwks.json", but=UNSEEN, needs_database=False),
    Route("GET /api/v1/openapi.json", needs_database=False),
    Route("GET /api/v1/docs", needs_database=False),
    Route("POST /api/v1/auth/login", json=CREDENTIALS),
    Route("POST /api/v1/auth/refresh", json={"refresh_token": "{refresh}"}, spends=True),
    Route("POST /api/v1/auth/logout", "accounts", "204", spends=True),
    Route("GET /api/v1/auth/me", "accounts", keys=True),
    Route("GET /api/v1/auth/sessions", "accounts"),
    Route("DELETE /api/v1/auth/sessions", "accounts", spends=True),
    Route("DELETE /api/v1/auth/sessions/{session_id}", "accounts", "204", spends=True),
    Route("POST /api/v1/auth/sudo", "accounts", json={"password": PASSWORD}),
    Route("GET /api/v1/auth/second-factor", "accounts"),
    Route("POST /api/v1/auth/second-factor", "accounts", "201", spends=True),
    # Nothing was begun: how it goes on is told in tests/accounts/factors/.
    Route("POST /api/v1/auth/second-factor/confirm", "accounts", "409", json={"otp": "123456"}),
    Route("POST /api/v1/auth/second-factor/remove", "accounts", "409"),
    Route("POST /api/v1/auth/second-factor/recovery-codes", "accounts", "409"),
    Route("GET /api/v1/auth/passkeys", "accounts"),
    Route("POST /api/v1/auth/passkeys/options", "accounts"),
    Route("POST /api/v1/auth/passkeys", "accounts", "422", json={"name": "Phone", "credential": MADE}),
    Route("PATCH /api/v1/auth/passkeys/{passkey_id}", "accounts", "404", json={"name": "Phone"}),
    Route("DELETE /api/v1/auth/passkeys/{passkey_id}", "accounts", "404"),
    Route("POST /api/v1/auth/login/passkey/options", json={}),
    Route("POST /api/v1/auth/login/passkey", ok="401", json={"credential": SHOWN}),
    Route("POST /api/v1/auth/sudo/passkey/options", "accounts", "409"),
    Route("POST /api/v1/auth/sudo/passkey", "accounts", "422", json={"credential": SHOWN}),
    Route("POST /api/v1/auth/password/forgot", ok="202", json={"email": "{carol}"}),
    Route(
        "POST /api/v1/auth/password/reset",
        ok="204",
        json={"token": "{reset_token}", "password": NEW_PASSWORD},
        spends=True,
    ),
    Route("POST /api/v1/auth/email/verify", ok="204", json={"token": "{verify_token}"}, spends=True),
    # Confirmed already.
    Route("POST /api/v1/auth/email/verify/resend", "accounts", "409"),
    Route(
        "POST /api/v1/invitations/accept",
        ok="201",
        but=SIGNING_UP,
        json={"token": "{invitation_token}", "password": NEW_PASSWORD},
        spends=True,
    ),
    Route("POST /api/v1/orgs signing up", ok="201", but=SIGNING_UP, json=SIGN_UP),
    Route("POST /api/v1/orgs adding", "accounts", "201", json=NEW_ORGANIZATION),
    Route("GET /api/v1/orgs", "accounts", keys="organization"),
    Route("GET /api/v1/orgs/{org}", "organization.see"),
    Route(
        "PATCH /api/v1/orgs/{org}", "organization.change", but=BUSY, json={"metadata": {"changed": True}}, spends=True
    ),
    Route("PATCH /api/v1/orgs/{org} renaming", "organization.change", but=BUSY, json={"slug": "{fresh}"}, spends=True),
    Route("GET /api/v1/orgs/{org}/invitations", "invitations.manage"),
    Route(
        "POST /api/v1/orgs/{org}/invitations",
        "invitations.manage",
        "201",
        json={"email": "{fresh}@example.org", "role": "viewer"},
    ),
    Route("POST /api/v1/orgs/{org}/invitations/{invitation_id}/resend", "invitations.manage"),
    Route("DELETE /api/v1/orgs/{org}/invitations/{invitation_id}", "invitations.manage", "204", spends=True),
    Route("GET /api/v1/orgs/{org}/members", "members.see"),
    Route("POST /api/v1/orgs/{org}/members/leave", "members.leave", "204", but=LAST_OWNER, spends=True),
    Route("GET /api/v1/orgs/{org}/members/{account_id}", "members.see"),
    Route("PATCH /api/v1/orgs/{org}/members/{account_id}", "members.change", json={"role": "viewer"}, spends=True),
    Route("DELETE /api/v1/orgs/{org}/members/{account_id}", "members.change", "204", spends=True),
    Route(
        "POST /api/v1/orgs/{org}/transfer",
        "organization.transfer",
        json={"account_id": "{account_id}", "password": PASSWORD},
        spends=True,
    ),
    Route("GET /api/v1/orgs/{org}/keys", "keys.see"),
    Route("POST /api/v1/orgs/{org}/keys", "keys.make", "201", json={"name": "Nightly", "scopes": ["members"]}),
    Route("GET /api/v1/orgs/{org}/keys/{key_id}", "keys.see"),
    Route("DELETE /api/v1/orgs/{org}/keys/{key_id}", "keys.revoke", "204", spends=True),
    Route("DELETE /api/v1/orgs/{org}", "organization.delete", "204", but=BUSY, spends=True),
    Route("GET /api/v1/orgs/{org}/records", "records.read", but=BUSY),
    Route("POST /api/v1/orgs/{org}/records", "records.write", "201", but=BUSY, json={"data": {"n": 1}}, spends=True),
    Route("GET /api/v1/orgs/{org}/records/count", "records.read", but=BUSY),
    Route(
        "POST /api/v1/orgs/{org}/records/delete-matching",
        "records.write",
        json={"filter": {"n": "nothing"}, "expected_count": 0},
    ),
    Route("GET /api/v1/orgs/{org}/schema", "schema.see"),
    Route("PUT /api/v1/orgs/{org}/schema", "schema.change", "202", but=BUSY, json={"type": "object"}, spends=True),
    Route("DELETE /api/v1/orgs/{org}/schema", "schema.change", "204", but=BUSY),
    Route("POST /api/v1/orgs/{org}/schema/check", "schema.change", "202", json={"type": "object"}),
    Route("GET /api/v1/orgs/{org}/schema/draft", "records.read", but=BUSY),
    Route("GET /api/v1/orgs/{org}/indexes", "indexes.see"),
    Route(
        "POST /api/v1/orgs/{org}/indexes", "indexes.change", "202", but=BUSY, json={"fields": ["country"]}, spends=True
    ),
    Route("GET /api/v1/orgs/{org}/indexes/{index_id}", "indexes.see"),
    Route("DELETE /api/v1/orgs/{org}/indexes/{index_id}", "indexes.change", "204", but=BUSY, spends=True),
    Route("GET /api/v1/orgs/{org}/figures", "organization.see"),
    Route("GET /api/v1/orgs/{org}/figures/distribution", "records.read", but=BUSY, query="?field=country"),
    Route("GET /api/v1/orgs/{org}/records/{id}", "records.read"),
    Route("PUT /api/v1/orgs/{org}/records/{id}", "records.write", but=BUSY, json={"data": {"n": 2}}, spends=True),
    Route("PATCH /api/v1/orgs/{org}/records/{id}", "records.write", but=BUSY, json={"data": {"n": 3}}, spends=True),
    Route(
        "POST /api/v1/orgs/{org}/imports",
        "records.write",
        but=BUSY,
        query="?format=ndjson",
        json={"n": 1},
        spends=True,
    ),
    Route("GET /api/v1/orgs/{org}/imports", "records.write"),
    Route("GET /api/v1/orgs/{org}/imports/{import_id}", "records.write"),
    Route("POST /api/v1/orgs/{org}/imports/{import_id}/cancel", "records.write", spends=True),
    Route("GET /api/v1/orgs/{org}/exports", "records.read", but=BUSY, query="?format=ndjson"),
    Route("DELETE /api/v1/orgs/{org}/records/{id}", "records.write", "204", but=BUSY, spends=True),
    Route("GET /api/v1/orgs/{org}/policy", "policy.see"),
    Route("PATCH /api/v1/orgs/{org}/policy", "policy.change", but=BUSY, json={"min_password_length": 20}, spends=True),
    Route("GET /api/v1/orgs/{org}/audit", "audit.see"),
    Route("GET /api/v1/orgs/{org}/audit/export", "audit.see"),
    Route("GET /", "visitors", but={**TO_DASHBOARD, **UNSEEN}),
    Route("POST /theme", ok="home", but={"both, the token bad": "home"}, form={"theme": "dark"}, needs_database=False),
    Route("GET /login", "visitors", but=TO_DASHBOARD),
    Route("POST /login", ok="dash", form=CREDENTIALS, spends=True),
    Route("GET /login/code", "visitors", "logi", but=TO_DASHBOARD),
    # Without a login that waits: how one goes on is told in tests/accounts/factors/.
    Route("POST /login/code", ok="logi", but={**TO_DASHBOARD, "csrf token missing": "403"}, form={"otp": "123456"}),
    Route("POST /login/passkey", ok="422", but={"both, the token bad": "422"}, form=SHOWN_FORM),
    Route("POST /login/code/passkey", ok="logi", but={**TO_DASHBOARD, "csrf token missing": "403"}, form=SHOWN_FORM),
    Route("POST /login/code/passkey/options", ok="409", but={"both, the token bad": "409"}, needs_database=False),
    Route("POST /logout", ok="home", spends=True),
    Route("GET /account", "accounts"),
    Route("GET /account/sessions", "accounts"),
    Route("POST /account/sessions/end-others", "accounts", "acco", spends=True),
    Route("POST /account/sessions/{session_id}/end", "accounts", "acco", spends=True),
    Route(
        "POST /account",
        "accounts",
        "acco",
        form={"current": PASSWORD, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD},
        spends=True,
    ),
    Route("GET /sudo", "accounts"),
    Route("POST /sudo", "accounts", "acco", form={"password": PASSWORD}, spends=True),
    Route("POST /sudo/passkey", "accounts", "422", form=SHOWN_FORM),
    Route("GET /account/security", "accounts"),
    Route("POST /account/security/begin", "accounts", "acco", spends=True),
    Route("GET /account/security/setup", "accounts", "acco"),
    Route("POST /account/security/setup", "accounts", "acco", form={"otp": "123456"}),
    Route("POST /account/security/off", "accounts", "acco"),
    Route("POST /account/security/codes", "accounts", "acco"),
    Route("GET /account/security/passkeys/new", "accounts"),
    Route("POST /account/security/passkeys/new", "accounts", "422", form=MADE_FORM),
    Route("GET /account/security/passkeys/{passkey_id}", "accounts", "404"),
    Route("POST /account/security/passkeys/{passkey_id}", "accounts", "404", form={"name": "Phone"}),
    Route("GET /account/security/passkeys/{passkey_id}/remove", "accounts", "404"),
    Route("POST /account/security/passkeys/{passkey_id}/remove", "accounts", "404"),
    Route("GET /password/forgot", but=UNSEEN),
    Route("POST /password/forgot", ok="pass", but={"both, the token bad": "pass"}, form={"email": "{carol}"}),
    Route("GET /password/sent", but=UNSEEN),
    Route("GET /password/reset/{reset_token}", but=UNSEEN),
    Route("POST /password/reset/{reset_token}", ok="logi", but=UNASKED, form=NEW_PASSWORDS, spends=True),
    Route("POST /email/resend", "accounts", "acco"),
    Route("GET /email/verify/{verify_token}"),
    Route("POST /email/verify/{verify_token}", ok="logi", but=TO_ACCOUNT, spends=True),
    Route("GET /email/change", "accounts"),
    Route("POST /email/change", "accounts", "acco", form={"email": "{fresh}@example.org", "password": PASSWORD}),
    Route("GET /email/change/{change_token}"),
    Route("POST /email/change/{change_token}", ok="logi", but=TO_ACCOUNT, spends=True),
    Route("GET /records", "records.read"),
    Route("GET /records/count", "records.read"),
    Route("POST /records/delete", "records.write", form={"what": "selected", "id": "{id}"}),
    Route(
        "POST /records/delete confirmed",
        "records.write",
        "reco",
        but={**BUSY, "stranger": "409"},
        form={"what": "selected", "id": "{id}", "count": "1"},
        spends=True,
    ),
    Route("GET /records/schema", "schema.see"),
    Route("POST /records/schema", "schema.change", "reco", but=BUSY, form={"data": "{{}}", "rev": "0"}, spends=True),
    Route("POST /records/schema/off", "schema.change", "reco", but=BUSY, form={"rev": "0"}),
    Route("GET /records/indexes", "indexes.see"),
    Route("POST /records/indexes", "indexes.change", "reco", but=BUSY, form={"field_0": "country"}, spends=True),
    Route(
        "POST /records/indexes/{index_id}/remove",
        "indexes.change",
        "reco",
        but={**STRANGE, **BUSY},
        spends=True,
    ),
    Route("GET /dashboard/field", "records.read", "dash", query="?field=country"),
    Route("GET /records/new", "records.write"),
    Route("POST /records/new", "records.write", "reco", but=BUSY, form={"data": '{{"n": 1}}'}),
    Route("GET /records/id/{id}", "records.read", but=STRANGE),
    Route("POST /records/id/{id}", "records.write", "412", but=STRANGE, form={"data": '{{"n": 2}}', "version": "0-0"}),
    Route("GET /records/id/{id}/delete", "records.write", but=STRANGE),
    Route("POST /records/id/{id}/delete", "records.write", "412", but=STRANGE, form={"version": "0-0"}),
    Route("GET /records/import", "records.write"),
    # A file goes with it: how that is taken is told in tests/tenants/records/.
    Route("POST /records/import", "records.write", "422"),
    Route("POST /records/import/sample", "records.write", "reco", but=BUSY, spends=True),
    Route("GET /records/imports", "records.read"),
    Route("GET /records/imports/{import_id}", "records.read", but=STRANGE),
    Route("POST /records/imports/{import_id}/cancel", "records.write", "reco", but=STRANGE),
    Route("GET /records/export", "records.read", but=BUSY),
    Route("GET /members", "members.see"),
    Route("GET /members/leave", "members.leave"),
    Route("POST /members/leave", "members.leave", "home", but=LAST_OWNER_PAGE, spends=True),
    Route(
        "POST /members/{account_id}/role", "members.change", "memb", but=STRANGE, form={"role": "viewer"}, spends=True
    ),
    Route("GET /members/{account_id}/remove", "members.change", but=STRANGE),
    Route("POST /members/{account_id}/remove", "members.change", "memb", but=STRANGE, spends=True),
    Route("GET /members/{account_id}/transfer", "organization.transfer", but=STRANGE),
    Route(
        "POST /members/{account_id}/transfer",
        "organization.transfer",
        "memb",
        but=STRANGE,
        form={"password": PASSWORD},
        spends=True,
    ),
    Route("GET /keys", "keys.see"),
    Route("GET /keys/new", "keys.make"),
    Route(
        "POST /keys/new",
        "keys.make",
        "201",
        form={"name": "Nightly", "scopes": "members", "role": "viewer", "period": "30"},
    ),
    Route("GET /keys/{key_id}/revoke", "keys.revoke", but=STRANGE),
    Route("POST /keys/{key_id}/revoke", "keys.revoke", "keys", but=STRANGE, spends=True),
    Route("GET /members/invite", "invitations.manage"),
    Route(
        "POST /members/invite",
        "invitations.manage",
        "memb",
        form={"email": "{fresh}@example.org", "role": "viewer"},
    ),
    Route("POST /members/invitations/{invitation_id}/resend", "invitations.manage", "memb", but={"stranger": "404"}),
    Route(
        "POST /members/invitations/{invitation_id}/revoke",
        "invitations.manage",
        "memb",
        but={"stranger": "404"},
        spends=True,
    ),
    Route("GET /invitations/{invitation_token}"),
    Route(
        "POST /invitations/{invitation_token}",
        ok="dash",
        but=NOT_INVITED,
        form={"name": "Grace", "password": NEW_PASSWORD},
        spends=True,
    ),
    Route("GET /signup", "visitors", but=TO_NEW),
    Route("POST /signup", ok="dash", form=SIGN_UP, spends=True),
    Route("GET /signup/name", but=UNSEEN, query="?organization_name=Acme+Coffee"),
    Route("GET /new", "accounts"),
    Route("POST /new", "accounts", "dash", form=NEW_ORGANIZATION, spends=True),
    Route("GET /choose", "accounts"),
    Route("POST /choose", "accounts", "dash", but={"stranger": "404"}, form={"slug": "{org}"}, spends=True),
    Route("GET /audit", "audit.see"),
    Route("GET /audit/export", "audit.see"),
    Route("GET /dashboard", "organization.see", but={"renaming": "prog"}),
    Route("GET /progress", "organization.see", "dash", but={"renaming": "200"}),
    Route("GET /settings", "organization.change"),
    Route(
        "POST /settings",
        "organization.change",
        "sett",
        but={**BUSY, "stranger": "409"},
        form={"organization_name": "Company", "slug": "{org}", "rev": "1"},
        spends=True,
    ),
    Route("GET /security", "policy.change"),
    Route("POST /security", "policy.change", "secu", but=BUSY, form={"rev": "1"}, spends=True),
    Route("GET /delete", "organization.delete"),
    Route(
        "POST /delete",
        "organization.delete",
        "home",
        but={**BUSY, "stranger": "422"},
        form={"confirmation": "{org}"},
        spends=True,
    ),
)


def routes_of_the_resolver() -> set[str]:
    """Every path that the URL resolver knows."""
    return {"/" + re.sub(r"<(\w+)>", r"{\1}", path) for path in _paths(get_resolver().url_patterns)}


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
