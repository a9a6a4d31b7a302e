"""The organization endpoints, as a script author meets them."""

import json
import re
from typing import Any

import pytest
from bson import ObjectId
from django.conf import settings

from accounts import service as accounts
from accounts.roles import Role
from orgportal import database
from tests.scripts import PASSWORD, Script, body_of, client, log_in, member, problem_of, sign_up, wrong_paths

pytestmark = pytest.mark.usefixtures("clean_database")

ORGS = "/api/v1/orgs"


def new(name: str = "Acme", **more: Any) -> dict[str, Any]:
    return {"organization_name": name, "email": "ada@acme.example", "password": PASSWORD, **more}


def owner() -> Script:
    sign_up("Acme", email="ada@acme.example")
    return log_in("ada@acme.example")


# Creating


def test_signing_up_answers_201_with_organization_and_admin() -> None:
    response = Script().post(ORGS, new("Größe & Co.", metadata={"country": "SE", "seats": 3, "trial": True, "x": None}))
    assert response.status_code == 201
    answer = body_of(response)
    assert answer["admin"]["email"] == "ada@acme.example"
    organization = answer["organization"]
    assert organization["organization_name"] == "Größe & Co."
    assert organization["collection"] == f"org_{organization['slug']}"
    assert organization["status"] == "active"
    assert organization["role"] == "owner"
    assert organization["metadata"] == {"country": "SE", "seats": 3, "trial": True, "x": None}
    assert organization["created_at"].endswith("Z")
    assert response["Location"] == f"/api/v1/orgs/{organization['slug']}"


def test_the_location_and_the_etag_of_a_new_organization_are_good() -> None:
    response = Script().post(ORGS, new())
    script = log_in("ada@acme.example")
    assert script.get(response["Location"]).status_code == 200
    changed = script.patch(response["Location"], {"organization_name": "Acme 2"}, If_Match=response["ETag"])
    assert changed.status_code == 200


def test_a_slug_can_be_chosen() -> None:
    assert body_of(Script().post(ORGS, new(slug="acme_of_sweden")))["organization"]["slug"] == "acme_of_sweden"


def test_the_collection_exists_and_the_account_can_log_in_at_once() -> None:
    assert owner().get("/api/v1/orgs/acme").status_code == 200
    assert "org_acme" in database.master().list_collection_names()


def test_a_taken_name_is_409_also_in_another_spelling() -> None:
    Script().post(ORGS, new())
    for name in ("Acme", "ACME", " acme ", "\uff21cme"):
        response = Script().post(ORGS, new(name, email="bob@acme.example"))
        assert problem_of(response) == (409, "organization_exists")
    assert problem_of(Script().post(ORGS, new("Other", slug="acme", email="bob@acme.example")))[0] == 409


def test_a_taken_address_is_409_and_leaves_no_organization() -> None:
    Script().post(ORGS, new())
    assert problem_of(Script().post(ORGS, new("Other"))) == (409, "email_taken")
    assert Script().post(ORGS, new("Other", email="bob@acme.example")).status_code == 201


def test_an_account_adds_an_organization_without_email_and_password() -> None:
    script = owner()
    response = script.post(ORGS, {"organization_name": "Second"})
    assert response.status_code == 201
    assert body_of(response)["admin"]["email"] == "ada@acme.example"
    assert [one["slug"] for one in body_of(script.get(ORGS))["items"]] == ["acme", "second"]


def test_nobody_adds_an_organization_without_email_and_password() -> None:
    assert problem_of(Script().post(ORGS, {"organization_name": "Acme"})) == (401, "unauthenticated")


