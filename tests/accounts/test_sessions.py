"""How long a session counts, what ends it, and that nothing brings it back."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from django.conf import LazySettings

from accounts import service, sessions
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    NEW_PASSWORD,
    PASSWORD,
    a_session,
    an_account,
    an_organization,
    by_cookie,
    by_token,
    change_account,
    change_organization,
    somebody,
    stored_sessions,
    tokens_of,
)
from tests.accounts.commands import Commands

ALICE, BOB = "alice@example.org", "bob@example.org"
MINUTE = timedelta(minutes=1)


def age(cookie: str, **fields: Any) -> None:
    """Set fields of the session that belongs to a cookie."""
    outcome = database.collection("sessions").update_one({"_id": sessions.id_of_cookie(cookie)}, {"$set": fields})
    assert outcome.matched_count == 1


def stored(cookie: str) -> dict[str, Any]:
    """The document of the session that belongs to a cookie."""
    return stored_sessions(_id=sessions.id_of_cookie(cookie))[0]


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture
def acme() -> ObjectId:
    """Alice's organization."""
    org_id = an_organization("acme")
    an_account(ALICE, org_id)
    return org_id


@pytest.mark.usefixtures("acme")
class TestTime:
    """Expiry is checked in code: a TTL index may be minutes late."""

    @pytest.mark.parametrize("field", ["idle_until", "expires_at"])
    def test_a_session_that_has_run_out_is_nobody_though_it_is_still_stored(self, field: str) -> None:
        cookie = a_session(ALICE)
        age(cookie, **{field: now() - timedelta(milliseconds=1)})
        assert by_cookie(cookie) is None
        assert stored(cookie)["_id"]

    @pytest.mark.parametrize("field", ["idle_until", "expires_at"])
    def test_a_session_counts_until_then(self, field: str) -> None:
        cookie = a_session(ALICE)
        age(cookie, **{field: now() + MINUTE})
        assert by_cookie(cookie) is not None

    def test_the_times_are_those_of_the_settings(self, settings: LazySettings) -> None:
        settings.SESSION_IDLE_SECONDS, settings.SESSION_ABSOLUTE_SECONDS = 600, 3600
        settings.REFRESH_IDLE_SECONDS, settings.REFRESH_ABSOLUTE_SECONDS = 7200, 86400
        tokens_of(ALICE)
        browser, token = stored(a_session(ALICE)), stored_sessions(kind="token")[0]
        for row, idle, absolute in ((browser, 600, 3600), (token, 7200, 86400)):
            assert row["idle_until"] - row["seen_at"] == timedelta(seconds=idle)
            assert row["expires_at"] - row["created_at"] == timedelta(seconds=absolute)

    def test_use_puts_off_the_idle_end_but_never_the_absolute_one(self) -> None:
        cookie = a_session(ALICE)
        before = stored(cookie)
        age(cookie, seen_at=now() - 2 * MINUTE, idle_until=now() + MINUTE)
        somebody(cookie)
        after = stored(cookie)
        assert after["idle_until"] >= before["idle_until"]
        assert now() - after["seen_at"] < MINUTE
        assert after["expires_at"] == before["expires_at"]

    def test_use_is_noted_at_most_once_a_minute(self, commands: Commands) -> None:
        cookie = a_session(ALICE)
        age(cookie, seen_at=now() - 2 * MINUTE)
        commands.forget()
        for _ in range(3):
            somebody(cookie)
        assert commands.names == ["aggregate", "update", "aggregate", "aggregate"]

    def test_a_token_is_no_use_of_the_browser_session_it_was_shown_in(self) -> None:
        cookie = a_session(ALICE)
        token = service.access_token(principal=somebody(cookie))
        age(cookie, seen_at=now() - 2 * MINUTE)
        before = stored(cookie)
        assert by_token(token)
        assert stored(cookie) == before

    def test_noting_the_use_of_a_session_that_ended_does_not_bring_it_back(self) -> None:
        cookie = a_session(ALICE)
        age(cookie, seen_at=now() - 2 * MINUTE)
        live = sessions.live(sessions.id_of_cookie(cookie))
        assert live is not None
        service.end_session(principal=somebody(cookie))
        sessions.touch(live)
        assert stored_sessions() == []
        assert by_cookie(cookie) is None


