"""No forged, misused or overtaken access token lets anybody in."""

import pytest

from accounts.authentication import principal_of
from orgportal.errors import PortalError
from tests.accounts.cast import a_request, a_session, by_token, stored_account
from tests.accounts.commands import Commands
from tests.accounts.forged import FORGERIES
from tests.accounts.victims import make_victim, signed, with_claims, with_header

# Refused by what the master database says, not by the token's text.
AGAINST_THE_DATABASE = {
    "another account",
    "another organization",
    "another organization and its name",
    "another organization's name",
    "another account's session",
    "session that never was",
}


def is_about_the_text(name: str) -> bool:
    """Whether a forgery is refused before the database is asked."""
    state = ("after ", "while ", "session of no", "session run out", "session idle")
    return name not in AGAINST_THE_DATABASE and not name.startswith(state)


def test_there_are_at_least_thirty_of_them() -> None:
    assert len(FORGERIES) >= 30


def test_the_victims_own_token_is_good_and_so_is_one_signed_again() -> None:
    victim = make_victim()
    for good in (victim.token, signed(victim.header, victim.claims), with_header(victim), with_claims(victim)):
        principal = by_token(good)
        assert principal is not None
        assert (principal.account_id, principal.org_id, principal.method) == (
            victim.account_id,
            victim.org_id,
            "token",
        )


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_refused_even_beside_a_good_cookie(name: str) -> None:
    victim = make_victim()
    assert by_token(victim.token), "the token was never good, so its refusal would prove nothing"
    cookie = a_session(str(stored_account(victim.other_account_id)["email"]))
    token = FORGERIES[name](victim)
    for request in (a_request(bearer=token), a_request(bearer=token, cookie=cookie)):
        with pytest.raises(PortalError) as refused:
            principal_of(request)
        assert (refused.value.status, refused.value.code) == (401, "unauthenticated")


@pytest.mark.parametrize("name", [name for name in FORGERIES if is_about_the_text(name)])
def test_nothing_of_a_malformed_token_reaches_the_database(name: str, commands: Commands) -> None:
    token = FORGERIES[name](make_victim())
    commands.forget()
    assert by_token(token) is None
    assert commands.names == []


def test_every_refusal_reads_the_same() -> None:
    victim = make_victim()
    refusals = set()
    for name in ("run out", "after logging out", "no algorithm", "another organization", "huge"):
        with pytest.raises(PortalError) as refused:
            principal_of(a_request(bearer=FORGERIES[name](make_victim())))
        refusals.add((refused.value.code, refused.value.status, refused.value.message, refused.value.errors))
    assert len(refusals) == 1
    assert by_token(victim.token), "nobody else's token suffers from them"


def test_a_token_says_nothing_of_the_role_that_counts() -> None:
    victim = make_victim()
    principal = by_token(with_claims(victim, role="viewer"))
    assert principal is not None
    assert principal.role == "owner"
