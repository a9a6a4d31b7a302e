"""Passkeys over the API: added, listed, renamed, removed; as second factor, and alone."""

from datetime import timedelta

import pytest
from pymongo.errors import DuplicateKeyError
from pytest_django import Settings

from accounts.factors import codes
from accounts.tokens import now
from orgportal import database
from tests.accounts.passkeys.adding import AUTH, PASSKEYS, add, added, options_of, options_to_add
from tests.accounts.passkeys.authenticator import Authenticator, lying, to_bytes, to_text
from tests.accounts.passkeys.conftest import EMAIL
from tests.accounts.passkeys.showing import log_in_alone, log_in_with, options_after_password, options_alone
from tests.scripts import PASSWORD, Script, body_of, log_in, problem_of, sign_up, wrong_paths


def forget_the_password() -> None:
    """The password was entered long ago, in every session."""
    database.collection("sessions").update_many({}, {"$set": {"sudo_until": now() - timedelta(seconds=1)}})


def actions() -> list[str]:
    """What the audit has of passkeys and factors, in order."""
    rows = database.collection("audit").find({}, {"action": 1}).sort("_id", 1)
    return [row["action"] for row in rows if row["action"].startswith(("passkey.", "second_factor."))]


def mails() -> list[str]:
    """The kinds of notices in the queue."""
    rows = database.collection("mail").find({})
    return sorted(row["context"]["notice"] for row in rows if "notice" in row.get("context", {}))


def test_the_first_passkey_is_the_second_factor_and_comes_with_recovery_codes(script: Script) -> None:
    other = log_in(EMAIL)
    made = added(script, Authenticator(synced=True), name="  My   phone ")
    assert (made["name"], made["used_at"], made["is_synced"]) == ("My phone", None, True)
    assert len(made["recovery_codes"]) == 10
    found = body_of(script.get(f"{AUTH}/second-factor"))
    assert (found["enabled"], found["totp"], found["passkeys"], found["recovery_codes_left"]) == (True, False, 1, 10)
    assert problem_of(other.get(f"{AUTH}/me")) == (401, "unauthenticated")
    refused = Script().post(f"{AUTH}/login", {"email": EMAIL, "password": PASSWORD})
    assert problem_of(refused) == (401, "otp_required")
    code = made["recovery_codes"][0]
    assert Script().post(f"{AUTH}/login", {"email": EMAIL, "password": PASSWORD, "otp": code}).status_code == 200
    assert {"passkey.added", "second_factor.switched_on"} <= set(actions())
    assert "passkey_added" in mails()


def test_a_further_one_ends_nothing_and_makes_no_codes(owner: Script) -> None:
    made = added(owner, Authenticator(), name="Security key")
    assert made["recovery_codes"] == []
    listed = body_of(owner.get(PASSKEYS))
    assert ([one["name"] for one in listed["items"]], listed["next_cursor"]) == (["Phone", "Security key"], None)


def test_the_options_are_as_the_specification_wants_them(owner: Script, device: Authenticator) -> None:
    options = options_to_add(owner)
    assert options["rp"] == {"name": "Orgportal", "id": "testserver"}
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    own = to_text(device.held[0].id)
    assert [one["id"] for one in options["excludeCredentials"]] == [own]
    assert [one["id"] for one in options_after_password(EMAIL)["allowCredentials"]] == [own]
    assert options_alone()["allowCredentials"] == []


def test_a_user_handle_tells_nothing_about_the_person(owner: Script) -> None:
    account = database.collection("accounts").find_one({"email": EMAIL})
    assert account is not None
    assert to_bytes(options_to_add(owner)["user"]["id"]) == account["_id"].binary


def test_challenges_are_random_and_only_their_digests_are_stored(owner: Script) -> None:
    given = {options_to_add(owner)["challenge"] for _ in range(3)} | {options_alone()["challenge"]}
    assert len(given) == 4
    assert {len(to_bytes(one)) for one in given} == {64}
    stored = list(database.collection("passkey_challenges").find({}))
    assert len(stored) >= 4
    assert not any(one in str(stored) for one in given)


def test_it_is_the_second_factor_after_the_password(owner: Script, device: Authenticator) -> None:
    answer = log_in_with(device.get(options_after_password(EMAIL), lying(verified=False)))
    assert answer.status_code == 200, answer.content
    assert Script(body_of(answer)["access_token"]).get(f"{AUTH}/me").status_code == 200
    refused = Script().post(f"{AUTH}/login/passkey/options", {"email": EMAIL, "password": "not the password"})
    assert problem_of(refused) == (401, "invalid_credentials")


