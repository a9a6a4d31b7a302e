"""The authentication endpoints, as a script author meets them."""

import pytest
from bson import ObjectId
from django.conf import settings
from django.test import Client

from accounts import service as accounts
from accounts.roles import Role
from tests.scripts import PASSWORD, Script, body_of, client, log_in, problem_of, sign_up, wrong_paths

pytestmark = pytest.mark.usefixtures("clean_database")

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"
ME = "/api/v1/auth/me"


def credentials(email: str = "owner@acme.example", password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"email": email, "password": password, **more}


def browser(email: str = "owner@acme.example", *, csrf: bool = True) -> Client:
    """A client with a session cookie, as after logging in with a form."""
    caller = client(enforce_csrf_checks=csrf)
    secret = accounts.open_session(logged_in=accounts.log_in(email=email, password=PASSWORD, choose_later=True))
    caller.cookies[settings.SESSION_COOKIE_NAME] = secret
    return caller


def test_login_gives_tokens_for_the_organization() -> None:
    created = sign_up("Acme")
    response = Script().post(LOGIN, credentials())
    assert response.status_code == 200
    answer = body_of(response)
    assert set(answer) == {
        "access_token", "token_type", "expires_in", "refresh_token", "admin_id", "org_id", "org_name",
    }  # fmt: skip
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == int(settings.ACCESS_TOKEN_SECONDS)
    assert answer["admin_id"] == created["admin"]["id"]
    assert answer["org_id"] == created["organization"]["id"]
    assert answer["org_name"] == "acme"
    assert response["Cache-Control"] == "no-store"


def test_the_address_is_the_same_in_any_case() -> None:
    sign_up("Acme")
    assert Script().post(LOGIN, credentials("Owner@ACME.Example")).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        credentials(password="another long walk"),
        credentials(email="nobody@acme.example"),
        credentials(email="no address"),
        credentials(email=""),
        credentials(password=""),
        credentials(password=PASSWORD + " "),
        credentials(password=PASSWORD + "x" * 900),
        credentials(password="\u0000" * 20),
        credentials(org="other"),
        credentials(org="no such"),
        credentials(org=""),
        credentials(org="$ne"),
    ],
    ids=str,
)
def test_every_wrong_pair_gets_the_same_answer(wrong: dict[str, str]) -> None:
    sign_up("Acme")
    sign_up("Other")
    response = Script().post(LOGIN, wrong, X_Request_ID="same")
    assert problem_of(response) == (401, "invalid_credentials")
    usual = Script().post(LOGIN, credentials(email="x@x.example", password="x"), X_Request_ID="same")
    assert response.content == usual.content
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_account_of_several_organizations_is_asked_which_one() -> None:
    sign_up("Acme")
    log_in("owner@acme.example").post("/api/v1/orgs", {"organization_name": "Second"})
    response = Script().post(LOGIN, credentials())
    assert problem_of(response) == (409, "choose_organization")
    assert {(one["slug"], one["organization_name"], one["role"]) for one in body_of(response)["organizations"]} == {
        ("acme", "Acme", "owner"),
        ("second", "Second", "owner"),
    }
    assert body_of(Script().post(LOGIN, credentials(org="second")))["org_name"] == "second"


def test_the_list_of_organizations_is_not_shown_for_a_wrong_password() -> None:
    sign_up("Acme")
    log_in("owner@acme.example").post("/api/v1/orgs", {"organization_name": "Second"})
    response = Script().post(LOGIN, credentials(password="another long walk"))
    assert problem_of(response) == (401, "invalid_credentials")
    assert "organizations" not in body_of(response)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"email": "a@b.example"}, "password"),
        ({"password": PASSWORD}, "email"),
        ({"email": None, "password": PASSWORD}, "email"),
        ({"email": {"$ne": None}, "password": PASSWORD}, "email"),
        ({"email": ["a@b.example"], "password": PASSWORD}, "email"),
        ({"email": "a@b.example", "password": {"$gt": ""}}, "password"),
        ({"email": "a@b.example", "password": 1}, "password"),
        ({"email": "a@b.example", "password": True}, "password"),
        ({"email": "a@b.example", "password": PASSWORD, "org": None}, "org"),
        ({"email": "a@b.example", "password": PASSWORD, "org": {"$ne": 1}}, "org"),
        ({"email": "a@b.example", "password": PASSWORD, "role": "owner"}, "role"),
        ({"email": "a@b.example", "password": PASSWORD, "email[$ne]": "x"}, "email[$ne]"),
        ({"email": "a" * 1001, "password": PASSWORD}, "email"),
    ],
    ids=str,
)
def test_a_login_of_the_wrong_shape_is_refused_with_its_path(body: dict[str, object], path: str) -> None:
    assert wrong_paths(Script().post(LOGIN, body)) == [path]


