"""Every kind of caller that a route may meet, each with an organization of its own named in the path.

A caller is made anew where the call changes something, so that no row of the table depends on another.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from bson import ObjectId
from django.conf import settings
from django.test import Client

from accounts import api_keys, sessions, sudo, tokens
from accounts.principal import Membership
from accounts.roles import Role
from accounts.scopes import ALL_SCOPES, SCOPES, Scope, effective
from accounts.session_list.service import handle_of
from accounts.tokens import now
from orgportal import database
from tenants.imports.documents import Counts
from tenants.imports.options import Options
from tenants.records.documents import new_row
from tests.accounts.cast import (
    a_session,
    an_account,
    an_organization,
    by_token,
    change_account,
    change_organization,
    tokens_of,
)
from tests.accounts.mailed import FACTS as MAILED
from tests.accounts.victims import encoded, json_part, signed
from tests.answers import Answer
from tests.wire.routes import Route, filled

CSRF = "c" * 32
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Sent:
    """A request ready to be sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Caller:
    """Credentials, and what the texts of a call are filled in with."""

    facts: dict[str, str]
    token: str = ""
    cookie: str = ""
    both: bool = False
    csrf: bool = True
    org_id: ObjectId = field(default_factory=ObjectId)
    account_id: ObjectId = field(default_factory=ObjectId)

    @property
    def ways(self) -> list[str]:
        """How this caller may present itself."""
        if self.both:
            return ["both"]
        return [way for way, credential in (("token", self.token), ("cookie", self.cookie)) if credential] or ["none"]

    def request(self, route: Route, way: str) -> Sent:
        """The call as a browser or a script would make it."""
        headers, cookies = {}, []
        if way in {"token", "both"}:
            headers["Authorization"] = f"Bearer {self.token}"
        if way in {"cookie", "both"}:
            cookies.append(f"{settings.SESSION_COOKIE_NAME}={self.cookie}")
        if self.csrf:
            cookies.append(f"{settings.CSRF_COOKIE_NAME}={CSRF}")
            headers["X-CSRFToken"] = CSRF
        body, content_type = b"", ""
        if route.json is not None:
            body, content_type = json.dumps(filled(route.json, self.facts)).encode(), "application/json"
        elif route.form is not None:
            body, content_type = urlencode(filled(route.form, self.facts)).encode(), FORM
        if content_type:
            headers["Content-Type"] = content_type
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        return Sent(route.method, route.path.format_map(self.facts) + route.query, headers, body)

    def call(self, route: Route, way: str) -> Answer:
        """The answer to it, in this process, CSRF enforced."""
        sent = self.request(route, way)
        headers = {name: value for name, value in sent.headers.items() if name != "Content-Type"}
        content_type = sent.headers.get("Content-Type", "")
        client = _client()
        client.cookies.clear()
        return client.generic(sent.method, sent.path, sent.body, content_type=content_type, headers=headers)


@lru_cache(maxsize=1)
def _client() -> Client:
    """One for all: each new one sets up every middleware again, which takes longer than a call."""
    return Client(enforce_csrf_checks=True)


class _Facts(dict[str, str]):
    """What calls are filled in with; most is made when it is first asked for, `fresh` anew each time."""

    def __missing__(self, name: str) -> str:
        if name == "fresh":
            return f"fresh_{ObjectId()}"
        if name in MAILED:
            self[name] = MAILED[name](self["org"])
            return self[name]
        if name in MADE_IN:
            self[name] = MADE_IN[name](self["org"])
            return self[name]
        if name not in {"carol", "refresh"}:
            raise KeyError(name)
        mark = str(ObjectId())
        self["carol"] = f"carol.{mark}@example.org"
        an_account(self["carol"], an_organization(f"carols_{mark}"))
        self["refresh"] = tokens_of(self["carol"]).refresh_token
        return self[name]