def test_the_audit_says_by_what_somebody_logged_in(owner: Script, device: Authenticator) -> None:
    log_in_alone(device)
    log_in_with(device.get(options_after_password(EMAIL)))
    code = body_of(owner.post(f"{AUTH}/second-factor/recovery-codes"))["recovery_codes"][0]
    Script().post(f"{AUTH}/login", {"email": EMAIL, "password": PASSWORD, "otp": code})
    rows = database.collection("audit").find({"action": "login.succeeded"}).sort("_id", 1)
    told = [row["details"]["by"] for row in rows]
    assert told == ["password", "passkey", "password and passkey", "password and code"]


def test_alone_it_is_both_factors(owner: Script, device: Authenticator) -> None:
    answer = log_in_alone(device)
    assert answer.status_code == 200, answer.content
    fresh = Script(body_of(answer)["access_token"])
    assert body_of(fresh.get(f"{AUTH}/me"))["account"]["email"] == EMAIL
    assert body_of(fresh.get(PASSKEYS))["items"][0]["used_at"]
    # It counts as the password that was just entered.
    assert fresh.post(f"{PASSKEYS}/options").status_code == 200


def test_an_account_of_several_organizations_says_which(script: Script, device: Authenticator) -> None:
    script.post("/api/v1/orgs", {"organization_name": "Umbrella"})
    added(script, device)
    assert problem_of(log_in_alone(device)) == (409, "choose_organization")
    assert body_of(log_in_alone(device, org="umbrella"))["org_name"] == "umbrella"
    assert problem_of(log_in_alone(device, org="elsewhere")) == (401, "invalid_passkey")


def test_it_satisfies_what_the_organization_demands(script: Script, device: Authenticator) -> None:
    demand = {"second_factor_required": True, "second_factor_grace_days": 0}
    assert script.patch("/api/v1/orgs/acme/policy", demand).status_code == 200
    assert problem_of(script.get("/api/v1/orgs/acme")) == (403, "second_factor_required")
    made = added(script, device)
    assert script.get("/api/v1/orgs/acme").status_code == 200
    assert script.delete(f"{PASSKEYS}/{made['id']}").status_code == 204
    assert problem_of(script.get("/api/v1/orgs/acme")) == (403, "second_factor_required")


def test_removed_it_opens_nothing_and_as_the_last_it_switches_the_second_factor_off(
    owner: Script, device: Authenticator
) -> None:
    other = Script(body_of(log_in_alone(device))["access_token"])
    [passkey] = body_of(owner.get(PASSKEYS))["items"]
    assert owner.delete(f"{PASSKEYS}/{passkey['id']}").status_code == 204
    assert problem_of(owner.delete(f"{PASSKEYS}/{passkey['id']}")) == (404, "not_found")
    assert problem_of(other.get(f"{AUTH}/me")) == (401, "unauthenticated")
    assert problem_of(log_in_alone(device)) == (401, "invalid_passkey")
    assert body_of(owner.get(f"{AUTH}/second-factor"))["enabled"] is False
    log_in(EMAIL)
    assert actions()[-2:] == ["passkey.removed", "second_factor.switched_off"]
    assert mails()[-1] == "passkey_removed_last"
    account = database.collection("accounts").find_one({"email": EMAIL})
    assert account is not None
    assert "secrets" not in account


def test_one_of_several_is_removed_and_the_others_stay(owner: Script, device: Authenticator) -> None:
    made = added(owner, Authenticator(), name="Key")
    assert owner.delete(f"{PASSKEYS}/{made['id']}").status_code == 204
    assert log_in_alone(device).status_code == 200
    assert body_of(owner.get(f"{AUTH}/second-factor"))["recovery_codes_left"] == 10
    assert "passkey_removed" in mails()


def test_it_gets_another_name(owner: Script) -> None:
    [passkey] = body_of(owner.get(PASSKEYS))["items"]
    answer = owner.patch(f"{PASSKEYS}/{passkey['id']}", {"name": "Laptop"})
    assert body_of(answer) == {**passkey, "name": "Laptop"}
    assert body_of(owner.get(PASSKEYS))["items"][0]["name"] == "Laptop"
    assert wrong_paths(owner.patch(f"{PASSKEYS}/{passkey['id']}", {"name": "  "})) == ["name"]
    assert problem_of(owner.patch(f"{PASSKEYS}/{'0' * 24}", {"name": "Laptop"})) == (404, "not_found")
    assert actions()[-1] == "passkey.renamed"