def test_a_browser_adds_an_organization_only_with_the_csrf_token() -> None:
    sign_up("Acme", email="ada@acme.example")
    caller = client()
    logged_in = accounts.log_in(email="ada@acme.example", password=PASSWORD)
    caller.cookies[settings.SESSION_COOKIE_NAME] = accounts.open_session(logged_in=logged_in)
    body = json.dumps({"organization_name": "Second"})
    assert problem_of(caller.post(ORGS, body, content_type="application/json")) == (403, "csrf_failed")
    caller.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    sent = caller.post(ORGS, body, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert sent.status_code == 201


def test_a_bad_token_does_not_sign_up_as_anybody() -> None:
    assert problem_of(Script("a.b.c").post(ORGS, new())) == (401, "unauthenticated")


@pytest.mark.parametrize(("half", "path"), [("email", "password"), ("password", "email")])
def test_email_and_password_come_together(half: str, path: str) -> None:
    body = new()
    assert wrong_paths(Script().post(ORGS, {"organization_name": "Acme", half: body[half]})) == [path]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"organization_name": None}, "organization_name"),
        ({"organization_name": ""}, "organization_name"),
        ({"organization_name": "   "}, "organization_name"),
        ({"organization_name": 1}, "organization_name"),
        ({"organization_name": ["Acme"]}, "organization_name"),
        ({"organization_name": {"$ne": None}}, "organization_name"),
        ({"organization_name": "x" * 300}, "organization_name"),
        ({"organization_name": ".."}, "organization_name"),
        ({"organization_name": "$$$"}, "organization_name"),
        ({"organization_name": "a\u0000b"}, "organization_name"),
        ({"organization_name": "a\u202eb"}, "organization_name"),
        ({"organization_name": "a\u200bb"}, "organization_name"),
        ({"organization_name": "admin"}, "organization_name"),
        ({"slug": None}, "slug"),
        ({"slug": "Acme"}, "slug"),
        ({"slug": "a"}, "slug"),
        ({"slug": "1a"}, "slug"),
        ({"slug": "system.users"}, "slug"),
        ({"slug": "acme\n"}, "slug"),
        ({"slug": "a" * 41}, "slug"),
        ({"slug": "admin"}, "slug"),
        ({"slug": {"$gt": ""}}, "slug"),
        ({"email": "no address"}, "email"),
        ({"email": {"$ne": None}}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "a" * 20}, "password"),
        ({"password": 123456789012345}, "password"),
        ({"metadata": []}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {"$set": 1}}, "metadata.$set"),
        ({"metadata": {"a.b": 1}}, "metadata.a.b"),
        ({"metadata": {"": 1}}, "metadata."),
        ({"metadata": {"_cls": "Account"}}, "metadata._cls"),
        ({"metadata": {"a": "x" * 1001}}, None),
        ({"metadata": {"a": {"$ne": 1}}}, None),
        ({"metadata": {"a": [1]}}, None),
        ({"metadata": {f"k{n}": n for n in range(51)}}, "metadata"),
        ({"status": "active"}, "status"),
        ({"epoch": 1}, "epoch"),
        ({"role": "owner"}, "role"),
        ({"collection": "org_other"}, "collection"),
        ({"placement": {"cluster": "x"}}, "placement"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "created_at"),
        ({"id": "66f0c0ffee0123456789abcd"}, "id"),
        ({"__raw__": {}}, "__raw__"),
        ({"slug__ne": "x"}, "slug__ne"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_an_organization_is_refused_with_its_path(change: dict[str, Any], path: str | None) -> None:
    response = Script().post(ORGS, {**new(), **change})
    paths = wrong_paths(response)
    assert all(found.startswith(path or "metadata.a") for found in paths), paths
    assert not [name for name in database.master().list_collection_names() if name.startswith("org_")]


def test_a_signup_without_a_name_is_refused() -> None:
    assert wrong_paths(Script().post(ORGS, {"email": "ada@acme.example", "password": PASSWORD})) == [
        "organization_name"
    ]


def test_a_duplicate_key_is_refused_before_anything_happens() -> None:
    raw = json.dumps(new())[:-1] + ', "organization_name": "Other"}'
    assert wrong_paths(Script().call("POST", ORGS, raw=raw)) == ["organization_name"]


# Reading


def test_the_list_has_every_organization_of_the_account_with_its_role() -> None:
    acme = sign_up("Acme", email="ada@acme.example")
    viewer = member("acme", acme["organization"]["id"], Role.VIEWER)
    answer = body_of(viewer.get(ORGS))
    assert {(one["slug"], one["role"]) for one in answer["items"]} == {("acme", "viewer"), ("viewer_of_acme", "owner")}
    assert answer["next_cursor"] is None


def test_the_list_comes_in_pages_that_miss_and_repeat_nothing() -> None:
    script = owner()
    for number in range(6):
        script.post(ORGS, {"organization_name": f"Number {number}"})
    seen, cursor = [], ""
    while True:
        page = body_of(script.get(f"{ORGS}?limit=3{cursor}"))
        assert len(page["items"]) <= 3
        seen += [one["slug"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["acme", *(f"number_{number}" for number in range(6))]


def test_a_page_that_is_exactly_full_is_the_last_one() -> None:
    script = owner()
    script.post(ORGS, {"organization_name": "Second"})
    assert body_of(script.get(f"{ORGS}?limit=2"))["next_cursor"] is None
    assert body_of(script.get(f"{ORGS}?limit=500"))["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=501", "limit"),
        ("limit=", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%201", "limit"),
        ("limit=1e1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("cursor=x", "cursor"),
        ("cursor=66f0c0ffee0123456789abcd", "cursor"),
        ("cursor=" + "x" * 300, "cursor"),
    ],
    ids=lambda value: value[:30],
)
def test_a_list_query_of_the_wrong_shape_is_refused(query: str, path: str) -> None:
    assert wrong_paths(owner().get(f"{ORGS}?{query}")) == [path]


def test_an_organization_shows_what_it_is_and_how_much_it_holds() -> None:
    script = owner()
    answer = body_of(script.get("/api/v1/orgs/acme"))
    assert set(answer) == {
        "id", "organization_name", "slug", "collection", "status", "metadata", "created_at", "updated_at", "records",
        "storage_bytes", "role",
    }  # fmt: skip
    assert (answer["slug"], answer["collection"], answer["records"], answer["role"]) == ("acme", "org_acme", 0, "owner")


def test_an_unchanged_organization_is_304_and_a_changed_one_is_not() -> None:
    script = owner()
    first = script.get("/api/v1/orgs/acme")
    again = script.get("/api/v1/orgs/acme", If_None_Match=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    script.patch("/api/v1/orgs/acme", {"metadata": {"a": 1}})
    assert script.get("/api/v1/orgs/acme", If_None_Match=first["ETag"]).status_code == 200


def test_the_etag_covers_the_counts_but_if_match_does_not() -> None:
    script = owner()
    first = script.get("/api/v1/orgs/acme")
    database.master()["org_acme"].insert_many([{"_id": n, "data": {}} for n in range(5)])
    second = script.get("/api/v1/orgs/acme", If_None_Match=first["ETag"])
    assert second.status_code == 200
    assert body_of(second)["records"] == 5
    assert script.patch("/api/v1/orgs/acme", {"metadata": {}}, If_Match=first["ETag"]).status_code == 200


def test_head_is_get_without_the_body() -> None:
    script = owner()
    whole, head = script.get("/api/v1/orgs/acme"), script.call("HEAD", "/api/v1/orgs/acme")
    assert (head.status_code, head.content) == (200, b"")
    assert head["ETag"] == whole["ETag"]
    assert head["Content-Length"] == str(len(whole.content))


@pytest.mark.parametrize(
    "org", ["other", "no_such", "ACME", "acme ", "%61cme%00", "$ne", "..", "acme.x", "é", "a" * 5000]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_organization_is_404_as_one_that_does_not_exist(org: str, method: str) -> None:
    sign_up("Other")
    response = owner().call(method, f"/api/v1/orgs/{org}", {} if method == "PATCH" else None)
    assert problem_of(response) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_nobody_gets_401_whether_the_organization_exists_or_not(method: str) -> None:
    sign_up("Acme")
    answers = [Script().call(method, f"/api/v1/orgs/{org}", {}, X_Request_ID="same") for org in ("acme", "no_such")]
    assert [problem_of(answer) for answer in answers] == [(401, "unauthenticated")] * 2
    assert answers[0].content == answers[1].content


# Changing


def test_name_and_metadata_change_and_the_rest_stays() -> None:
    script = owner()
    response = script.patch("/api/v1/orgs/acme", {"organization_name": "Acme International", "metadata": {"a": 1.5}})
    assert response.status_code == 200
    answer = body_of(script.get("/api/v1/orgs/acme"))
    assert (answer["organization_name"], answer["slug"], answer["metadata"]) == (
        "Acme International",
        "acme",
        {"a": 1.5},
    )


def test_a_new_slug_moves_the_collection_with_its_data() -> None:
    script = owner()
    database.master()["org_acme"].insert_many([{"_id": n, "data": {}} for n in range(7)])
    response = script.patch("/api/v1/orgs/acme", {"slug": "acme_2"})
    assert response.status_code == 200, response.content
    assert (body_of(response)["slug"], body_of(response)["collection"]) == ("acme_2", "org_acme_2")
    renamed = log_in("ada@acme.example")
    assert body_of(renamed.get("/api/v1/orgs/acme_2"))["records"] == 7
    assert problem_of(renamed.get("/api/v1/orgs/acme"))[0] == 404


def test_a_token_from_before_a_rename_is_401() -> None:
    script = owner()
    script.patch("/api/v1/orgs/acme", {"slug": "acme_2"})
    assert problem_of(script.get("/api/v1/orgs/acme_2")) == (401, "unauthenticated")


def test_an_empty_change_changes_nothing() -> None:
    script = owner()
    before = script.get("/api/v1/orgs/acme")
    assert script.patch("/api/v1/orgs/acme", {}).status_code == 200
    assert script.get("/api/v1/orgs/acme")["ETag"] == before["ETag"]


def test_a_taken_slug_is_409_and_changes_nothing() -> None:
    sign_up("Other")
    script = owner()
    refused = script.patch("/api/v1/orgs/acme", {"slug": "other", "organization_name": "X"})
    assert problem_of(refused) == (409, "organization_exists")
    assert body_of(script.get("/api/v1/orgs/acme"))["organization_name"] == "Acme"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"organization_name": None}, "organization_name"),
        ({"organization_name": ""}, "organization_name"),
        ({"slug": "Admin"}, "slug"),
        ({"slug": "admin"}, "slug"),
        ({"slug": None}, "slug"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {"$a": 1}}, "metadata.$a"),
        ({"status": "deleting"}, "status"),
        ({"role": "owner"}, "role"),
        ({"rev": 1}, "rev"),
        ({"email": "x@y.example"}, "email"),
        ({"$set": {"status": "x"}}, "$set"),
    ],
    ids=str,
)
def test_a_change_of_the_wrong_shape_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    script = owner()
    before = script.get("/api/v1/orgs/acme")["ETag"]
    assert wrong_paths(script.patch("/api/v1/orgs/acme", change)) == [path]
    assert script.get("/api/v1/orgs/acme")["ETag"] == before