@pytest.mark.parametrize("body", [None, [], "text", 1, True, [{"email": "a@b.example", "password": PASSWORD}]], ids=str)
def test_a_login_that_is_no_object_is_refused(body: object) -> None:
    assert problem_of(Script().post(LOGIN, body))[0] == 422


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"],
)
def test_a_login_that_is_not_json_is_415(content_type: str) -> None:
    response = Script().call("POST", LOGIN, credentials(), Content_Type=content_type)
    assert response.status_code == 415


def test_json_may_say_its_charset() -> None:
    sign_up("Acme")
    response = Script().call("POST", LOGIN, credentials(), Content_Type="application/json; charset=UTF-8")
    assert response.status_code == 200


def test_me_says_who_and_where_and_how() -> None:
    created = sign_up("Acme")
    answer = body_of(log_in("owner@acme.example").get(ME))
    assert answer == {
        "account": created["admin"],
        "organization": {"id": created["organization"]["id"], "organization_name": "Acme", "slug": "acme"},
        "role": "owner",
        "method": "token",
        "scopes": ["records:read", "records:write", "members", "organization"],
    }


def test_me_knows_a_browsers_session_by_its_cookie() -> None:
    sign_up("Acme")
    answer = body_of(browser().get(ME))
    assert (answer["method"], answer["organization"]["slug"]) == ("session", "acme")


