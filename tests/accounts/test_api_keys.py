"""API keys: what they may do, what ends them, and that nothing of them is kept that opens anything."""

import json
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pytest_django import Settings

from accounts import api_keys, audit, sudo
from accounts.api_keys import NewKey
from accounts.membership import service as membership
from accounts.principal import Principal
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    a_session,
    an_account,
    an_organization,
    by_cookie,
    by_token,
    change_account,
    change_organization,
    somebody,
)
from tests.accounts.commands import Commands
from tests.scripts import Script, body_of, log_in, member, problem_of, sign_up, wrong_paths

ALICE = "alice@example.org"


@pytest.fixture
def acme() -> ObjectId:
    return an_organization("acme")


@pytest.fixture
def alice(acme: ObjectId) -> Principal:
    an_account(ALICE, acme)
    return somebody(a_session(ALICE))


def a_key(principal: Principal, **wishes: Any) -> NewKey:
    return api_keys.make_key(principal=principal, **{"name": "Nightly job", "scopes": ["records:read"], **wishes})


def refusal(call: Any) -> tuple[int, str]:
    with pytest.raises(PortalError) as refused:
        call()
    return refused.value.status, refused.value.code


def test_a_key_stands_for_its_maker_in_one_organization_with_its_scopes(alice: Principal, acme: ObjectId) -> None:
    new = a_key(alice, scopes=["members", "records:write"], role=Role.EDITOR)
    principal = by_token(new.text)
    assert principal is not None
    assert (principal.method, principal.account_id, principal.key_id) == ("key", alice.account_id, new.key.id)
    assert (principal.org_id, principal.role, principal.session_id) == (acme, Role.EDITOR, "")
    assert principal.scopes == {"members", "records:write", "records:read"}
    assert [one.org_id for one in principal.memberships] == [acme]


def test_only_a_digest_is_kept(alice: Principal) -> None:
    new = a_key(alice)
    (row,) = database.collection("api_keys").find({})
    assert new.text not in repr(row)
    assert new.text[14:30] not in repr(row)
    assert row["prefix"] == new.text[:14]
    assert new.text not in repr(new)


def test_a_key_costs_one_query_and_a_mistyped_one_none(alice: Principal, commands: Commands) -> None:
    new = a_key(alice)
    by_token(new.text)
    commands.forget()
    assert by_token(new.text) is not None
    assert commands.names == ["aggregate"]
    commands.forget()
    assert by_token(new.text[:-1] + ("a" if new.text[-1] != "a" else "b")) is None
    assert commands.names == []


def test_its_use_is_noted_once_a_minute(alice: Principal, acme: ObjectId, commands: Commands) -> None:
    new = a_key(alice)
    assert api_keys.get_key(org_id=acme, key_id=new.key.id).used_at is None
    by_token(new.text)
    used = api_keys.get_key(org_id=acme, key_id=new.key.id).used_at
    assert used is not None
    commands.forget()
    by_token(new.text)
    assert "update" not in commands.names
    database.collection("api_keys").update_one({}, {"$set": {"used_at": used - timedelta(seconds=61)}})
    by_token(new.text)
    assert api_keys.get_key(org_id=acme, key_id=new.key.id).used_at != used - timedelta(seconds=61)


def test_a_key_never_gets_more_than_its_maker_has_now(alice: Principal) -> None:
    new = a_key(alice, role=Role.OWNER)
    change_account(alice.account_id, {"$set": {"memberships.0.role": "viewer"}})
    principal = by_token(new.text)
    assert principal is not None
    assert principal.role is Role.VIEWER
    change_account(alice.account_id, {"$set": {"memberships.0.role": "admin"}})
    again = by_token(new.text)
    assert again is not None
    assert again.role is Role.ADMIN