def test_adding_and_removing_want_the_password_again_or_the_passkey(owner: Script, device: Authenticator) -> None:
    [passkey] = body_of(owner.get(PASSKEYS))["items"]
    forget_the_password()
    assert problem_of(owner.post(f"{PASSKEYS}/options")) == (403, "sudo_required")
    assert problem_of(owner.delete(f"{PASSKEYS}/{passkey['id']}")) == (403, "sudo_required")
    options = options_of(owner.post(f"{AUTH}/sudo/passkey/options"))
    assert options["userVerification"] == "required"
    unverified = {"credential": device.get(options, lying(verified=False))}
    assert wrong_paths(owner.post(f"{AUTH}/sudo/passkey", unverified)) == ["credential"]
    shown = {"credential": device.get(options_of(owner.post(f"{AUTH}/sudo/passkey/options")))}
    assert owner.post(f"{AUTH}/sudo/passkey", shown).status_code == 200
    assert wrong_paths(owner.post(f"{AUTH}/sudo/passkey", shown)) == ["credential"]
    assert owner.delete(f"{PASSKEYS}/{passkey['id']}").status_code == 204


def test_ten_are_the_most(owner: Script) -> None:
    for number in range(9):
        added(owner, Authenticator(), name=f"Key {number}")
    assert problem_of(owner.post(f"{PASSKEYS}/options")) == (409, "too_many_passkeys")


def test_a_short_password_keeps_the_last_factor(owner: Script, device: Authenticator) -> None:
    database.collection("accounts").update_one({"email": EMAIL}, {"$set": {"secrets.short_password": True}})
    [passkey] = body_of(owner.get(PASSKEYS))["items"]
    assert problem_of(owner.delete(f"{PASSKEYS}/{passkey['id']}")) == (409, "password_too_short")


def test_two_accounts_cannot_have_the_same_passkey(owner: Script, device: Authenticator) -> None:
    """The same id with another key, as somebody would register what was seen of another's."""
    sign_up("Umbrella")
    other = log_in("owner@umbrella.example")
    forged = Authenticator(next_id=device.held[0].id)
    assert problem_of(add(other, forged)) == (409, "passkey_taken")
    assert body_of(other.get(PASSKEYS))["items"] == []
    assert log_in_alone(device).status_code == 200


def test_nor_can_they_when_both_are_at_it_at_once(owner: Script, device: Authenticator) -> None:
    """What the first look does not find, the unique index refuses; no notice stays of it."""
    sign_up("Umbrella")
    umbrella = database.collection("accounts").find_one({"email": "owner@umbrella.example"})
    acme = database.collection("accounts").find_one({"email": EMAIL})
    assert umbrella is not None
    assert acme is not None
    with pytest.raises(DuplicateKeyError):
        database.collection("accounts").update_one(
            {"_id": umbrella["_id"]}, {"$push": {"secrets.passkeys": acme["secrets"]["passkeys"][0]}}
        )


def test_passkeys_go_with_their_account(owner: Script, device: Authenticator) -> None:
    owner.post(f"{PASSKEYS}/options")
    owner.post(f"{AUTH}/sudo/passkey/options")
    assert owner.delete("/api/v1/orgs/acme").status_code in {202, 204}
    assert database.collection("accounts").find_one({"secrets.passkeys.id": {"$exists": True}}) is None
    assert database.collection("passkey_challenges").find_one({"account_id": {"$ne": None}}) is None
    assert problem_of(log_in_alone(device)) == (401, "invalid_passkey")


def test_an_api_key_has_no_say_in_them(owner: Script) -> None:
    key = Script(body_of(owner.post("/api/v1/orgs/acme/keys", {"name": "Job", "scopes": ["members"]}))["key"])
    for answer in (key.get(PASSKEYS), key.post(f"{PASSKEYS}/options"), key.post(f"{AUTH}/sudo/passkey/options")):
        assert problem_of(answer) == (403, "not_for_keys")


def test_an_earlier_secret_key_opens_recovery_codes_until_they_are_resealed(
    script: Script, device: Authenticator, settings: Settings
) -> None:
    made = added(script, device)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, which is long enough for anybody to use 1234567890"
    assert codes.reseal_all() == 1
    assert codes.reseal_all() == 0
    settings.SECRET_KEY_FALLBACKS = []
    login = {"email": EMAIL, "password": PASSWORD, "otp": made["recovery_codes"][0]}
    assert Script().post(f"{AUTH}/login", login).status_code == 200
    assert log_in_alone(device).status_code == 200


def test_where_there_is_no_host_name_there_are_no_passkeys(owner: Script, settings: Settings) -> None:
    settings.SITE_URL = "http://127.0.0.1:8000"
    unavailable = (409, "passkeys_unavailable")
    assert problem_of(owner.post(f"{PASSKEYS}/options")) == unavailable
    assert problem_of(owner.post(f"{AUTH}/sudo/passkey/options")) == unavailable
    assert problem_of(Script().post(f"{AUTH}/login/passkey/options", {})) == unavailable
    # Those that there are can be seen, and removed.
    [passkey] = body_of(owner.get(PASSKEYS))["items"]
    assert owner.delete(f"{PASSKEYS}/{passkey['id']}").status_code == 204
