"""Members: who may change whom, what ends with a membership, and that both sides hear of it."""

from typing import Any

import pytest
from bson import ObjectId
from django.test import Client

from accounts import api_keys
from accounts.mail.queue import MAIL
from accounts.roles import Role
from orgportal import database
from tests.accounts.cast import a_session, an_account, an_organization, by_cookie, by_token, stored_account, tokens_of
from tests.scripts import Script, body_of, problem_of, wrong_paths
from tests.visitors import text_of

PASSWORD = "tall ladders rust slowly"
MEMBERS = "/api/v1/orgs/acme/members"


class Cast:
    """An organization with a member of each role, and a second one of the roles that count."""

    def __init__(self) -> None:
        self.org_id = an_organization("acme", name="Acme")
        self.ids: dict[str, ObjectId] = {}
        for name, role in (
            ("alice", Role.OWNER),
            ("olga", Role.OWNER),
            ("adam", Role.ADMIN),
            ("anna", Role.ADMIN),
            ("edith", Role.EDITOR),
            ("victor", Role.VIEWER),
        ):
            self.ids[name] = an_account(email(name), self.org_id, role=role)

    def script(self, name: str) -> Script:
        return Script(tokens_of(email(name), slug="acme").access_token)

    def browser(self, name: str) -> Client:
        client = Client()
        client.cookies["orgportal_session"] = a_session(email(name), slug="acme")
        return client

    def path(self, name: str) -> str:
        return f"{MEMBERS}/{self.ids[name]}"

    def role_of(self, name: str) -> str | None:
        row = database.collection("accounts").find_one({"_id": self.ids[name]})
        roles = [one["role"] for one in row["memberships"] if one["org_id"] == self.org_id] if row else []
        return str(roles[0]) if roles else None


def email(name: str) -> str:
    return f"{name}@example.org"


@pytest.fixture
def cast() -> Cast:
    return Cast()


def mails() -> list[tuple[str, str]]:
    """The notices that are queued or sent: to whom, of what kind."""
    return sorted((row["to"], row["context"].get("notice", "")) for row in database.collection(MAIL).find({}))


def test_every_member_sees_who_the_members_are(cast: Cast) -> None:
    page = body_of(cast.script("victor").get(MEMBERS))
    assert [(one["email"], one["role"]) for one in page["items"]] == [
        (email("alice"), "owner"),
        (email("olga"), "owner"),
        (email("adam"), "admin"),
        (email("anna"), "admin"),
        (email("edith"), "editor"),
        (email("victor"), "viewer"),
    ]
    assert page["next_cursor"] is None
    assert set(page["items"][0]) == {"id", "email", "name", "role", "joined_at", "has_second_factor"}


