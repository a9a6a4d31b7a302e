"""From a request to its caller: cookies, headers, which of them wins, and at what cost."""

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from pymongo.errors import AutoReconnect

from accounts import service
from accounts.authentication import (
    clear_session_cookie,
    known_principal,
    principal_of,
    require_principal,
    set_session_cookie,
)
from accounts.middleware import PrincipalMiddleware
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import a_request, a_session, an_account, an_organization, by_cookie, somebody, tokens_of
from tests.accounts.commands import Commands

ALICE, BOB = "alice@example.org", "bob@example.org"


def test_a_cookie_makes_its_owner_the_caller() -> None:
    org_id = an_organization("acme", name="Acme Ltd")
    account_id = an_account(ALICE, org_id, role=Role.EDITOR)
    principal = somebody(a_session(ALICE))
    assert (principal.account_id, principal.email, principal.method) == (account_id, ALICE, "session")
    assert principal.organization is not None
    assert (principal.org_id, principal.organization.slug, principal.organization.name) == (org_id, "acme", "Acme Ltd")
    assert principal.role is Role.EDITOR
    assert [(one.org_id, one.role) for one in principal.memberships] == [(org_id, Role.EDITOR)]


def test_a_request_without_credentials_is_nobodys() -> None:
    assert principal_of(a_request()) is None
    with pytest.raises(PortalError) as refused:
        require_principal(a_request())
    assert (refused.value.status, refused.value.code) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "cookie", ["", "x", "x" * 42, "x" * 44, "$" * 43, "x" * 42 + "\n", "é" * 43, '{"$ne": ""}', "0" * 64]
)
def test_what_cannot_be_a_cookie_of_ours_never_reaches_the_database(cookie: str, commands: Commands) -> None:
    assert by_cookie(cookie) is None
    assert commands.names == []


def test_a_well_formed_cookie_that_was_never_given_is_nobody() -> None:
    assert by_cookie("x" * 43) is None


def test_the_id_that_tokens_carry_is_no_cookie() -> None:
    an_account(ALICE, an_organization("acme"))
    sid = somebody(a_session(ALICE)).session_id
    assert by_cookie(sid) is None
    assert by_cookie(sid[:43]) is None


def test_a_family_of_tokens_is_no_browser_session() -> None:
    an_account(ALICE, an_organization("acme"))
    cookie = a_session(ALICE)
    database.collection("sessions").update_one({}, {"$set": {"kind": "token"}})
    assert by_cookie(cookie) is None


def test_a_token_wins_over_a_cookie() -> None:
    an_account(ALICE, an_organization("acme"))
    an_account(BOB, an_organization("umbrella"))
    principal = principal_of(a_request(cookie=a_session(ALICE), bearer=tokens_of(BOB).access_token))
    assert principal is not None
    assert (principal.email, principal.method) == (BOB, "token")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_may_be_in_any_case(scheme: str) -> None:
    an_account(ALICE, an_organization("acme"))
    principal = principal_of(a_request(authorization=f"{scheme} {tokens_of(ALICE).access_token}"))
    assert principal is not None
    assert principal.email == ALICE


@pytest.mark.parametrize(
    "shape",
    ["Bearer", "Bearer ", "Bearer  {}", " Bearer {}", "Bearer\t{}", "Bearer: {}", "Bearer={}", "Bearer,{}"],
)
def test_a_header_that_only_looks_like_bearer_is_refused(shape: str) -> None:
    an_account(ALICE, an_organization("acme"))
    request = a_request(authorization=shape.format(tokens_of(ALICE).access_token), cookie=a_session(ALICE))
    with pytest.raises(PortalError, match="Log in"):
        principal_of(request)


def test_another_scheme_is_a_proxys_business_and_the_cookie_counts() -> None:
    an_account(ALICE, an_organization("acme"))
    principal = principal_of(a_request(authorization="Basic c3RhZ2luZzpzdGFnaW5n", cookie=a_session(ALICE)))
    assert principal is not None
    assert principal.email == ALICE