def test_whatever_ends_its_maker_ends_the_key_at_the_next_request(alice: Principal, acme: ObjectId) -> None:
    text = a_key(alice).text
    for change, back in (
        ({"$inc": {"generation": 1}}, {"$inc": {"generation": -1}}),
        ({"$set": {"memberships.0.org_id": ObjectId()}}, {"$set": {"memberships.0.org_id": acme}}),
    ):
        change_account(alice.account_id, change)
        assert by_token(text) is None
        change_account(alice.account_id, back)
        assert by_token(text) is not None
    for status in ("provisioning", "deleting", "suspended"):
        change_organization(acme, status=status)
        assert by_token(text) is None
    change_organization(acme, status="renaming", pending=None)
    assert by_token(text) is not None
    database.collection("accounts").delete_one({"_id": alice.account_id})
    assert by_token(text) is None


def test_an_expired_key_is_refused_in_its_last_instant_and_still_listed(alice: Principal, acme: ObjectId) -> None:
    new = a_key(alice, days=1)
    assert new.key.expires_at is not None
    assert timedelta(hours=23, minutes=59) < new.key.expires_at - now() <= timedelta(days=1)
    database.collection("api_keys").update_one({}, {"$set": {"expires_at": now()}})
    assert by_token(new.text) is None
    assert [key.state for key in api_keys.list_keys(org_id=acme)] == ["expired"]


def test_a_revoked_key_is_refused_at_once_and_gone(alice: Principal, acme: ObjectId) -> None:
    new, other = a_key(alice), a_key(alice, name="Other")
    revoked = api_keys.revoke_key(principal=alice, key_id=new.key.id)
    assert revoked.name == "Nightly job"
    assert by_token(new.text) is None
    assert by_token(other.text) is not None
    assert [key.name for key in api_keys.list_keys(org_id=acme)] == ["Other"]
    assert refusal(lambda: api_keys.revoke_key(principal=alice, key_id=new.key.id)) == (404, "not_found")


def test_keys_of_another_organization_are_not_found(alice: Principal) -> None:
    other = an_organization("umbrella")
    an_account("bob@example.org", other)
    new = a_key(somebody(a_session("bob@example.org")))
    assert refusal(lambda: api_keys.revoke_key(principal=alice, key_id=new.key.id)) == (404, "not_found")
    assert by_token(new.text) is not None