def test_pages_of_members_go_on_where_the_last_one_ended(cast: Cast) -> None:
    script, found, cursor = cast.script("adam"), [], ""
    for _ in range(3):
        page = body_of(script.get(f"{MEMBERS}?limit=2{cursor}"))
        found += [one["email"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [email(name) for name in cast.ids]
    assert page["next_cursor"] is None


# The actor, the member, the role to give: what comes of it.
CHANGES = [
    ("alice", "victor", "editor", 200),
    ("alice", "victor", "owner", 200),
    ("alice", "olga", "viewer", 200),
    ("alice", "alice", "admin", 200),
    ("adam", "victor", "admin", 200),
    ("adam", "anna", "viewer", 200),
    ("adam", "adam", "viewer", 200),
    ("adam", "adam", "owner", 403),
    ("adam", "victor", "owner", 403),
    ("adam", "olga", "viewer", 403),
    ("adam", "olga", "owner", 403),
    ("edith", "victor", "editor", 403),
    ("edith", "edith", "viewer", 403),
    ("edith", "edith", "admin", 403),
    ("victor", "victor", "owner", 403),
]


@pytest.mark.parametrize(("actor", "target", "role", "status"), CHANGES)
def test_who_may_give_whom_which_role(cast: Cast, actor: str, target: str, role: str, status: int) -> None:
    before = cast.role_of(target)
    answer = cast.script(actor).patch(cast.path(target), {"role": role})
    assert answer.status_code == status, answer.content
    assert cast.role_of(target) == (role if status == 200 else before)


@pytest.mark.parametrize(
    ("actor", "target", "status"),
    [
        ("alice", "victor", 204),
        ("alice", "olga", 204),
        ("alice", "alice", 204),
        ("adam", "anna", 204),
        ("adam", "edith", 204),
        ("adam", "adam", 204),
        ("adam", "olga", 403),
        ("edith", "victor", 403),
        ("victor", "edith", 403),
    ],
)
def test_who_may_remove_whom(cast: Cast, actor: str, target: str, status: int) -> None:
    assert cast.script(actor).delete(cast.path(target)).status_code == status
    assert (cast.role_of(target) is None) == (status == 204)


def test_a_new_role_counts_at_the_members_next_request(cast: Cast) -> None:
    adam = cast.script("adam")
    assert adam.get("/api/v1/orgs/acme/keys").status_code == 200
    assert cast.script("alice").patch(cast.path("adam"), {"role": "viewer"}).status_code == 200
    assert problem_of(adam.get("/api/v1/orgs/acme/keys")) == (403, "forbidden")


def test_a_removed_members_credentials_end_here_and_stay_elsewhere(cast: Cast) -> None:
    elsewhere = an_organization("elsewhere")
    bob = an_account("bob@example.org", cast.org_id, elsewhere, role=Role.ADMIN)
    here, there = a_session("bob@example.org", slug="acme"), a_session("bob@example.org", slug="elsewhere")
    token, kept = tokens_of("bob@example.org", slug="acme"), tokens_of("bob@example.org", slug="elsewhere")
    principal = by_cookie(here)
    assert principal is not None
    key = api_keys.make_key(principal=principal, name="Job", scopes=["members"]).text
    assert cast.script("alice").delete(f"{MEMBERS}/{bob}").status_code == 204
    assert [by_cookie(here), by_token(token.access_token), by_token(key)] == [None, None, None]
    assert by_cookie(there) is not None
    assert by_token(kept.access_token) is not None
    assert database.collection("sessions").count_documents({"account_id": bob, "org_id": cast.org_id}) == 0
    assert database.collection("api_keys").count_documents({}) == 0
    assert problem_of(Script().post("/api/v1/auth/refresh", {"refresh_token": token.refresh_token})) == (
        401,
        "invalid_token",
    )


def test_who_belonged_to_nothing_else_leaves_no_account_behind(cast: Cast) -> None:
    tokens_of(email("victor"))
    assert cast.script("alice").delete(cast.path("victor")).status_code == 204
    victor = {"account_id": cast.ids["victor"]}
    assert database.collection("accounts").find_one({"_id": cast.ids["victor"]}) is None
    assert database.collection("sessions").count_documents(victor) == 0


def test_an_organization_never_loses_its_last_owner(cast: Cast) -> None:
    alice, olga = cast.script("alice"), cast.script("olga")
    assert olga.post(f"{MEMBERS}/leave").status_code == 204
    for answer in (
        alice.post(f"{MEMBERS}/leave"),
        alice.delete(cast.path("alice")),
        alice.patch(cast.path("alice"), {"role": "admin"}),
    ):
        assert problem_of(answer) == (409, "last_owner")
    assert cast.role_of("alice") == "owner"


def test_making_an_owner_takes_a_recent_password_and_other_roles_do_not(cast: Cast) -> None:
    alice = cast.script("alice")
    database.collection("sessions").update_many({}, {"$set": {"sudo_until": None}})
    assert problem_of(alice.patch(cast.path("victor"), {"role": "owner"})) == (403, "sudo_required")
    assert problem_of(alice.patch(cast.path("olga"), {"role": "admin"})) == (403, "sudo_required")
    assert problem_of(alice.delete(cast.path("olga"))) == (403, "sudo_required")
    assert alice.patch(cast.path("victor"), {"role": "editor"}).status_code == 200


def test_if_match_keeps_a_change_from_overwriting_another(cast: Cast) -> None:
    alice, adam = cast.script("alice"), cast.script("adam")
    seen = alice.get(cast.path("victor"))["ETag"]
    changed = adam.patch(cast.path("victor"), {"role": "editor"}, If_Match=seen)
    assert changed.status_code == 200
    assert problem_of(alice.patch(cast.path("victor"), {"role": "admin"}, If_Match=seen)) == (412, "stale")
    assert problem_of(alice.delete(cast.path("victor"), If_Match=seen)) == (412, "stale")
    assert alice.delete(cast.path("victor"), If_Match=changed["ETag"]).status_code == 204


def test_ownership_is_handed_over_with_the_password(cast: Cast) -> None:
    alice = cast.script("alice")
    path, wanted = "/api/v1/orgs/acme/transfer", {"account_id": str(cast.ids["edith"]), "password": PASSWORD}
    assert wrong_paths(alice.post(path, {**wanted, "password": "not mine at all"})) == ["password"]
    assert wrong_paths(alice.post(path, {**wanted, "account_id": str(cast.ids["alice"])})) == ["account_id"]
    assert problem_of(alice.post(path, {**wanted, "account_id": "0" * 24})) == (404, "not_found")
    assert problem_of(cast.script("adam").post(path, wanted)) == (403, "forbidden")
    assert cast.role_of("edith") == "editor"
    answer = alice.post(path, wanted)
    assert (answer.status_code, body_of(answer)["role"]) == (200, "owner")
    assert [cast.role_of(name) for name in ("edith", "alice", "olga")] == ["owner", "admin", "owner"]


def test_guesses_at_the_password_are_counted_when_ownership_is_handed_over(cast: Cast) -> None:
    alice, wanted = cast.script("alice"), {"account_id": str(cast.ids["edith"]), "password": "not mine at all"}
    answers = [alice.post("/api/v1/orgs/acme/transfer", wanted).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    right = {**wanted, "password": PASSWORD}
    assert alice.post("/api/v1/orgs/acme/transfer", right).status_code == 429
    assert cast.role_of("edith") == "editor"


def test_those_concerned_are_told_by_mail(cast: Cast) -> None:
    alice = cast.script("alice")
    alice.patch(cast.path("victor"), {"role": "editor"})
    alice.delete(cast.path("anna"))
    alice.post("/api/v1/orgs/acme/transfer", {"account_id": str(cast.ids["edith"]), "password": PASSWORD})
    told = mails()
    for person, kind in (
        ("victor", "role_changed"),
        ("anna", "member_removed"),
        ("alice", "ownership_transferred"),
        ("edith", "ownership_transferred"),
        ("olga", "ownership_transferred"),
    ):
        assert (email(person), kind) in told


def test_every_act_is_in_the_audit(cast: Cast) -> None:
    alice = cast.script("alice")
    alice.patch(cast.path("victor"), {"role": "editor"})
    alice.delete(cast.path("anna"))
    cast.script("adam").post(f"{MEMBERS}/leave")
    alice.post("/api/v1/orgs/acme/transfer", {"account_id": str(cast.ids["edith"]), "password": PASSWORD})
    entries = database.collection("audit").find({"org_id": cast.org_id}).sort("seq", 1)
    acts = [(one["action"], one["target"]) for one in entries if one["action"].startswith(("member.", "organization."))]
    assert acts == [
        ("member.role_changed", f"account:{cast.ids['victor']}"),
        ("member.removed", f"account:{cast.ids['anna']}"),
        ("member.left", f"account:{cast.ids['adam']}"),
        ("organization.transferred", f"account:{cast.ids['edith']}"),
    ]


def test_a_key_manages_members_within_its_scope_and_role_but_no_owners(cast: Cast) -> None:
    principal = by_cookie(a_session(email("alice")))
    assert principal is not None
    text = api_keys.make_key(principal=principal, name="HR", scopes=["members"]).text
    key = Script(text)
    assert len(body_of(key.get(MEMBERS))["items"]) == 6
    assert key.patch(cast.path("victor"), {"role": "editor"}).status_code == 200
    assert problem_of(key.patch(cast.path("victor"), {"role": "owner"})) == (403, "sudo_required")
    assert problem_of(key.delete(cast.path("olga"))) == (403, "sudo_required")
    assert problem_of(key.delete(cast.path("alice"))) == (403, "not_for_keys")
    assert problem_of(key.post(f"{MEMBERS}/leave")) == (403, "not_for_keys")
    assert key.delete(cast.path("victor")).status_code == 204


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["role"]),
        ({"role": "root"}, ["role"]),
        ({"role": None}, ["role"]),
        ({"role": {"$gt": ""}}, ["role"]),
        ({"role": ["admin"]}, ["role"]),
        ({"role": "admin", "org_id": "0" * 24}, ["org_id"]),
    ],
)
def test_hostile_roles_are_refused_with_their_path(cast: Cast, body: dict[str, Any], paths: list[str]) -> None:
    assert wrong_paths(cast.script("alice").patch(cast.path("victor"), body)) == paths
    assert cast.role_of("victor") == "viewer"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, ["account_id", "password"]),
        ({"account_id": {"$ne": None}, "password": "x"}, ["account_id"]),
        ({"account_id": "0" * 23, "password": "x"}, ["account_id"]),
        ({"account_id": "0" * 24, "password": {"$ne": ""}}, ["password"]),
        ({"account_id": "0" * 24, "password": "x" * 1001}, ["password"]),
        ({"account_id": "0" * 24, "password": "x", "role": "owner"}, ["role"]),
    ],
)
def test_hostile_transfers_are_refused_with_their_path(cast: Cast, body: dict[str, Any], paths: list[str]) -> None:
    assert wrong_paths(cast.script("alice").post("/api/v1/orgs/acme/transfer", body)) == paths