def test_a_stale_etag_is_412_and_changes_nothing() -> None:
    script = owner()
    tag = script.get("/api/v1/orgs/acme")["ETag"]
    assert script.patch("/api/v1/orgs/acme", {"organization_name": "First"}, If_Match=tag).status_code == 200
    late = script.patch("/api/v1/orgs/acme", {"organization_name": "Second"}, If_Match=tag)
    assert problem_of(late) == (412, "stale")
    assert body_of(script.get("/api/v1/orgs/acme"))["organization_name"] == "First"


def test_the_etag_of_a_change_serves_for_the_next_one() -> None:
    script = owner()
    tag = "*"
    for name in ("One", "Two", "Three"):
        response = script.patch("/api/v1/orgs/acme", {"organization_name": name}, If_Match=tag)
        assert response.status_code == 200
        tag = response["ETag"]


@pytest.mark.parametrize(("header", "status"), [("W/{tag}", 412), ('"x"', 412), ("x", 400), ("", 400), ("*", 200)])
def test_other_forms_of_if_match(header: str, status: int) -> None:
    script = owner()
    tag = script.get("/api/v1/orgs/acme")["ETag"]
    response = script.patch("/api/v1/orgs/acme", {"metadata": {}}, If_Match=header.format(tag=tag))
    assert response.status_code == status


