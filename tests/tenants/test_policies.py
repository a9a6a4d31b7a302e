"""What an organization demands of its members: set by its admins, in force from the next request on."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.conf import LazySettings

from accounts import api_keys
from accounts import service as accounts
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from tests.accounts.cast import by_cookie, by_token, somebody
from tests.accounts.factors.apps import a_clock, switched_on
from tests.scripts import PASSWORD, Script, body_of, log_in, member, problem_of, sign_up, wrong_paths
from tests.visitors import field_error, signed_up, text_of, value_of

pytestmark = pytest.mark.usefixtures("clean_database")

POLICY = "/api/v1/orgs/acme/policy"
OWNER = "owner@acme.example"
PORTALS_OWN = {
    "min_password_length": None,
    "session_seconds": None,
    "second_factor_required": False,
    "second_factor_from": None,
}


@pytest.fixture
def owner() -> Script:
    sign_up("Acme")
    return log_in(OWNER)


def changed(script: Script, **changes: Any) -> dict[str, Any]:
    answer = script.patch(POLICY, changes)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = body_of(answer)
    return found


def org_id() -> ObjectId:
    row = database.collection("organizations").find_one({"slug": "acme"})
    assert row is not None
    found: ObjectId = row["_id"]
    return found


def grace_is_over() -> None:
    past = {"policy.second_factor_from": now() - timedelta(seconds=1)}
    assert database.collection("organizations").update_one({"slug": "acme"}, {"$set": past}).matched_count == 1


def a_cookie(email: str = OWNER) -> str:
    return accounts.open_session(logged_in=accounts.log_in(email=email, password=PASSWORD, org_slug="acme"))


def test_without_one_the_portals_own_rules_are_in_force(owner: Script) -> None:
    assert body_of(owner.get(POLICY)) == PORTALS_OWN


def test_each_part_changes_by_itself_and_goes_back_with_null(owner: Script) -> None:
    assert changed(owner, min_password_length=20) == {**PORTALS_OWN, "min_password_length": 20}
    assert changed(owner, session_seconds=3600) == {**PORTALS_OWN, "min_password_length": 20, "session_seconds": 3600}
    assert changed(owner, min_password_length=None, session_seconds=None) == PORTALS_OWN
    assert changed(owner) == PORTALS_OWN


def test_every_member_sees_it_and_only_admins_change_it(owner: Script) -> None:
    changed(owner, min_password_length=20)
    viewer, admin = member("acme", org_id(), Role.VIEWER), member("acme", org_id(), Role.ADMIN)
    assert body_of(viewer.get(POLICY))["min_password_length"] == 20
    assert problem_of(viewer.patch(POLICY, {"min_password_length": 16})) == (403, "forbidden")
    assert changed(admin, min_password_length=16)["min_password_length"] == 16


def test_a_change_wants_the_password_again_after_a_while(owner: Script) -> None:
    database.collection("sessions").update_many({}, {"$set": {"sudo_until": now()}})
    assert problem_of(owner.patch(POLICY, {"min_password_length": 20})) == (403, "sudo_required")


def test_a_stale_change_is_refused(owner: Script) -> None:
    tag = owner.get(POLICY)["ETag"]
    changed(owner, min_password_length=20)
    answer = owner.patch(POLICY, {"min_password_length": 30}, If_Match=tag)
    assert problem_of(answer) == (412, "stale")
    assert body_of(owner.get(POLICY))["min_password_length"] == 20


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_password_length", 7),
        ("min_password_length", 65),
        ("min_password_length", "20"),
        ("min_password_length", True),
        ("session_seconds", 899),
        ("session_seconds", 10**12),
        ("session_seconds", {"$gt": 0}),
        ("second_factor_required", None),
        ("second_factor_required", "yes"),
        ("second_factor_grace_days", 91),
        ("second_factor_grace_days", -1),
        ("status", "deleting"),
    ],
)
def test_what_cannot_be_demanded_is_refused(owner: Script, field: str, value: Any) -> None:
    assert wrong_paths(owner.patch(POLICY, {field: value})) == [field]
    assert body_of(owner.get(POLICY)) == PORTALS_OWN


def test_a_session_is_at_most_as_long_as_the_portals(owner: Script, settings: LazySettings) -> None:
    settings.SESSION_ABSOLUTE_SECONDS = 7200.0
    assert wrong_paths(owner.patch(POLICY, {"session_seconds": 7201})) == ["session_seconds"]
    assert changed(owner, session_seconds=7200)["session_seconds"] == 7200


# Sessions


def test_sessions_and_tokens_that_are_too_old_end_at_the_next_request(owner: Script) -> None:
    cookie = a_cookie()
    pair = accounts.issue_tokens(logged_in=accounts.log_in(email=OWNER, password=PASSWORD))
    earlier = {"created_at": now() - timedelta(hours=2)}
    database.collection("sessions").update_many({}, {"$set": earlier})
    assert by_cookie(cookie) is not None
    fresh = log_in(OWNER)
    changed(fresh, session_seconds=3600)
    assert by_cookie(cookie) is None
    assert by_token(pair.access_token) is None
    refreshed = Script().post("/api/v1/auth/refresh", {"refresh_token": pair.refresh_token})
    assert problem_of(refreshed) == (401, "invalid_token")
    assert fresh.get(POLICY).status_code == 200


# Passwords


def test_a_new_password_is_as_long_as_the_strictest_of_ones_organizations_wants(owner: Script) -> None:
    changed(owner, min_password_length=30)
    principal = somebody(a_cookie())
    with pytest.raises(Exception, match="not acceptable") as caught:
        accounts.change_password(principal=principal, current=PASSWORD, new="tall ladders rust slowly")
    assert "30" in str(vars(caught.value))
    accounts.change_password(principal=principal, current=PASSWORD, new="tall ladders rust slowly in the rain")


def test_a_new_password_does_not_lean_on_the_name_of_any_of_ones_organizations(owner: Script) -> None:
    add = owner.post("/api/v1/orgs", {"organization_name": "Umbrella Works", "slug": "parasol"})
    assert add.status_code == 201
    principal = somebody(a_cookie())
    for leaning in ("umbrella works 12", "parasol-parasol-1", "acme acme acme 12"):
        with pytest.raises(Exception, match="not acceptable"):
            accounts.change_password(principal=principal, current=PASSWORD, new=leaning)


# The second factor


def test_a_second_factor_is_wanted_after_the_grace_and_not_before(owner: Script) -> None:
    found = changed(owner, second_factor_required=True, second_factor_grace_days=3)
    wanted = now() + timedelta(days=3)
    assert abs((wanted.replace(tzinfo=None) - _moment(found)).total_seconds()) < 60
    assert owner.get("/api/v1/orgs/acme").status_code == 200
    grace_is_over()
    assert problem_of(owner.get("/api/v1/orgs/acme")) == (403, "second_factor_required")
    assert problem_of(owner.get(POLICY)) == (403, "second_factor_required")


def _moment(policy: dict[str, Any]) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(policy["second_factor_from"].rstrip("Z"))


def test_required_again_without_a_grace_the_date_stays(owner: Script) -> None:
    first = changed(owner, second_factor_required=True)
    assert changed(owner, second_factor_required=True) == first
    assert changed(owner, second_factor_grace_days=20) != first
    assert changed(owner, second_factor_required=False) == PORTALS_OWN


def test_a_grace_alone_demands_nothing(owner: Script) -> None:
    assert changed(owner, second_factor_grace_days=0) == PORTALS_OWN


def test_who_has_one_works_on_and_so_do_the_keys_that_they_made(owner: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = a_clock(monkeypatch)
    bob = member("acme", org_id(), Role.ADMIN)
    bobs = by_token(bob.token)
    assert bobs is not None
    bobs_key = Script(api_keys.make_key(principal=bobs, name="bobs", scopes=["organization"]).text)
    cookie = a_cookie()
    switched_on(somebody(cookie), clock)
    mine = somebody(cookie)
    my_key = Script(api_keys.make_key(principal=mine, name="mine", scopes=["organization"]).text)
    changed(bob, second_factor_required=True, second_factor_grace_days=0)
    assert my_key.get("/api/v1/orgs/acme").status_code == 200
    assert problem_of(bobs_key.get("/api/v1/orgs/acme")) == (403, "second_factor_required")
    assert problem_of(bob.get("/api/v1/orgs/acme")) == (403, "second_factor_required")


def test_who_has_none_can_look_after_the_account_and_log_out(owner: Script) -> None:
    changed(owner, second_factor_required=True, second_factor_grace_days=0)
    assert owner.get("/api/v1/auth/me").status_code == 200
    assert owner.post("/api/v1/auth/second-factor").status_code == 201
    assert owner.post("/api/v1/auth/logout").status_code == 204


def test_a_browser_is_led_to_the_set_up() -> None:
    client = signed_up()
    database.collection("organizations").update_many(
        {}, {"$set": {"policy": {"second_factor_from": now() - timedelta(seconds=1)}}}
    )
    for path in ("/dashboard", "/settings", "/security"):
        assert client.get(path)["Location"] == "/account/security", path
    assert "lets nobody in without a second factor" in text_of(client.get("/account/security"))
    assert client.get("/choose").status_code == 200
    assert client.get("/account").status_code == 200


# The page


def test_an_admin_sets_it_on_the_page() -> None:
    client = signed_up()
    page = client.get("/security")
    sent = {
        "min_password_length": "20",
        "session_seconds": "3600",
        "second_factor_required": "on",
        "second_factor_grace_days": "14",
        "rev": value_of(page, "rev"),
    }
    assert client.post("/security", sent)["Location"] == "/security"
    page = client.get("/security")
    assert "The policy is in force." in text_of(page)
    assert "In force from" in text_of(page)
    assert value_of(page, "min_password_length") == "20"
    row = database.collection("organizations").find_one({})
    assert row is not None
    assert row["policy"]["session_seconds"] == 3600
    assert row["policy"]["second_factor_from"] > now() + timedelta(days=13)


def test_the_page_says_beside_the_field_what_is_wrong() -> None:
    client = signed_up()
    rev = value_of(client.get("/security"), "rev")
    refused = client.post("/security", {"min_password_length": "9", "second_factor_grace_days": "1000", "rev": rev})
    assert refused.status_code == 422
    assert field_error(refused, "min_password_length")
    assert field_error(refused, "second_factor_grace_days")


def test_of_two_admins_the_slower_one_is_told() -> None:
    client = signed_up()
    rev = value_of(client.get("/security"), "rev")
    assert client.post("/security", {"min_password_length": "20", "rev": rev}).status_code == 302
    assert client.post("/security", {"min_password_length": "30", "rev": rev}).status_code == 412


def test_a_session_of_the_api_that_no_choice_offers_is_kept_by_the_page() -> None:
    client = signed_up()
    database.collection("organizations").update_many({}, {"$set": {"policy": {"session_seconds": 5400}}})
    page = client.get("/security")
    assert "90 minutes" in text_of(page)
    sent = {"session_seconds": "5400", "rev": value_of(page, "rev")}
    assert client.post("/security", sent).status_code == 302
