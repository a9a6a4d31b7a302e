"""Refresh tokens work once; a second use ends their family."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import LazySettings

from accounts import service
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import (
    a_session,
    an_account,
    an_organization,
    by_token,
    change_account,
    change_organization,
    somebody,
    stored_sessions,
    tokens_of,
)
from tests.accounts.commands import Commands
from tests.accounts.victims import ABSENT, encoded, json_part, signed

ALICE = "alice@example.org"


@pytest.fixture
def acme() -> ObjectId:
    """Alice's organization."""
    org_id = an_organization("acme")
    an_account(ALICE, org_id)
    return org_id


@pytest.fixture
def pair(acme: ObjectId) -> service.TokenPair:
    """A new family of tokens."""
    return tokens_of(ALICE)


def refused(refresh_token: Any) -> bool:
    """Whether a refresh token is refused, in the one way that there is."""
    try:
        service.refresh_tokens(refresh_token=refresh_token)
    except PortalError as refusal:
        return (refusal.status, refusal.code) == (401, "invalid_token")
    return False


def test_a_pair_says_what_it_is(pair: service.TokenPair, acme: ObjectId) -> None:
    header, claims = json_part(pair.access_token, 0), json_part(pair.access_token, 1)
    assert header["alg"] == "EdDSA"
    assert (claims["iss"], claims["aud"], claims["typ"]) == ("http://testserver", "orgportal-api", "access")
    assert claims["sub"] == claims["admin_id"] == str(pair.account_id)
    assert (claims["org_id"], claims["org_name"], claims["role"]) == (str(acme), "acme", "owner")
    assert claims["exp"] - claims["iat"] == pair.expires_in == 900
    assert claims["nbf"] == claims["iat"]
    assert (pair.org_id, pair.org_name) == (acme, "acme")
    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)


def test_a_refresh_token_gives_a_new_pair_of_the_same_family(pair: service.TokenPair) -> None:
    new = service.refresh_tokens(refresh_token=pair.refresh_token)
    assert (new.account_id, new.org_id) == (pair.account_id, pair.org_id)
    assert json_part(new.access_token, 1)["sid"] == json_part(pair.access_token, 1)["sid"]
    assert json_part(new.access_token, 1)["jti"] != json_part(pair.access_token, 1)["jti"]
    assert by_token(new.access_token)
    assert by_token(pair.access_token), "the earlier access token lives out its quarter of an hour"
    assert len(stored_sessions()) == 1


def test_a_chain_of_refreshes_goes_on(pair: service.TokenPair) -> None:
    for _ in range(5):
        pair = service.refresh_tokens(refresh_token=pair.refresh_token)
    assert by_token(pair.access_token)


def test_the_second_use_of_a_refresh_token_ends_its_family(pair: service.TokenPair) -> None:
    other_family = tokens_of(ALICE)
    new = service.refresh_tokens(refresh_token=pair.refresh_token)
    assert refused(pair.refresh_token)
    assert refused(new.refresh_token)
    assert by_token(new.access_token) is None
    assert by_token(pair.access_token) is None
    assert by_token(other_family.access_token), "other families are none of the thief's business"
    assert not refused(other_family.refresh_token)


def test_an_old_token_of_the_chain_ends_it_as_well(pair: service.TokenPair) -> None:
    newest = pair
    for _ in range(3):
        newest = service.refresh_tokens(refresh_token=newest.refresh_token)
    assert refused(pair.refresh_token)
    assert by_token(newest.access_token) is None


def test_a_refresh_costs_one_query_and_one_update(pair: service.TokenPair, commands: Commands) -> None:
    service.refresh_tokens(refresh_token=pair.refresh_token)
    assert commands.names == ["aggregate", "update"]


def test_a_refresh_follows_the_organization_to_its_new_name(pair: service.TokenPair, acme: ObjectId) -> None:
    change_organization(acme, slug="acme_two")
    assert by_token(pair.access_token) is None
    new = service.refresh_tokens(refresh_token=pair.refresh_token)
    assert new.org_name == "acme_two"
    assert by_token(new.access_token)


def test_the_last_access_token_ends_with_the_chain(pair: service.TokenPair) -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=90)
    database.collection("sessions").update_one({}, {"$set": {"expires_at": soon}})
    new = service.refresh_tokens(refresh_token=pair.refresh_token)
    for token in (new.access_token, new.refresh_token):
        assert json_part(token, 1)["exp"] <= soon.timestamp()


def test_a_refresh_puts_off_the_idle_end_but_never_the_absolute_one(pair: service.TokenPair) -> None:
    earlier = datetime.now(timezone.utc) + timedelta(minutes=1)
    database.collection("sessions").update_one({}, {"$set": {"idle_until": earlier}})
    before = stored_sessions()[0]
    service.refresh_tokens(refresh_token=pair.refresh_token)
    after = stored_sessions()[0]
    assert after["idle_until"] > before["idle_until"]
    assert after["expires_at"] == before["expires_at"]