# Deleting


def test_deleting_answers_204_and_leaves_nothing() -> None:
    script = owner()
    response = script.delete("/api/v1/orgs/acme")
    assert (response.status_code, response.content) == (204, b"")
    assert script.get("/api/v1/auth/me").status_code == 401
    assert (
        problem_of(Script().post("/api/v1/auth/login", {"email": "ada@acme.example", "password": PASSWORD}))[0] == 401
    )
    assert "org_acme" not in database.master().list_collection_names()


def test_deleting_leaves_the_accounts_other_organizations_alone() -> None:
    script = owner()
    script.post(ORGS, {"organization_name": "Second"})
    assert script.delete("/api/v1/orgs/acme").status_code == 204
    assert log_in("ada@acme.example").get("/api/v1/orgs/second").status_code == 200


def test_deleting_with_a_stale_etag_is_412_and_deletes_nothing() -> None:
    script = owner()
    tag = script.get("/api/v1/orgs/acme")["ETag"]
    script.patch("/api/v1/orgs/acme", {"organization_name": "Changed"})
    assert problem_of(script.delete("/api/v1/orgs/acme", If_Match=tag)) == (412, "stale")
    tag = script.get("/api/v1/orgs/acme")["ETag"]
    assert script.delete("/api/v1/orgs/acme", If_Match=tag).status_code == 204


