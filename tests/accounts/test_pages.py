"""The pages about who is calling: log in, log out, the account, and where they lead."""

import pytest
from django.conf import settings
from django.test import Client

from orgportal.pages import own_path
from tests.visitors import PASSWORD, field_error, sign_up_form, signed_up, text_of, value_of

NEW_PASSWORD = "slow rivers carve canyons"

FOREIGN = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "///evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "evil.example",
    " /dashboard",
    "",
    "/" + "a" * 2001,
]


@pytest.mark.parametrize("candidate", FOREIGN)
def test_a_path_that_could_lead_elsewhere_is_not_our_own(candidate: str) -> None:
    assert own_path(candidate) is None


@pytest.mark.parametrize("candidate", ["/", "/settings", "/choose?cursor=abc", "/a%2Fb"])
def test_a_path_on_this_portal_is_our_own(candidate: str) -> None:
    assert own_path(candidate) == candidate


def test_the_login_page_asks_for_email_and_password() -> None:
    response = Client().get("/login")
    assert response.status_code == 200
    body = response.content.decode()
    assert 'autocomplete="username"' in body
    assert 'autocomplete="current-password"' in body


def test_a_right_pair_opens_a_session_and_leads_to_the_dashboard() -> None:
    signed_up()
    client = Client()
    response = client.post("/login", {"email": " Alice@Example.com ", "password": PASSWORD})
    assert (response.status_code, response.headers["Location"]) == (302, "/dashboard")
    cookie = response.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.get("/dashboard").status_code == 200


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.com", "not the right password"),
        ("nobody@example.com", PASSWORD),
        ("this is no address", PASSWORD),
        ("alice@example.com", PASSWORD.upper()),
        ("alice@example.com", f"{PASSWORD} "),
        ("alice@example.com", "\0" * 20),
    ],
)
def test_every_wrong_pair_reads_the_same(email: str, password: str) -> None:
    signed_up()
    response = Client().post("/login", {"email": email, "password": password})
    assert response.status_code == 422
    assert "The email or the password is not right." in text_of(response)
    assert field_error(response, "email") == field_error(response, "password") == ""
    assert settings.SESSION_COOKIE_NAME not in response.cookies


def test_a_refused_login_keeps_the_email_but_never_the_password() -> None:
    response = Client().post("/login", {"email": "alice@example.com", "password": "wrong password here"})
    assert value_of(response, "email") == "alice@example.com"
    assert value_of(response, "password") == ""
    assert "wrong password here" not in response.content.decode()


def test_an_empty_form_says_so_beside_each_field() -> None:
    response = Client().post("/login", {})
    assert response.status_code == 422
    assert field_error(response, "email")
    assert field_error(response, "password")


def test_who_is_logged_in_is_led_past_the_login_page() -> None:
    client = signed_up()
    assert client.get("/login").headers["Location"] == "/dashboard"
    assert client.get("/login?next=/account").headers["Location"] == "/account"


def test_a_visitor_of_a_private_page_comes_back_to_it_after_logging_in() -> None:
    signed_up()
    client = Client()
    asked = client.get("/settings")
    assert asked.headers["Location"] == "/login?next=/settings"
    page = client.get("/login?next=/settings")
    response = client.post(
        "/login", {"email": "alice@example.com", "password": PASSWORD, "next": value_of(page, "next")}
    )
    assert response.headers["Location"] == "/settings"


@pytest.mark.parametrize("foreign", FOREIGN)
def test_next_never_leads_away_from_the_portal(foreign: str) -> None:
    signed_up()
    assert value_of(Client().get("/login", {"next": foreign}), "next") == ""
    client = Client()
    response = client.post("/login", {"email": "alice@example.com", "password": PASSWORD, "next": foreign})
    # Over 2,000 characters the form itself refuses; everything else is ignored.
    assert response.headers.get("Location") in ({"/dashboard"} if len(foreign) <= 2000 else {None})


def test_logging_in_gives_a_new_session_and_a_new_csrf_token() -> None:
    signed_up()
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "A" * 43
    client.get("/login")
    before = client.cookies[settings.CSRF_COOKIE_NAME].value
    client.post("/login", {"email": "alice@example.com", "password": PASSWORD})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != "A" * 43
    assert client.cookies[settings.CSRF_COOKIE_NAME].value != before


def test_logging_in_again_ends_the_session_before() -> None:
    client = signed_up()
    earlier = Client()
    earlier.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert earlier.get("/dashboard").status_code == 200
    client.post("/login", {"email": "alice@example.com", "password": PASSWORD})
    assert client.get("/dashboard").status_code == 200
    assert earlier.get("/dashboard").status_code == 302


def test_logging_out_ends_the_session_everywhere_not_only_in_this_browser() -> None:
    client = signed_up()
    secret = client.cookies[settings.SESSION_COOKIE_NAME].value
    response = client.post("/logout")
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert client.cookies[settings.SESSION_COOKIE_NAME].value == ""
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = secret
    assert thief.get("/dashboard").headers["Location"].startswith("/login")


def test_logging_out_without_a_session_is_no_error() -> None:
    response = Client().post("/logout")
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_logging_out_by_a_link_is_not_possible() -> None:
    client = signed_up()
    assert client.get("/logout").status_code == 405
    assert client.get("/dashboard").status_code == 200