def test_a_cookie_is_verified_with_one_command(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    cookie = a_session(ALICE)
    commands.forget()
    somebody(cookie)
    assert commands.names == ["aggregate"]


def test_a_token_is_verified_with_one_command(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    token = tokens_of(ALICE).access_token
    commands.forget()
    assert principal_of(a_request(bearer=token)) is not None
    assert commands.names == ["aggregate"]


@pytest.mark.parametrize("others", [0, 30])
def test_the_cost_of_verifying_does_not_grow_with_organizations_and_accounts(others: int, commands: Commands) -> None:
    for number in range(others):
        an_account(f"member{number}@example.org", an_organization(f"org{number}"))
    an_account(ALICE, an_organization("acme"))
    cookie = a_session(ALICE)
    commands.forget()
    somebody(cookie)
    assert commands.names == ["aggregate"]
    assert "member0@example.org" not in "".join(commands.replies)


def test_a_request_is_verified_once_however_often_it_is_asked(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    request = a_request(cookie=a_session(ALICE))
    refused = a_request(bearer="no.such.token")
    commands.forget()
    assert principal_of(request) is principal_of(request) is require_principal(request)
    assert commands.names == ["aggregate"]
    for _ in range(2):
        with pytest.raises(PortalError):
            principal_of(refused)


def test_the_password_hash_stays_in_the_database(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    cookie = a_session(ALICE)
    commands.forget()
    somebody(cookie)
    assert ALICE in "".join(commands.replies)
    assert "bcrypt" not in "".join(commands.replies)


def test_the_secret_of_a_cookie_stays_out_of_the_database(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    commands.forget()
    cookie = a_session(ALICE)
    pair = tokens_of(ALICE)
    somebody(cookie)
    service.refresh_tokens(refresh_token=pair.refresh_token)
    sent = str(commands.sent)
    assert "insert" in commands.names
    for secret in (cookie, pair.access_token, pair.refresh_token, pair.refresh_token.split(".")[1]):
        assert secret not in sent


def test_what_is_known_of_a_caller_costs_nothing_and_never_fails(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    request, bad = a_request(cookie=a_session(ALICE)), a_request(bearer="no.such.token")
    commands.forget()
    assert known_principal(request) is None
    assert known_principal(bad) is None
    assert commands.names == []
    principal = principal_of(request)
    with pytest.raises(PortalError):
        principal_of(bad)
    assert known_principal(request) is principal
    assert known_principal(bad) is None


def test_a_database_that_fails_lets_nobody_in_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    an_account(ALICE, an_organization("acme"))
    request = a_request(cookie=a_session(ALICE))

    def unreachable(name: str) -> None:
        raise AutoReconnect("connection reset")

    with monkeypatch.context() as broken:
        broken.setattr(database, "collection", unreachable)
        with pytest.raises(AutoReconnect):
            principal_of(request)
        assert known_principal(request) is None
    assert require_principal(request).email == ALICE


@pytest.mark.parametrize(("secure", "name"), [(False, "orgportal_session"), (True, "__Host-orgportal_session")])
def test_the_cookie_is_for_our_own_pages_only(settings: LazySettings, secure: bool, name: str) -> None:
    settings.SESSION_COOKIE_SECURE = secure
    settings.SESSION_COOKIE_NAME = name
    for change in (lambda response: set_session_cookie(response, "x" * 43), clear_session_cookie):
        response = HttpResponse()
        change(response)
        cookie = response.cookies[name]
        assert bool(cookie["secure"]) is secure
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


def test_a_cleared_cookie_is_empty_and_gone_at_once() -> None:
    response = HttpResponse()
    set_session_cookie(response, "x" * 43)
    assert response.cookies["orgportal_session"].value == "x" * 43
    assert response.cookies["orgportal_session"]["max-age"] == ""
    set_session_cookie(response, "r." + "x" * 43)
    assert response.cookies["orgportal_session"]["max-age"] == 30 * 86400
    clear_session_cookie(response)
    assert response.cookies["orgportal_session"].value == ""
    assert response.cookies["orgportal_session"]["max-age"] == 0


def answer_to(request: HttpRequest, *, asks: bool) -> HttpResponse:
    """What the middleware makes of a view that does, or does not, look at the caller."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(getattr(request, "principal").email) if asks else "the same for all")  # noqa: B009

    response = PrincipalMiddleware(view)(request)
    assert isinstance(response, HttpResponse)
    return response


def test_templates_find_the_caller_on_the_request(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    request = a_request(cookie=a_session(ALICE))
    commands.forget()
    response = answer_to(request, asks=True)
    assert response.content.decode() == ALICE
    assert response["Vary"] == "Cookie, Authorization"
    assert commands.names == ["aggregate"]


def test_a_page_that_does_not_ask_costs_no_query(commands: Commands) -> None:
    an_account(ALICE, an_organization("acme"))
    request = a_request(cookie=a_session(ALICE))
    commands.forget()
    response = answer_to(request, asks=False)
    assert "Vary" not in response
    assert commands.names == []


@pytest.mark.parametrize("request_", [a_request(), a_request(bearer="no.such.token")])
def test_to_a_template_nobody_is_false(request_: HttpRequest) -> None:
    seen = []
    PrincipalMiddleware(lambda request: HttpResponse(seen.append(bool(getattr(request, "principal")))))(request_)  # type: ignore[func-returns-value]  # noqa: B009
    assert seen == [False]