def _a_record(slug: str) -> str:
    """The id of a record in the collection that the organization of that slug would have."""
    row = new_row(id=str(ObjectId()), data={"n": 1}, created_by=str(ObjectId()))
    database.collection(f"org_{slug}").insert_one(row)
    return str(row["_id"])


def _org_id(slug: str) -> ObjectId:
    row = database.collection("organizations").find_one({"slug": slug}, {"_id": 1})
    return row["_id"] if row else ObjectId()


def _a_colleague(slug: str) -> str:
    """The id of an account that is an editor of the organization."""
    return str(an_account(f"colleague.{ObjectId()}@example.org", _org_id(slug), role=Role.EDITOR))


def _a_key(slug: str) -> str:
    """The id of an API key of the organization, made by somebody who has left."""
    key_id, org_id = ObjectId(), _org_id(slug)
    row = {
        "_id": tokens.digest(str(key_id)),
        "key_id": key_id,
        "org_id": org_id,
        "account_id": ObjectId(),
        "generation": 0,
        "name": "Old job",
        "prefix": "orgp_live_abcd",
        "scopes": ["members"],
        "role": "viewer",
        "created_at": now(),
    }
    database.collection("api_keys").insert_one(row)
    return str(key_id)


def _an_import(slug: str) -> str:
    """The id of an import of the organization that is over."""
    import_id, org_id, moment = secrets.token_hex(12), _org_id(slug), now()
    row = {
        "_id": import_id,
        "org_id": org_id,
        "slot": import_id,
        "begun": ObjectId(),
        "state": "finished",
        "queue": None,
        "options": Options().as_document(),
        "counts": asdict(Counts()),
        "errors": [],
        "total_bytes": 0,
        "total_lines": 0,
        "digest": "",
        "holder": "h",
        "lease_until": moment,
        "cancel": False,
        "file_name": "orders.csv",
        "account_id": ObjectId(),
        "created_by": str(ObjectId()),
        "created_at": moment,
        "finished_at": moment,
        "refusal": None,
        "expires_at": moment + timedelta(days=1),
    }
    database.collection("imports").insert_one(row)
    return import_id


def _an_index(slug: str) -> str:
    """The id of an index that the organization has added."""
    row = {
        "_id": ObjectId(),
        "org_id": _org_id(slug),
        "slot": 0,
        "keys": "city",
        "fields": [{"path": "city", "descending": False}],
        "unique": False,
        "state": "ready",
        "reason": "",
        "created_at": now(),
        "due_at": None,
    }
    database.collection("record_indexes").insert_one(row)
    return str(row["_id"])


# What is made in the organization of the address when a call first names it.
MADE_IN: Mapping[str, Callable[[str], str]] = {
    "id": _a_record,
    "index_id": _an_index,
    "account_id": _a_colleague,
    "key_id": _a_key,
    "import_id": _an_import,
    "session_id": lambda _: "0" * 24,
    "passkey_id": lambda _: "0" * 24,
}


def _facts(slug: str) -> dict[str, str]:
    return _Facts(org=slug)


def _member(role: Role, *, slug: str = "") -> Caller:
    mark = str(ObjectId())
    own = slug or f"acme_{mark}"
    org_id = an_organization(own)
    email = f"{role.value}.{mark}@example.org"
    account_id = an_account(email, org_id, role=role)
    token, cookie = _credentials(account_id, role, org_id, own)
    facts = _facts(own)
    facts["session_id"] = _a_session_of(account_id, kind="token")
    return Caller(facts, token=token, cookie=cookie, org_id=org_id, account_id=account_id)


def _credentials(account_id: ObjectId, role: Role, org_id: ObjectId, slug: str) -> tuple[str, str]:
    """A token and a cookie as a login gives them, without the work of one: callers are made in great numbers."""
    session_id, recent = tokens.new_session_id(), sudo.from_now()
    until = sessions.insert(
        session_id=session_id,
        kind="token",
        account_id=account_id,
        org_id=org_id,
        generation=0,
        refresh=tokens.digest(session_id),
        sudo_until=recent,
    )
    cookie = sessions.open_browser_session(account_id=account_id, org_id=org_id, generation=0, sudo_until=recent)
    assert until is not None
    assert cookie is not None
    token = tokens.write_access(
        account_id=account_id,
        membership=Membership(org_id=org_id, role=role),
        org_name=slug,
        session_id=session_id,
        until=until,
    )
    return token, cookie