def test_a_session_that_has_still_to_choose_has_no_organization() -> None:
    sign_up("Acme")
    log_in("owner@acme.example").post("/api/v1/orgs", {"organization_name": "Second"})
    answer = body_of(browser().get(ME))
    assert (answer["organization"], answer["role"]) == (None, None)


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer x", "bearer a.b.c", "Bearer a b", "Bearer  x.y.z"]
)
def test_a_bad_bearer_is_refused_even_beside_a_good_cookie(authorization: str) -> None:
    sign_up("Acme")
    caller = browser()
    assert caller.get(ME).status_code == 200
    response = caller.get(ME, headers={"Authorization": authorization})
    assert problem_of(response) == (401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_good_bearer_wins_over_a_cookie() -> None:
    sign_up("Acme")
    sign_up("Other")
    caller = browser("owner@other.example")
    answer = caller.get(ME, headers={"Authorization": f"Bearer {log_in('owner@acme.example').token}"})
    assert body_of(answer)["organization"]["slug"] == "acme"


def test_nobody_is_401() -> None:
    response = Script().get(ME)
    assert problem_of(response) == (401, "unauthenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_unsafe_call_with_a_cookie_needs_the_csrf_token() -> None:
    sign_up("Acme")
    caller = browser()
    assert problem_of(caller.post(LOGOUT)) == (403, "csrf_failed")
    assert problem_of(caller.post(LOGOUT, headers={"X-CSRFToken": "x" * 64})) == (403, "csrf_failed")
    assert caller.get(ME).status_code == 200


def test_an_unsafe_call_with_a_cookie_and_the_csrf_token_is_done() -> None:
    sign_up("Acme")
    caller = browser()
    token = "a" * 32
    caller.cookies[settings.CSRF_COOKIE_NAME] = token
    response = caller.post(LOGOUT, headers={"X-CSRFToken": token})
    assert response.status_code == 204
    assert response.cookies[settings.SESSION_COOKIE_NAME].value == ""
    assert caller.get(ME).status_code == 401


def test_the_csrf_token_does_not_help_a_stranger() -> None:
    caller = client()
    caller.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    assert problem_of(caller.post(LOGOUT, headers={"X-CSRFToken": "a" * 32})) == (401, "unauthenticated")


def test_refreshing_gives_a_new_pair_and_both_access_tokens_work() -> None:
    sign_up("Acme")
    first = body_of(Script().post(LOGIN, credentials()))
    second = body_of(Script().post(REFRESH, {"refresh_token": first["refresh_token"]}))
    assert set(second) == set(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    for token in (first["access_token"], second["access_token"]):
        assert Script(token).get(ME).status_code == 200


def test_the_second_use_of_a_refresh_token_revokes_the_family() -> None:
    sign_up("Acme")
    first = body_of(Script().post(LOGIN, credentials()))
    second = body_of(Script().post(REFRESH, {"refresh_token": first["refresh_token"]}))
    again = Script().post(REFRESH, {"refresh_token": first["refresh_token"]})
    assert problem_of(again) == (401, "invalid_token")
    assert problem_of(Script().post(REFRESH, {"refresh_token": second["refresh_token"]})) == (401, "invalid_token")
    assert Script(second["access_token"]).get(ME).status_code == 401


def test_a_lost_answer_of_a_refresh_can_be_asked_for_again_with_an_idempotency_key() -> None:
    sign_up("Acme")
    first = body_of(Script().post(LOGIN, credentials()))
    body = {"refresh_token": first["refresh_token"]}
    once = Script().post(REFRESH, body, Idempotency_Key="k-1")
    again = Script().post(REFRESH, body, Idempotency_Key="k-1")
    assert body_of(again) == body_of(once)
    assert Script(body_of(again)["access_token"]).get(ME).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "null", "x" * 4096])
def test_what_is_no_refresh_token_is_401(token: str) -> None:
    assert problem_of(Script().post(REFRESH, {"refresh_token": token})) == (401, "invalid_token")


def test_an_access_token_does_not_refresh_and_a_refresh_token_does_not_authenticate() -> None:
    sign_up("Acme")
    pair = body_of(Script().post(LOGIN, credentials()))
    assert problem_of(Script().post(REFRESH, {"refresh_token": pair["access_token"]}))[0] == 401
    assert Script(pair["refresh_token"]).get(ME).status_code == 401


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": {"$ne": ""}}, {"refresh_token": 1}])
def test_a_refresh_of_the_wrong_shape_is_422(body: dict[str, object]) -> None:
    assert wrong_paths(Script().post(REFRESH, body)) == ["refresh_token"]


def test_logging_out_revokes_the_family_at_once() -> None:
    sign_up("Acme")
    pair = body_of(Script().post(LOGIN, credentials()))
    script = Script(pair["access_token"])
    response = script.post(LOGOUT)
    assert (response.status_code, response.content) == (204, b"")
    assert script.get(ME).status_code == 401
    assert script.post(LOGOUT).status_code == 401
    assert Script().post(REFRESH, {"refresh_token": pair["refresh_token"]}).status_code == 401


def test_logging_out_leaves_other_logins_alone() -> None:
    sign_up("Acme")
    one, other = log_in("owner@acme.example"), log_in("owner@acme.example")
    one.post(LOGOUT)
    assert other.get(ME).status_code == 200


def test_a_removed_member_is_401_at_the_next_call() -> None:
    created = sign_up("Acme")
    sign_up("Other")
    script = log_in("owner@acme.example")
    accounts.forget_organization(org_id=ObjectId(created["organization"]["id"]))
    assert script.get(ME).status_code == 401


def test_the_role_is_the_accounts_own_and_not_what_the_token_said() -> None:
    acme, other = sign_up("Acme"), sign_up("Other")
    accounts.add_membership(
        account_id=ObjectId(other["admin"]["id"]), org_id=ObjectId(acme["organization"]["id"]), role=Role.VIEWER
    )
    assert body_of(log_in("owner@other.example", org="acme").get(ME))["role"] == "viewer"
    assert body_of(log_in("owner@other.example", org="other").get(ME))["role"] == "owner"
