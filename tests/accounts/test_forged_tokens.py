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


def refusal_of(token: str, cookie: str | None = None) -> tuple[int, str] | None:
    """Status and code of the refusal; None for a token that lets somebody in."""
    try:
        principal_of(a_request(bearer=token, cookie=cookie))
    except PortalError as refused:
        return refused.status, refused.code
    return None


@pytest.mark.parametrize("name", [name for name in FORGERIES if not is_about_the_text(name)])
def test_an_overtaken_token_is_refused_even_beside_a_good_cookie(name: str) -> None:
    victim = make_victim()
    assert by_token(victim.token), "the token was never good, so its refusal would prove nothing"
    cookie = a_session(str(stored_account(victim.other_account_id)["email"]))
    token = FORGERIES[name](victim)
    assert refusal_of(token) == refusal_of(token, cookie) == (401, "unauthenticated")


def test_a_forged_token_is_refused_even_beside_a_good_cookie_and_never_reaches_the_database(commands: Commands) -> None:
    """One victim for all: what is wrong with these tokens changes nothing, as its own token shows at the end."""
    victim = make_victim()
    cookie = a_session(str(stored_account(victim.other_account_id)["email"]))
    names = [name for name in FORGERIES if is_about_the_text(name)]
    assert len(names) >= 100
    for name in names:
        token = FORGERIES[name](victim)
        commands.forget()
        assert (name, refusal_of(token)) == (name, (401, "unauthenticated"))
        assert (name, refusal_of(token, cookie)) == (name, (401, "unauthenticated"))
        assert (name, commands.names) == (name, [])
    assert by_token(victim.token)


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