def _a_session_of(account_id: ObjectId, *, kind: str = "session") -> str:
    """How the list of one's own sessions names one of them."""
    row = database.collection("sessions").find_one({"account_id": account_id, "kind": kind})
    assert row is not None
    return str(handle_of(row))


def _anonymous() -> Caller:
    slug = f"acme_{ObjectId()}"
    an_organization(slug)
    return Caller(_facts(slug))


def _stranger() -> Caller:
    """The owner of another organization than the one in the path."""
    caller = _member(Role.OWNER)
    caller.facts["org"] = f"acme_{ObjectId()}"
    an_organization(caller.facts["org"])
    return caller


def _undecided() -> Caller:
    """Somebody with two organizations who has not said yet which one; only a browser can be so."""
    mark = str(ObjectId())
    org_id, second = an_organization(f"acme_{mark}"), an_organization(f"umbrella_{mark}")
    email = f"undecided.{mark}@example.org"
    account_id = an_account(email, org_id, second)
    facts = _facts(f"acme_{mark}")
    a_session(email)
    facts["session_id"] = _a_session_of(account_id)
    return Caller(facts, cookie=a_session(email), org_id=org_id, account_id=account_id)


def _owner_of(status: str) -> Callable[[], Caller]:
    """An owner whose organization has come to be in that status since."""

    def make() -> Caller:
        caller = _member(Role.OWNER)
        change: dict[str, Any] = {"status": status}
        if status == "renaming":
            target = {"slug": f"next_{caller.org_id}", "changes": {}}
            change["pending"] = {"op": "rename", "step": "fenced", "holder": "h", "since": now(), "target": target}
        change_organization(caller.org_id, **change)
        return caller

    return make


def _deleted() -> Caller:
    """An owner whose organization is gone, with every leftover that a crash could leave."""
    caller = _member(Role.OWNER)
    database.collection("organizations").delete_one({"_id": caller.org_id})
    return caller


def _removed() -> Caller:
    caller = _member(Role.ADMIN)
    change_account(caller.account_id, {"$pull": {"memberships": {"org_id": caller.org_id}}})
    return caller


def _repassworded() -> Caller:
    """The holder of credentials from before the account's generation grew, as a password change makes it."""
    caller = _member(Role.OWNER)
    change_account(caller.account_id, {"$inc": {"generation": 1}})
    return caller


def _expired() -> Caller:
    caller = _member(Role.OWNER)
    start = int(time.time()) - 60
    claims = {**json_part(caller.token, 1), "iat": start, "nbf": start, "exp": start + 59}
    caller.token = signed(json_part(caller.token, 0), claims)
    past = {"expires_at": now() - timedelta(seconds=1)}
    database.collection("sessions").update_many({"account_id": caller.account_id, "kind": "session"}, {"$set": past})
    return caller


def _tampered() -> Caller:
    """A viewer who wrote "owner" into the token, and who guesses at cookies."""
    caller = _member(Role.VIEWER)
    header, _, signature = caller.token.split(".")
    caller.token = f"{header}.{encoded({**json_part(caller.token, 1), 'role': 'owner'})}.{signature}"
    caller.cookie = ("A" if caller.cookie[0] != "A" else "B") + caller.cookie[1:]
    return caller


def _bad_bearer_beside_good_cookie() -> Caller:
    caller = _member(Role.OWNER)
    caller.token, caller.both = _tampered().token, True
    return caller


def _without_csrf_token() -> Caller:
    caller = _member(Role.OWNER)
    caller.token, caller.csrf = "", False
    return caller