def _altered(changes: dict[str, Any]) -> Callable[[service.TokenPair], str]:
    def forge(pair: service.TokenPair) -> str:
        claims = {**json_part(pair.refresh_token, 1), **changes}
        return signed(json_part(pair.refresh_token, 0), {k: v for k, v in claims.items() if v is not ABSENT})

    return forge


NOW = int(datetime.now(timezone.utc).timestamp())
MISUSES: dict[str, Callable[[service.TokenPair], Any]] = {
    "access token": lambda pair: pair.access_token,
    "access token dressed up": lambda pair: signed(json_part(pair.refresh_token, 0), json_part(pair.access_token, 1)),
    "another key": lambda pair: signed(
        json_part(pair.refresh_token, 0), json_part(pair.refresh_token, 1), Ed25519PrivateKey.generate()
    ),
    "no algorithm": lambda pair: (
        encoded({**json_part(pair.refresh_token, 0), "alg": "none"}) + "." + pair.refresh_token.split(".")[1] + "."
    ),
    "padded": lambda pair: pair.refresh_token + "=",
    "with a line end": lambda pair: pair.refresh_token + "\n",
    "type access": _altered({"typ": "access"}),
    "no type": _altered({"typ": ABSENT}),
    "no session": _altered({"sid": ABSENT}),
    "session as an operator": _altered({"sid": {"$ne": None}}),
    "no token id": _altered({"jti": ABSENT}),
    "token id as an operator": _altered({"jti": {"$ne": None}}),
    "another account": _altered({"sub": "0" * 24}),
    "session that never was": _altered({"sid": "0" * 64}),
    "run out": _altered({"iat": NOW - 60, "nbf": NOW - 60, "exp": NOW - 1}),
    "lives too long": _altered({"exp": NOW + 400 * 86400}),
    "another audience": _altered({"aud": "somebody-else"}),
    "another issuer": _altered({"iss": "https://evil.example"}),
    "empty": lambda pair: "",
    "lone surrogate": lambda pair: "\ud800",
    "huge": lambda pair: "a." * 1_000_000,
    "nothing": lambda pair: None,
    "number": lambda pair: 7,
    "operator": lambda pair: {"$ne": None},
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_is_no_refresh_token_is_refused_and_ends_nothing(name: str, pair: service.TokenPair) -> None:
    assert refused(MISUSES[name](pair))
    assert not refused(pair.refresh_token), "whoever cannot sign cannot end a family either"


def test_one_signed_again_with_the_same_claims_is_good(pair: service.TokenPair) -> None:
    assert not refused(_altered({})(pair))


def test_a_browser_session_has_no_refresh_token(acme: ObjectId, pair: service.TokenPair) -> None:
    principal = somebody(a_session(ALICE))
    assert refused(_altered({"sid": principal.session_id})(pair))
    assert len(stored_sessions(kind="session")) == 1, "and none is ended by trying"


@pytest.mark.parametrize(
    "change",
    [
        lambda pair: change_organization(pair.org_id, status="deleting"),
        lambda pair: database.collection("organizations").delete_one({"_id": pair.org_id}),
        lambda pair: change_account(pair.account_id, {"$inc": {"generation": 1}}),
        lambda pair: change_account(pair.account_id, {"$pull": {"memberships": {"org_id": pair.org_id}}}),
        lambda pair: database.collection("accounts").delete_one({"_id": pair.account_id}),
        lambda pair: database.collection("sessions").delete_many({}),
        lambda pair: database.collection("sessions").update_many({}, {"$set": {"idle_until": datetime(2020, 1, 1)}}),
        lambda pair: database.collection("sessions").update_many({}, {"$set": {"expires_at": datetime(2020, 1, 1)}}),
    ],
    ids=["deleting", "deleted", "new password", "removed", "account gone", "logged out", "idle", "run out"],
)
def test_a_family_ends_with_what_it_hangs_on(pair: service.TokenPair, change: Callable[[Any], object]) -> None:
    change(pair)
    assert refused(pair.refresh_token)


def test_a_shorter_lifetime_counts_for_the_tokens_that_are_out(pair: service.TokenPair, settings: LazySettings) -> None:
    settings.ACCESS_TOKEN_SECONDS, settings.REFRESH_IDLE_SECONDS = 300, 600
    assert by_token(pair.access_token) is None
    assert refused(pair.refresh_token)


@pytest.mark.parametrize("round_", range(10))
def test_of_many_refreshes_at_once_one_wins_and_the_family_is_ended_by_the_others(
    pair: service.TokenPair, round_: int
) -> None:
    together = threading.Barrier(6)

    def refresh() -> service.TokenPair | None:
        together.wait()
        try:
            return service.refresh_tokens(refresh_token=pair.refresh_token)
        except PortalError:
            return None

    with ThreadPoolExecutor(6) as threads:
        outcomes = [future.result() for future in [threads.submit(refresh) for _ in range(6)]]
    winners = [outcome for outcome in outcomes if outcome]
    assert len(winners) == 1
    assert by_token(winners[0].access_token) is None
    assert refused(winners[0].refresh_token)
    assert stored_sessions() == []