@pytest.mark.parametrize(
    ("wishes", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": " \t "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": {"$ne": ""}}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["records"]}, "scopes"),
        ({"scopes": ["records:read", "everything"]}, "scopes"),
        ({"days": 0}, "days"),
        ({"days": 3651}, "days"),
        ({"days": True}, "days"),
        ({"days": 1.5}, "days"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_its_path(alice: Principal, wishes: dict[str, Any], path: str) -> None:
    with pytest.raises(PortalError) as refused:
        a_key(alice, **wishes)
    assert (refused.value.status, [error.path for error in refused.value.errors]) == (422, [path])
    assert database.collection("api_keys").count_documents({}) == 0


def test_a_policy_of_the_portal_bounds_how_long_keys_live(alice: Principal, settings: Settings) -> None:
    settings.API_KEY_MAX_DAYS = 30
    for days in (None, 31):
        with pytest.raises(PortalError) as refused:
            a_key(alice, days=days)
        assert [error.path for error in refused.value.errors] == ["days"]
    assert a_key(alice, days=30).key.expires_at is not None


def test_nobody_makes_a_key_above_the_own_role(acme: ObjectId) -> None:
    an_account(ALICE, acme, role=Role.ADMIN)
    admin = somebody(a_session(ALICE))
    with pytest.raises(PortalError) as refused:
        a_key(admin, role=Role.OWNER)
    assert [error.path for error in refused.value.errors] == ["role"]
    assert a_key(admin).key.role is Role.ADMIN


def test_a_key_makes_and_revokes_no_keys(alice: Principal) -> None:
    principal = by_token(a_key(alice, scopes=["members", "organization", "records:write"]).text)
    assert principal is not None
    assert refusal(lambda: a_key(principal)) == (403, "not_for_keys")
    assert refusal(lambda: api_keys.revoke_key(principal=principal, key_id=ObjectId())) == (403, "not_for_keys")


def test_a_key_is_never_recent_enough_for_what_takes_a_password(alice: Principal) -> None:
    principal = by_token(a_key(alice).text)
    assert principal is not None
    assert refusal(lambda: sudo.require_recent(principal)) == (403, "sudo_required")


def test_an_organization_has_at_most_a_hundred_keys(
    alice: Principal, acme: ObjectId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.api_keys.service.MAX_KEYS", 2)
    a_key(alice)
    a_key(alice)
    assert refusal(lambda: a_key(alice)) == (409, "too_many_keys")


def test_making_and_revoking_are_in_the_audit_without_the_key(alice: Principal, acme: ObjectId) -> None:
    new = a_key(alice)
    api_keys.revoke_key(principal=alice, key_id=new.key.id)
    entries = list(database.collection("audit").find({"org_id": acme}))
    assert [one["action"] for one in entries][-2:] == ["api_key.created", "api_key.revoked"]
    assert new.text not in repr(entries)
    assert audit.PORTAL != acme


def test_who_comes_back_finds_the_old_keys_and_sessions_dead(alice: Principal, acme: ObjectId) -> None:
    """Even when the removal was cut short after the membership had gone."""
    elsewhere = an_organization("elsewhere")
    bob = an_account("bob@example.org", acme, elsewhere, role=Role.ADMIN)
    cookie = a_session("bob@example.org", slug="acme")
    text = a_key(somebody(cookie)).text
    change_account(bob, {"$pull": {"memberships": {"org_id": acme}}})
    assert (by_cookie(cookie), by_token(text)) == (None, None)
    from accounts import members

    assert members.add_membership(account_id=bob, org_id=acme, role=Role.ADMIN)
    assert (by_cookie(cookie), by_token(text)) == (None, None)


def test_removing_a_member_takes_the_keys_it_made_and_no_others(alice: Principal, acme: ObjectId) -> None:
    bob = an_account("bob@example.org", acme, role=Role.ADMIN)
    mine, his = a_key(alice, name="Mine"), a_key(somebody(a_session("bob@example.org")), name="His")
    membership.remove_member(principal=alice, account_id=bob)
    assert by_token(his.text) is None
    assert by_token(mine.text) is not None
    assert [key.name for key in api_keys.list_keys(org_id=acme)] == ["Mine"]


# Over HTTP


def made(script: Script, org: str = "acme", **wishes: Any) -> dict[str, Any]:
    body = {"name": "Nightly job", "scopes": ["organization"], **wishes}
    answer = script.post(f"/api/v1/orgs/{org}/keys", body)
    assert answer.status_code == 201, answer.content
    return dict(body_of(answer))


def test_a_key_is_shown_once_and_then_only_its_beginning() -> None:
    sign_up("Acme")
    owner = log_in("owner@acme.example")
    new = made(owner, days=7)
    assert new["key"].startswith(new["prefix"])
    listed = body_of(owner.get("/api/v1/orgs/acme/keys"))["items"]
    assert [one["id"] for one in listed] == [new["id"]]
    assert new["key"] not in json.dumps(listed)
    one = body_of(owner.get(f"/api/v1/orgs/acme/keys/{new['id']}"))
    assert (one["state"], one["made_by"], one["role"]) == ("active", "owner@acme.example", "owner")


def test_a_key_says_who_it_is() -> None:
    sign_up("Acme")
    new = made(log_in("owner@acme.example"), scopes=["records:write"], role="editor")
    me = body_of(Script(new["key"]).get("/api/v1/auth/me"))
    assert (me["method"], me["role"], me["organization"]["slug"]) == ("key", "editor", "acme")
    assert me["scopes"] == ["records:read", "records:write"]


def test_a_missing_scope_and_a_persons_business_have_codes_of_their_own() -> None:
    sign_up("Acme")
    key = Script(made(log_in("owner@acme.example"), scopes=["records:read"])["key"])
    refused = key.get("/api/v1/orgs/acme")
    assert problem_of(refused) == (403, "scope_missing")
    assert body_of(refused)["scope"] == "organization"
    assert problem_of(key.delete("/api/v1/orgs/acme")) == (403, "not_for_keys")
    assert problem_of(key.post("/api/v1/orgs/acme/keys", {"name": "x", "scopes": ["members"]})) == (403, "not_for_keys")
    assert problem_of(key.post("/api/v1/auth/logout")) == (403, "not_for_keys")


def test_a_key_lists_its_own_organization_only() -> None:
    sign_up("Acme")
    owner = log_in("owner@acme.example")
    assert owner.post("/api/v1/orgs", {"organization_name": "Second"}).status_code == 201
    key = Script(made(owner)["key"])
    assert [one["slug"] for one in body_of(key.get("/api/v1/orgs"))["items"]] == ["acme"]
    assert problem_of(key.get("/api/v1/orgs/second")) == (404, "not_found")


def test_a_key_changes_the_organization_within_its_scope_and_role() -> None:
    sign_up("Acme")
    owner = log_in("owner@acme.example")
    admin, viewer = Script(made(owner, role="admin")["key"]), Script(made(owner, role="viewer")["key"])
    assert admin.patch("/api/v1/orgs/acme", {"metadata": {"by": "key"}}).status_code == 200
    assert problem_of(viewer.patch("/api/v1/orgs/acme", {"metadata": {}})) == (403, "forbidden")


def test_an_answer_to_a_key_is_not_given_again_to_a_person() -> None:
    """The same Idempotency-Key, but another caller."""
    created = sign_up("Acme")
    owner = log_in("owner@acme.example")
    key = Script(made(owner, scopes=["members"])["key"])
    wanted = {"name": "x", "scopes": ["members"]}
    sent = {"Idempotency_Key": "same-for-both"}
    assert owner.post("/api/v1/orgs/acme/keys", wanted, **sent).status_code == 201
    assert problem_of(key.post("/api/v1/orgs/acme/keys", wanted, **sent)) == (403, "not_for_keys")
    assert created["organization"]["slug"] == "acme"


def test_keys_are_an_admins_business() -> None:
    created = sign_up("Acme")
    editor = member("acme", created["organization"]["id"], Role.EDITOR)
    assert problem_of(editor.get("/api/v1/orgs/acme/keys")) == (403, "forbidden")
    assert problem_of(editor.post("/api/v1/orgs/acme/keys", {"name": "x", "scopes": ["members"]})) == (403, "forbidden")


def test_pages_of_keys_go_on_where_the_last_one_ended() -> None:
    sign_up("Acme")
    owner = log_in("owner@acme.example")
    wanted = [made(owner, name=f"Key {n}")["id"] for n in range(5)]
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = body_of(owner.get(f"/api/v1/orgs/acme/keys?limit=2{cursor}"))
        found += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (found, page["next_cursor"]) == (wanted, None)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["name", "scopes"]),
        ({"name": {"$ne": ""}, "scopes": ["members"]}, ["name"]),
        ({"name": "x", "scopes": "members"}, ["scopes"]),
        ({"name": "x", "scopes": [{"$gt": ""}]}, ["scopes.0"]),
        ({"name": "x", "scopes": ["members"], "role": "root"}, ["role"]),
        ({"name": "x", "scopes": ["members"], "role": None}, ["role"]),
        ({"name": "x", "scopes": ["members"], "days": "7"}, ["days"]),
        ({"name": "x", "scopes": ["members"], "days": True}, ["days"]),
        ({"name": "x", "scopes": ["members"], "days": 10**30}, ["days"]),
        ({"name": "x", "scopes": ["members"], "org_id": "0" * 24}, ["org_id"]),
    ],
)
def test_hostile_wishes_are_refused_with_their_path(body: dict[str, Any], paths: list[str]) -> None:
    sign_up("Acme")
    assert wrong_paths(log_in("owner@acme.example").post("/api/v1/orgs/acme/keys", body)) == paths


@pytest.mark.parametrize("key_id", ["x", "0" * 23, "0" * 25, "Z" * 24, "%24ne", "%00", "..%2f", "0" * 24])
def test_an_id_that_no_key_has_is_404(key_id: str) -> None:
    sign_up("Acme")
    owner = log_in("owner@acme.example")
    for call in (owner.get, owner.delete):
        assert call(f"/api/v1/orgs/acme/keys/{key_id}").status_code == 404