@pytest.mark.usefixtures("acme")
class TestFixation:
    """A session's id is made by the portal alone, anew at every change of who is behind it."""

    def test_every_login_makes_another_secret(self) -> None:
        cookies = {a_session(ALICE) for _ in range(5)}
        assert len(cookies) == 5
        assert all(len(cookie) == 43 for cookie in cookies)

    def test_an_id_planted_before_the_login_stays_worthless(self) -> None:
        planted = "A" * 43
        assert by_cookie(planted) is None
        assert a_session(ALICE) != planted
        assert by_cookie(planted) is None

    def test_logging_in_again_ends_the_session_it_replaces(self) -> None:
        old = a_session(ALICE)
        logged_in = service.log_in(email=ALICE, password=PASSWORD)
        new = service.open_session(logged_in=logged_in, replaces=somebody(old))
        assert by_cookie(old) is None
        assert somebody(new).email == ALICE

    def test_logging_in_elsewhere_leaves_other_sessions_alone(self) -> None:
        first, second = a_session(ALICE), a_session(ALICE)
        assert by_cookie(first)
        assert by_cookie(second)


class TestEnds:
    """What ends a session ends it for the cookie and for the tokens shown beside it, at the next request."""

    def test_logging_out_ends_that_session_and_no_other(self, acme: ObjectId) -> None:
        mine, other = a_session(ALICE), a_session(ALICE)
        token = service.access_token(principal=somebody(mine))
        assert by_token(token)
        service.end_session(principal=somebody(mine))
        assert by_cookie(mine) is None
        assert by_token(token) is None
        assert by_cookie(other)

    def test_logging_out_with_a_token_ends_its_family(self, acme: ObjectId) -> None:
        pair, other = tokens_of(ALICE), tokens_of(ALICE)
        principal = by_token(pair.access_token)
        assert principal is not None
        service.end_session(principal=principal)
        assert by_token(pair.access_token) is None
        with pytest.raises(PortalError, match="not valid"):
            service.refresh_tokens(refresh_token=pair.refresh_token)
        assert by_token(other.access_token)

    def test_a_password_change_ends_everything_but_the_new_session(self, acme: ObjectId) -> None:
        here, elsewhere, pair = a_session(ALICE), a_session(ALICE), tokens_of(ALICE)
        new = service.change_password(principal=somebody(here), current=PASSWORD, new=NEW_PASSWORD, words=())
        assert by_cookie(here) is None
        assert by_cookie(elsewhere) is None
        assert by_token(pair.access_token) is None
        with pytest.raises(PortalError, match="not valid"):
            service.refresh_tokens(refresh_token=pair.refresh_token)
        assert somebody(new).org_id == acme
        assert len(stored_sessions()) == 1

    @pytest.mark.parametrize("status", ["deleting", "provisioning"])
    def test_an_organization_that_is_not_open_lets_nobody_in(self, acme: ObjectId, status: str) -> None:
        cookie, pair = a_session(ALICE), tokens_of(ALICE)
        change_organization(acme, status=status)
        assert by_cookie(cookie) is None
        assert by_token(pair.access_token) is None
        with pytest.raises(PortalError, match="not valid"):
            service.refresh_tokens(refresh_token=pair.refresh_token)

    def test_an_organization_that_is_being_renamed_stays_open(self, acme: ObjectId) -> None:
        cookie = a_session(ALICE)
        change_organization(acme, status="renaming")
        assert by_cookie(cookie)

    def test_a_session_follows_its_organization_to_another_name(self, acme: ObjectId) -> None:
        cookie = a_session(ALICE)
        change_organization(acme, slug="acme_two")
        organization = somebody(cookie).organization
        assert organization is not None
        assert organization.slug == "acme_two"

    def test_an_organization_that_took_a_deleted_ones_name_opens_to_nobody_of_the_old(self, acme: ObjectId) -> None:
        cookie, pair = a_session(ALICE), tokens_of(ALICE)
        database.collection("organizations").delete_one({"_id": acme})
        an_account(BOB, an_organization("acme"))
        assert by_cookie(cookie) is None
        assert by_token(pair.access_token) is None

    def test_somebody_removed_from_an_organization_is_out_at_once(self, acme: ObjectId) -> None:
        other = an_organization("umbrella")
        account_id = an_account(BOB, acme, other)
        cookie, kept = a_session(BOB, slug="acme"), a_session(BOB, slug="umbrella")
        change_account(account_id, {"$pull": {"memberships": {"org_id": acme}}})
        assert by_cookie(cookie) is None
        assert somebody(kept).org_id == other

    def test_a_role_counts_from_the_next_request_on(self, acme: ObjectId) -> None:
        account_id = an_account(BOB, acme, role=Role.VIEWER)
        cookie, token = a_session(BOB), tokens_of(BOB).access_token
        change_account(account_id, {"$set": {"memberships.0.role": "admin"}})
        assert somebody(cookie).role is Role.ADMIN
        principal = by_token(token)
        assert principal is not None
        assert principal.role is Role.ADMIN

    def test_a_deleted_account_is_nobody(self, acme: ObjectId) -> None:
        cookie = a_session(ALICE)
        database.collection("accounts").delete_one({"email": ALICE})
        assert by_cookie(cookie) is None