def test_the_account_page_says_who_one_is_and_where_one_belongs() -> None:
    client = signed_up("Acme Coffee")
    client.post("/new", {"organization_name": "Bean Works", "slug": ""})
    words = text_of(client.get("/account"))
    assert "alice@example.com" in words
    assert "Acme Coffee acme_coffee owner" in words
    assert "Bean Works bean_works owner" in words


def test_a_changed_password_is_the_only_one_that_works_and_ends_other_sessions() -> None:
    client = signed_up()
    elsewhere = Client()
    elsewhere.post("/login", {"email": "alice@example.com", "password": PASSWORD})
    response = client.post("/account", {"current": PASSWORD, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD})
    assert (response.status_code, response.headers["Location"]) == (302, "/account")
    assert "Your password is changed." in text_of(client.get("/account"))
    assert elsewhere.get("/dashboard").headers["Location"].startswith("/login")
    assert Client().post("/login", {"email": "alice@example.com", "password": PASSWORD}).status_code == 422
    assert Client().post("/login", {"email": "alice@example.com", "password": NEW_PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"current": "not my password at all", "password": NEW_PASSWORD, "repeat": NEW_PASSWORD}, "current"),
        ({"current": PASSWORD, "password": "short", "repeat": "short"}, "password"),
        ({"current": PASSWORD, "password": "alice@example.com1", "repeat": "alice@example.com1"}, "password"),
        ({"current": PASSWORD, "password": NEW_PASSWORD, "repeat": "something else entirely"}, "repeat"),
        ({"current": PASSWORD, "password": "x" * 129, "repeat": "x" * 129}, "password"),
    ],
)
def test_a_password_that_is_refused_is_refused_beside_its_field(sent: dict[str, str], field: str) -> None:
    client = signed_up()
    response = client.post("/account", sent)
    assert response.status_code == 422
    assert field_error(response, field)
    for password in sent.values():
        assert f'value="{password}"' not in response.content.decode()
    assert Client().post("/login", {"email": "alice@example.com", "password": PASSWORD}).status_code == 302


UNSAFE_FORMS = {
    "/login": {"email": "alice@example.com", "password": PASSWORD},
    "/logout": {},
    "/theme": {"theme": "dark"},
    "/signup": sign_up_form("Another", "bob@example.com"),
    "/new": {"organization_name": "Bean Works"},
    "/choose": {"slug": "acme_coffee"},
    "/settings": {"organization_name": "Stolen", "slug": "acme_coffee", "rev": "1"},
    "/account": {"current": PASSWORD, "password": NEW_PASSWORD, "repeat": NEW_PASSWORD},
    "/delete": {"confirmation": "acme_coffee"},
}


@pytest.mark.parametrize("path", UNSAFE_FORMS)
def test_every_unsafe_form_needs_its_csrf_token(path: str) -> None:
    member = signed_up()
    strict = Client(enforce_csrf_checks=True)
    if path not in {"/login", "/signup"}:
        strict.cookies[settings.SESSION_COOKIE_NAME] = member.cookies[settings.SESSION_COOKIE_NAME].value
    response = strict.post(path, UNSAFE_FORMS[path])
    assert response.status_code == 403
    assert "This form is out of date" in text_of(response)
    assert "Acme Coffee" in text_of(member.get("/dashboard"))


@pytest.mark.parametrize(
    "path", ["/", "/login", "/signup", "/dashboard", "/settings", "/account", "/choose", "/new", "/delete"]
)
def test_no_page_is_kept_by_a_cache(path: str) -> None:
    for client in (signed_up(), Client()):
        assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/dashboard", "/progress", "/settings", "/account", "/choose", "/new", "/delete"])
def test_private_pages_send_a_visitor_to_the_login_page(path: str) -> None:
    client = Client()
    assert client.get(path).headers["Location"] == f"/login?next={path}"
    assert client.post(path, {}).headers.get("Location", "/login") == "/login"


def test_the_chosen_theme_is_kept_and_the_system_is_followed_again() -> None:
    client = Client()
    assert b"data-bs-theme" not in client.get("/login").content
    response = client.post("/theme", {"theme": "dark", "next": "/login"})
    assert (response.status_code, response.headers["Location"]) == (302, "/login")
    assert b'<html lang="en" data-bs-theme="dark">' in client.get("/login").content
    client.post("/theme", {"theme": "light", "next": "/login"})
    assert b'<html lang="en" data-bs-theme="light">' in client.get("/login").content
    client.post("/theme", {"theme": "system", "next": "/login"})
    assert b"data-bs-theme" not in client.get("/login").content


@pytest.mark.parametrize("foreign", FOREIGN)
def test_choosing_a_theme_never_leads_away_from_the_portal(foreign: str) -> None:
    assert Client().post("/theme", {"theme": "dark", "next": foreign}).headers["Location"] == "/"


def test_a_theme_that_does_not_exist_reaches_no_page() -> None:
    client = Client()
    client.cookies["orgportal_theme"] = '"><script>alert(1)</script>'
    assert b"data-bs-theme" not in client.get("/login").content


def test_an_unknown_address_gets_a_page_that_names_the_request() -> None:
    response = Client().get("/nothing/here", HTTP_X_REQUEST_ID="lost-and-found-1")
    assert response.status_code == 404
    assert "Not Found" in text_of(response)
    assert "lost-and-found-1" in text_of(response)


def test_who_is_logged_in_is_led_from_the_landing_page_to_the_dashboard() -> None:
    assert "Its own MongoDB collection" in text_of(Client().get("/"))
    assert signed_up().get("/").headers["Location"] == "/dashboard"