@dataclass(frozen=True)
class Credential:
    """What an API key is: its role and scopes in effect, whether it counts, whether it is another organization's."""

    make: Callable[[], Caller]
    role: Role = Role.OWNER
    scopes: frozenset[Scope] = ALL_SCOPES
    counts: bool = True
    is_stranger: bool = False


def _key_of(role: Role = Role.OWNER, *scopes: Scope, **more: Any) -> Callable[[], Caller]:
    """A caller with nothing but an API key, made by a member of that role."""

    def make() -> Caller:
        caller = _member(role)
        principal = by_token(caller.token)
        assert principal is not None
        made = api_keys.make_key(principal=principal, name="Nightly job", scopes=scopes or SCOPES, **more)
        caller.token, caller.cookie = made.text, ""
        return caller

    return make


def _key_after(change: Callable[[Caller], object]) -> Callable[[], Caller]:
    """A caller with an owner's API key to which something has happened since."""

    def make() -> Caller:
        caller = _key_of()()
        change(caller)
        return caller

    return make


def _key_change(**fields: Any) -> Callable[[Caller], object]:
    return lambda caller: database.collection("api_keys").update_many({"org_id": caller.org_id}, {"$set": fields})


def _mistyped(caller: Caller) -> None:
    caller.token = caller.token[:-1] + ("A" if caller.token[-1] != "A" else "B")


def _with_scope(scope: Scope) -> Credential:
    return Credential(_key_of(Role.OWNER, scope), scopes=effective([scope]))


def _of_role(role: Role) -> Credential:
    return Credential(_key_of(role), role=role)


def _gone_key(change: Callable[[Caller], object]) -> Credential:
    return Credential(_key_after(change), counts=False)


def _set_role(role: Role) -> Callable[[Caller], object]:
    return lambda caller: change_account(caller.account_id, {"$set": {"memberships.0.role": role.value}})


def _strange_key() -> Caller:
    caller = _key_of()()
    caller.facts["org"] = f"acme_{ObjectId()}"
    an_organization(caller.facts["org"])
    return caller


# Callers of the API with a key; those of a scope alone are an owner's.
KEY_CALLERS: Mapping[str, Credential] = {
    **{f"key {scope}": _with_scope(scope) for scope in SCOPES},
    **{f"key of {role.value}": _of_role(role) for role in Role},
    "key of one demoted": Credential(_key_after(_set_role(Role.VIEWER)), role=Role.VIEWER),
    "key of a stranger": Credential(_strange_key, is_stranger=True),
    "key expired": _gone_key(_key_change(expires_at=now() - timedelta(seconds=1))),
    "key revoked": _gone_key(lambda caller: api_keys.revoke_all_of_organization(caller.org_id)),
    "key of one removed": _gone_key(
        lambda caller: change_account(caller.account_id, {"$pull": {"memberships": {"org_id": caller.org_id}}})
    ),
    "key before a new password": _gone_key(
        lambda caller: change_account(caller.account_id, {"$inc": {"generation": 1}})
    ),
    "key to one deleting": _gone_key(lambda caller: change_organization(caller.org_id, status="deleting")),
    "key mistyped": _gone_key(_mistyped),
}

CALLERS: Mapping[str, Callable[[], Caller]] = {
    "anonymous": _anonymous,
    "viewer": lambda: _member(Role.VIEWER),
    "editor": lambda: _member(Role.EDITOR),
    "admin": lambda: _member(Role.ADMIN),
    "owner": lambda: _member(Role.OWNER),
    "stranger": _stranger,
    "undecided": _undecided,
    "renaming": _owner_of("renaming"),
    "setting up": _owner_of("provisioning"),
    "deleting": _owner_of("deleting"),
    "suspended": _owner_of("suspended"),
    "gone": _deleted,
    "removed": _removed,
    "password changed": _repassworded,
    "expired": _expired,
    "tampered": _tampered,
    "both, the token bad": _bad_bearer_beside_good_cookie,
    "csrf token missing": _without_csrf_token,
}