@pytest.mark.parametrize(
    ("role", "read", "change", "delete"),
    [
        (Role.VIEWER, 200, 403, 403),
        (Role.EDITOR, 200, 403, 403),
        (Role.ADMIN, 200, 200, 403),
        (Role.OWNER, 200, 200, 204),
    ],
)
def test_each_role_may_do_what_the_contract_says(role: Role, read: int, change: int, delete: int) -> None:
    created = sign_up("Acme", email="ada@acme.example")
    script = member("acme", created["organization"]["id"], role)
    assert script.get("/api/v1/orgs/acme").status_code == read
    assert script.patch("/api/v1/orgs/acme", {"metadata": {"by": role.value}}).status_code == change
    assert script.delete("/api/v1/orgs/acme").status_code == delete


# Methods and Idempotency-Key


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/orgs", {"GET", "HEAD", "POST"}),
        ("/api/v1/orgs/acme", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("/api/v1/auth/login", {"POST"}),
        ("/api/v1/auth/refresh", {"POST"}),
        ("/api/v1/auth/logout", {"POST"}),
        ("/api/v1/auth/me", {"GET", "HEAD"}),
        ("/api/v1/openapi.json", {"GET", "HEAD"}),
        ("/api/v1/docs", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_route_does_not_have_is_405_with_allow(path: str, allow: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - allow:
        response = Script().call(method, path)
        assert problem_of(response) == (405, "method_not_allowed"), method
        assert set(re.split(r",\s*", response["Allow"])) == allow


def test_a_repeated_signup_with_its_key_gives_the_first_answer_again() -> None:
    first = Script().post(ORGS, new(), Idempotency_Key="0b7d6c1e")
    again = Script().post(ORGS, new(), Idempotency_Key="0b7d6c1e")
    assert (again.status_code, again.content) == (201, first.content)
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert again["Idempotent-Replayed"] == "true"
    assert again["X-Request-ID"] != first["X-Request-ID"]
    assert "Idempotent-Replayed" not in first


def test_a_repeated_signup_whose_answer_was_never_stored_still_finds_what_it_created() -> None:
    first = Script().post(ORGS, new(), Idempotency_Key="0b7d6c1e")
    database.collection("idempotency_keys").delete_many({})
    again = Script().post(ORGS, new(), Idempotency_Key="0b7d6c1e")
    assert body_of(again)["organization"]["id"] == body_of(first)["organization"]["id"]
    assert body_of(again)["admin"] == body_of(first)["admin"]


def test_no_identifier_of_another_organization_helps() -> None:
    created = sign_up("Other")
    script = owner()
    for name in (created["organization"]["id"], created["admin"]["id"], "org_other", str(ObjectId())):
        assert problem_of(script.get(f"/api/v1/orgs/{name}")) == (404, "not_found")
