"""Invitations: who may send which, that a link works once and for its address alone, and what makes it worthless."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from accounts import service
from accounts.invitations import acceptance, sending
from accounts.invitations.documents import INVITATIONS
from accounts.principal import Principal
from accounts.roles import Role
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    change_account,
    somebody,
    stored_account,
)
from tests.accounts.mailed import an_invitation_token
from tests.accounts.post import delivered, link_to, mails_to, only_mail_to, token_to
from tests.scripts import Script, body_of, client, problem_of
from tests.visitors import field_error
from tests.visitors import text_of as words_of

pytestmark = pytest.mark.usefixtures("own_outbox")
ALICE, BOB, GRACE = "alice@example.org", "bob@example.org", "grace@example.org"


@pytest.fixture
def org_id() -> ObjectId:
    return an_organization("acme", name="Acme Coffee")


@pytest.fixture
def alice(org_id: ObjectId) -> Principal:
    """The owner."""
    an_account(ALICE, org_id)
    return somebody(a_session(ALICE))


def a_member(org_id: ObjectId, role: Role, email: str = BOB) -> Principal:
    an_account(email, org_id, role=role)
    return somebody(a_session(email))


def token_of(principal: Principal, email: str = GRACE, role: Role = Role.VIEWER) -> str:
    """The token of an invitation, as its mail has it."""
    sending.invite(principal=principal, email=email, role=role)
    return token_to(email)


def code_of(act: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(PortalError) as refusal:
        act(*arguments, **named)
    return refusal.value.code


def roles_of(email: str) -> dict[ObjectId, str]:
    row = database.collection("accounts").find_one({"email": email})
    return {one["org_id"]: one["role"] for one in row["memberships"]} if row else {}


def browser_of(email: str = "") -> Any:
    made = client(enforce_csrf_checks=False)
    made.cookies.clear()
    if email:
        made.cookies["orgportal_session"] = a_session(email)
    return made


def test_a_new_account_joins_over_the_page(alice: Principal, org_id: ObjectId) -> None:
    admin = browser_of(ALICE)
    answer = admin.post("/members/invite", {"email": " Grace@Example.org ", "role": "editor"})
    assert (answer.status_code, answer["Location"]) == (302, "/members/invite")
    assert GRACE in words_of(admin.get("/members/invite"))
    mail = only_mail_to(GRACE)
    assert mail.subject == "Invitation to Acme Coffee"
    assert "editor" in mail.text
    path = link_to(GRACE)
    visitor = browser_of()
    page = words_of(visitor.get(path))
    assert "Join Acme Coffee" in page
    assert "Make an account and join" in page
    joined = visitor.post(path, {"name": "Grace", "password": NEW_PASSWORD})
    assert (joined.status_code, joined["Location"]) == (302, "/dashboard")
    assert "You are its editor" in words_of(visitor.get("/dashboard"))
    assert roles_of(GRACE) == {org_id: "editor"}
    assert service.log_in(email=GRACE, password=NEW_PASSWORD).organization is not None
    assert GRACE not in words_of(admin.get("/members/invite"))
    assert browser_of().get(path).status_code == 422


def test_an_existing_account_logs_in_and_joins(alice: Principal, org_id: ObjectId) -> None:
    other = an_organization("others")
    grace = an_account(GRACE, other)
    sending.invite(principal=alice, email=GRACE, role=Role.ADMIN)
    path = link_to(GRACE)
    page = browser_of().get(path)
    assert "Log in and join" in words_of(page)
    assert f'href="/login?next={path}"' in page.content.decode()
    assert "Make an account" not in words_of(page)
    refused = browser_of().post(path, {"password": NEW_PASSWORD})
    assert "Log in and join" in words_of(refused)
    browser = browser_of(GRACE)
    joined = browser.post(path)
    assert (joined.status_code, joined["Location"]) == (302, "/dashboard")
    assert "Acme Coffee" in words_of(browser.get("/dashboard"))
    assert roles_of(GRACE) == {other: "owner", org_id: "admin"}
    assert stored_account(grace)["generation"] == 0


def test_the_link_is_for_the_invited_address_alone(alice: Principal, org_id: ObjectId) -> None:
    an_account(BOB, an_organization("bobs"))
    sending.invite(principal=alice, email=GRACE, role=Role.OWNER)
    path = link_to(GRACE)
    bob = browser_of(BOB)
    assert f"for {GRACE} alone" in words_of(bob.get(path))
    assert bob.post(path).status_code == 403
    assert code_of(acceptance.accept, principal=somebody(a_session(BOB)), token=token_to(GRACE)) == "other_address"
    assert org_id not in roles_of(BOB)
    assert browser_of().get(path).status_code == 200, "and is still good for who it is for"


def test_a_link_works_once(alice: Principal, org_id: ObjectId) -> None:
    token = token_of(alice)
    acceptance.accept_as_new(token=token, password=PASSWORD)
    grace = somebody(a_session(GRACE))
    assert code_of(acceptance.accept, principal=grace, token=token) == "invalid_link"
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_link"
    database.collection("accounts").delete_one({"email": GRACE})
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_link"


def test_of_many_acceptances_at_once_one_counts(alice: Principal, org_id: ObjectId) -> None:
    token = token_of(alice)

    def accept(number: int) -> str:
        try:
            acceptance.accept_as_new(token=token, password=f"number {number} of ten passwords")
        except PortalError as error:
            return error.code
        return "joined"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(accept, range(8)))
    assert outcomes.count("joined") == 1, outcomes
    assert set(outcomes) <= {"joined", "invalid_link", "invitation_busy", "email_taken", "too_many_logins"}
    assert database.collection("accounts").count_documents({"email": GRACE}) == 1


def test_inviting_again_replaces(alice: Principal, org_id: ObjectId) -> None:
    first = token_of(alice, role=Role.OWNER)
    second = token_of(alice, role=Role.VIEWER)
    assert first != second
    assert code_of(acceptance.offer, token=first) == "invalid_link"
    assert acceptance.offer(token=second).invitation.role is Role.VIEWER
    assert len(sending.listed(org_id=org_id)) == 1


def test_sending_again_makes_the_earlier_link_worthless_and_gives_all_the_time(
    alice: Principal, org_id: ObjectId
) -> None:
    first = token_of(alice)
    (invitation,) = sending.listed(org_id=org_id)
    past = {"$set": {"expires_at": now() - timedelta(days=1)}}
    database.collection(INVITATIONS).update_one({"_id": invitation.id}, past)
    assert sending.listed(org_id=org_id)[0].is_expired
    assert code_of(acceptance.offer, token=first) == "invalid_link"
    assert browser_of(ALICE).post(f"/members/invitations/{invitation.id}/resend").status_code == 302
    second = token_to(GRACE)
    assert code_of(acceptance.offer, token=first) == "invalid_link"
    assert not acceptance.offer(token=second).invitation.is_expired
    assert len(mails_to(GRACE)) == 2


def test_a_revoked_invitation_is_worthless_and_stays_so_after_another_one(alice: Principal, org_id: ObjectId) -> None:
    first = token_of(alice)
    (invitation,) = sending.listed(org_id=org_id)
    sending.revoke(principal=alice, invitation_id=invitation.id)
    assert code_of(acceptance.accept_as_new, token=first, password=PASSWORD) == "invalid_link"
    assert code_of(sending.revoke, principal=alice, invitation_id=invitation.id) == "not_found"
    token_of(alice)
    assert code_of(acceptance.accept_as_new, token=first, password=PASSWORD) == "invalid_link"


def test_a_revoked_invitation_whose_mail_still_waits_is_not_sent(alice: Principal, org_id: ObjectId) -> None:
    invitation = sending.invite(principal=alice, email=GRACE, role=Role.VIEWER)
    sending.revoke(principal=alice, invitation_id=invitation.id)
    assert delivered() == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_only_admins_invite(org_id: ObjectId, alice: Principal, role: Role) -> None:
    a_member(org_id, role)
    assert browser_of(BOB).get("/members/invite").status_code == 403
    assert browser_of(BOB).post("/members/invite", {"email": GRACE, "role": "viewer"}).status_code == 403


def test_nobody_offers_resends_or_revokes_a_role_above_the_own(alice: Principal, org_id: ObjectId) -> None:
    bob = a_member(org_id, Role.ADMIN)
    assert code_of(sending.invite, principal=bob, email=GRACE, role=Role.OWNER) == "forbidden"
    assert "owner" not in browser_of(BOB).get("/members/invite").content.decode().partition("<select")[2]
    owners = sending.invite(principal=alice, email=GRACE, role=Role.OWNER)
    assert code_of(sending.resend, principal=bob, invitation_id=owners.id) == "forbidden"
    assert code_of(sending.revoke, principal=bob, invitation_id=owners.id) == "forbidden"
    assert code_of(sending.invite, principal=bob, email=GRACE, role=Role.VIEWER) == "forbidden"


def test_an_invitation_counts_only_as_long_as_its_sender_might_send_it(alice: Principal, org_id: ObjectId) -> None:
    bob = a_member(org_id, Role.ADMIN)
    token = token_of(bob, role=Role.ADMIN)
    assert acceptance.offer(token=token)
    change_account(bob.account_id, {"$set": {"memberships.0.role": "editor"}})
    assert code_of(acceptance.offer, token=token) == "invalid_link"
    change_account(bob.account_id, {"$set": {"memberships": []}})
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_link"


def test_a_member_is_not_invited(alice: Principal, org_id: ObjectId) -> None:
    a_member(org_id, Role.VIEWER)
    page = browser_of(ALICE).post("/members/invite", {"email": BOB, "role": "viewer"})
    assert page.status_code == 409
    assert field_error(page, "email") == "This address belongs to a member already."
    assert mails_to(BOB) == []


def test_who_has_not_confirmed_the_own_address_cannot_invite(alice: Principal) -> None:
    change_account(alice.account_id, {"$unset": {"email_verified_at": ""}})
    assert code_of(sending.invite, principal=alice, email=GRACE, role=Role.VIEWER) == "email_not_verified"
    browser = browser_of(ALICE)
    assert "Confirm your own address first" in words_of(browser.get("/members/invite"))
    assert browser.post("/members/invite", {"email": GRACE, "role": "viewer"}).status_code == 409
    assert mails_to(GRACE) == []


def test_invitations_of_a_deleted_organization_are_dead_and_removed(alice: Principal, org_id: ObjectId) -> None:
    token = token_of(alice)
    sending.invite(principal=alice, email="late@example.org", role=Role.VIEWER)
    database.collection("organizations").update_one({"_id": org_id}, {"$set": {"status": "deleting"}})
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_link"
    assert mails_to("late@example.org") == []
    service.forget_organization(org_id=org_id)
    database.collection("organizations").delete_one({"_id": org_id})
    for name in (INVITATIONS, "links", "mail"):
        assert database.collection(name).count_documents({"org_id": org_id}) == 0
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_link"


def test_leftovers_of_a_deleted_organization_are_found(alice: Principal, org_id: ObjectId) -> None:
    token_of(alice)
    left = [subject for subject, _ in service.leftovers(organization_exists=lambda ids: set())]
    assert any(subject.startswith("invitation ") for subject in left)
    assert "a link" in left
    assert any(subject.startswith("mail ") for subject in left)


def test_another_organizations_invitation_is_unknown(alice: Principal, org_id: ObjectId) -> None:
    invitation = sending.invite(principal=alice, email=GRACE, role=Role.VIEWER)
    stranger = a_member(an_organization("others"), Role.OWNER)
    assert code_of(sending.revoke, principal=stranger, invitation_id=invitation.id) == "not_found"
    assert code_of(sending.resend, principal=stranger, invitation_id=invitation.id) == "not_found"
    assert sending.listed(org_id=stranger.org_id or ObjectId()) == []
    for bad in ("nonsense", "0" * 24, "$ne"):
        assert browser_of(ALICE).post(f"/members/invitations/{bad}/revoke").status_code == 404


def test_an_acceptance_that_died_is_finished_by_the_same_link(
    alice: Principal, org_id: ObjectId, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(alice)

    def die(*arguments: Any, **named: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(acceptance, "_settle", die)
        with pytest.raises(ZeroDivisionError):
            acceptance.accept_as_new(token=token, password=PASSWORD)
    assert roles_of(GRACE) == {org_id: "viewer"}
    grace = somebody(a_session(GRACE))
    (left,) = sending.listed(org_id=org_id)
    assert code_of(acceptance.accept, principal=grace, token=token) == "invitation_busy"
    assert code_of(sending.revoke, principal=alice, invitation_id=left.id) == "invitation_busy"
    long_ago = {"$set": {"accepting_until": now() - timedelta(seconds=1)}}
    database.collection(INVITATIONS).update_many({}, long_ago)
    assert acceptance.accept(principal=grace, token=token).role is Role.VIEWER
    assert sending.listed(org_id=org_id) == []


def test_a_refused_acceptance_gives_the_invitation_back(alice: Principal, org_id: ObjectId) -> None:
    token = token_of(alice)
    assert code_of(acceptance.accept_as_new, token=token, password="too short") == "invalid_input"
    assert code_of(acceptance.accept_as_new, token=token, password="acme coffee acme") == "invalid_input"
    an_account(GRACE, an_organization("others"))
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "email_taken"
    assert acceptance.accept(principal=somebody(a_session(GRACE)), token=token).organization.slug == "acme"


def test_the_api_invites_lists_resends_revokes_and_accepts(alice: Principal, org_id: ObjectId) -> None:
    token = service.issue_tokens(logged_in=service.log_in(email=ALICE, password=PASSWORD)).access_token
    script, path = Script(token), "/api/v1/orgs/acme/invitations"
    created = [body_of(script.post(path, {"email": f"p{n}@example.org", "role": "editor"})) for n in range(3)]
    assert {one["status"] for one in created} == {"open"}
    first = body_of(script.get(f"{path}?limit=2"))
    second = body_of(script.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
    assert second["next_cursor"] is None
    listed = first["items"] + second["items"]
    assert sorted(one["email"] for one in listed) == [f"p{n}@example.org" for n in range(3)]
    assert "edition" not in listed[0]
    assert script.post(f"{path}/{created[0]['id']}/resend").status_code == 200
    assert script.delete(f"{path}/{created[1]['id']}").status_code == 204
    assert problem_of(script.delete(f"{path}/{created[1]['id']}")) == (404, "not_found")
    assert problem_of(script.delete(f"{path}/{{}}")) == (404, "not_found")
    body = {"token": token_to("p2@example.org"), "password": NEW_PASSWORD, "name": "Pia"}
    joined = Script().post("/api/v1/invitations/accept", body)
    assert joined.status_code == 201
    assert {key: body_of(joined)[key] for key in ("email", "org_name", "role")} == {
        "email": "p2@example.org", "org_name": "acme", "role": "editor",
    }  # fmt: skip
    assert problem_of(Script().post("/api/v1/invitations/accept", body)) == (422, "invalid_link")
    again = {"token": an_invitation_token(ObjectId(created[0]["id"]))}
    assert problem_of(Script().post("/api/v1/invitations/accept", again)) == (401, "unauthenticated")
    assert problem_of(script.post("/api/v1/invitations/accept", again)) == (403, "other_address")


def test_a_new_member_keeps_the_organizations_own_rules_for_passwords(alice: Principal, org_id: ObjectId) -> None:
    database.collection("organizations").update_one({"_id": org_id}, {"$set": {"policy": {"min_password_length": 30}}})
    token = token_of(alice)
    assert code_of(acceptance.accept_as_new, token=token, password=PASSWORD) == "invalid_input"
    assert acceptance.accept_as_new(token=token, password=f"{PASSWORD} {NEW_PASSWORD}")


def test_a_key_cannot_accept(alice: Principal) -> None:
    token = token_of(alice, email=GRACE)
    an_account(GRACE, an_organization("others"))
    grace = somebody(a_session(GRACE))
    from dataclasses import replace

    assert code_of(acceptance.accept, principal=replace(grace, method="key"), token=token) == "forbidden"


def test_the_link_is_the_sites_own_whatever_host_was_asked(alice: Principal, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "evil.example"]
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    browser = browser_of(ALICE)
    assert browser.post("/members/invite", {"email": GRACE, "role": "viewer"}, headers=headers).status_code == 302
    assert "evil" not in only_mail_to(GRACE).path.read_text(encoding="utf-8")