@pytest.mark.parametrize("account_id", ["x", "0" * 25, "Z" * 24, "%24ne", "%00", "0" * 24])
def test_an_id_that_no_member_has_is_404(cast: Cast, account_id: str) -> None:
    alice = cast.script("alice")
    assert alice.get(f"{MEMBERS}/{account_id}").status_code == 404
    assert alice.delete(f"{MEMBERS}/{account_id}").status_code == 404
    assert alice.patch(f"{MEMBERS}/{account_id}", {"role": "viewer"}).status_code == 404


def test_a_member_of_another_organization_is_404(cast: Cast) -> None:
    bob = an_account("bob@example.org", an_organization("umbrella"))
    alice = cast.script("alice")
    assert alice.get(f"{MEMBERS}/{bob}").status_code == 404
    assert alice.patch(f"{MEMBERS}/{bob}", {"role": "viewer"}).status_code == 404
    assert alice.delete(f"{MEMBERS}/{bob}").status_code == 404
    assert stored_account(bob)["memberships"][0]["role"] == "owner"


# Pages


def test_the_page_offers_what_the_viewer_may_do(cast: Cast) -> None:
    page = cast.browser("adam").get("/members")
    body = page.content.decode()
    assert f'action="/members/{cast.ids["victor"]}/role"' in body
    assert f'action="/members/{cast.ids["olga"]}/role"' not in body
    assert '<option value="owner"' not in body
    assert "/transfer" not in body
    seen = cast.browser("victor").get("/members").content.decode()
    assert "/role" not in seen
    assert "/remove" not in seen
    assert "/members/leave" in seen