class TestChoosing:
    """An account of several organizations works in one at a time."""

    @pytest.fixture(autouse=True)
    def _two_organizations(self) -> None:
        an_account(ALICE, an_organization("umbrella"), an_organization("acme"))
        an_account(BOB, an_organization("initech"))

    def test_a_session_may_begin_without_an_organization(self) -> None:
        principal = somebody(a_session(ALICE))
        assert (principal.organization, principal.org_id, principal.role) == (None, None, None)
        assert [(one.slug, one.organization_name, one.role) for one in service.choices(principal=principal)] == [
            ("acme", "Acme", Role.OWNER),
            ("umbrella", "Umbrella", Role.OWNER),
        ]

    def test_without_an_organization_there_is_no_token(self) -> None:
        principal = somebody(a_session(ALICE))
        with pytest.raises(PortalError) as refused:
            service.access_token(principal=principal)
        assert (refused.value.status, refused.value.code) == (409, "choose_organization")
        logged_in = service.log_in(email=ALICE, password=PASSWORD, choose_later=True)
        with pytest.raises(PortalError, match="several organizations"):
            service.issue_tokens(logged_in=logged_in)

    def test_choosing_makes_a_new_session_and_ends_the_old_one(self) -> None:
        old = a_session(ALICE)
        new = service.choose_organization(principal=somebody(old), slug="acme")
        assert by_cookie(old) is None
        organization = somebody(new).organization
        assert organization is not None
        assert organization.slug == "acme"

    def test_choosing_does_not_put_off_the_absolute_end(self) -> None:
        old = a_session(ALICE)
        begun = now().replace(microsecond=0) - timedelta(days=3)
        age(old, created_at=begun)
        new = service.choose_organization(principal=somebody(old), slug="acme")
        assert stored(new)["expires_at"] == begun + timedelta(days=7)

    @pytest.mark.parametrize("slug", ["initech", "nowhere", "", "ACME", {"$ne": None}, None, 1])
    def test_what_is_not_the_accounts_own_does_not_exist(self, slug: Any) -> None:
        cookie = a_session(ALICE)
        with pytest.raises(PortalError) as refused:
            service.choose_organization(principal=somebody(cookie), slug=slug)
        assert (refused.value.status, refused.value.code) == (404, "not_found")
        assert by_cookie(cookie), "a wrong choice ends nothing"

    def test_a_closed_organization_cannot_be_chosen(self) -> None:
        cookie = a_session(ALICE)
        database.collection("organizations").update_one({"slug": "acme"}, {"$set": {"status": "deleting"}})
        with pytest.raises(PortalError, match="nothing here"):
            service.choose_organization(principal=somebody(cookie), slug="acme")

    def test_a_token_cannot_choose(self) -> None:
        principal = by_token(tokens_of(ALICE, slug="acme").access_token)
        assert principal is not None
        with pytest.raises(PortalError) as refused:
            service.choose_organization(principal=principal, slug="umbrella")
        assert refused.value.status == 403

    def test_a_session_that_ended_meanwhile_cannot_choose(self) -> None:
        principal = somebody(a_session(ALICE))
        service.end_session(principal=principal)
        with pytest.raises(PortalError) as refused:
            service.choose_organization(principal=principal, slug="acme")
        assert refused.value.status == 401
        assert stored_sessions() == []

    def test_a_session_from_before_a_password_change_cannot_choose(self) -> None:
        cookie = a_session(ALICE)
        principal = somebody(cookie)
        change_account(principal.account_id, {"$inc": {"generation": 1}})
        with pytest.raises(PortalError) as refused:
            service.choose_organization(principal=principal, slug="acme")
        assert refused.value.status == 401
        assert by_cookie(cookie) is None