def test_a_role_is_saved_from_the_page_and_a_stale_page_says_so(cast: Cast) -> None:
    browser = cast.browser("alice")
    path = f"/members/{cast.ids['victor']}/role"
    answer = browser.post(path, {"role": "editor", "seen": "viewer"}, follow=True)
    assert "victor@example.org is now an editor." in text_of(answer)
    answer = browser.post(path, {"role": "admin", "seen": "viewer"}, follow=True)
    assert "Somebody changed this member meanwhile" in text_of(answer)
    assert cast.role_of("victor") == "editor"


def test_the_page_says_why_an_owner_cannot_go(cast: Cast) -> None:
    assert cast.script("olga").post(f"{MEMBERS}/leave").status_code == 204
    browser = cast.browser("alice")
    asked = browser.get("/members/leave")
    assert "You are its only owner" in text_of(asked)
    assert 'action="/members/leave"' not in asked.content.decode()
    assert "always has an owner" in text_of(browser.post("/members/leave", follow=True))
    assert cast.role_of("alice") == "owner"


def test_one_owner_of_two_may_leave(cast: Cast) -> None:
    asked = cast.browser("olga").get("/members/leave")
    assert 'action="/members/leave"' in asked.content.decode()


def test_leaving_asks_first_and_logs_out(cast: Cast) -> None:
    browser = cast.browser("victor")
    assert "so it is deleted" in text_of(browser.get("/members/leave"))
    assert cast.role_of("victor") == "viewer"
    answer = browser.post("/members/leave", follow=True)
    assert "your account is deleted" in text_of(answer)
    assert cast.role_of("victor") is None
    assert browser.get("/members").headers["Location"].startswith("/login")


def test_the_page_hands_over_only_with_the_password(cast: Cast) -> None:
    browser = cast.browser("alice")
    path = f"/members/{cast.ids['edith']}/transfer"
    refused = browser.post(path, {"password": "not mine at all"})
    assert (refused.status_code, "This is not your password." in text_of(refused)) == (422, True)
    assert "is the owner now" in text_of(browser.post(path, {"password": PASSWORD}, follow=True))
    assert [cast.role_of(name) for name in ("edith", "alice")] == ["owner", "admin"]


@pytest.mark.parametrize(
    "form", [{}, {"role": "root"}, {"role": ["a", "b"]}, {"role[$ne]": "x"}, {"role": "admin\x00"}]
)
def test_a_form_that_is_none_of_ours_changes_nothing(cast: Cast, form: dict[str, Any]) -> None:
    answer = cast.browser("alice").post(f"/members/{cast.ids['victor']}/role", form)
    assert answer.status_code in {400, 404}
    assert cast.role_of("victor") == "viewer"
