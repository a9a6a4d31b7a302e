"""The pages of an organization's life, as a browser without JavaScript gets them."""

import re
from http.cookies import SimpleCookie

import pytest
from django.conf import settings
from django.test import Client

from orgportal import database
from tests.remembered import recall
from tests.visitors import PASSWORD, field_error, sign_up_form, signed_up, text_of, value_of

pytestmark = pytest.mark.usefixtures("clean_database")


def settings_form(client: Client, **changes: object) -> dict[str, object]:
    """The settings form as the page fills it in, with changes."""
    page = client.get("/settings")
    names = ("organization_name", "slug", "rev")
    return {name: value_of(page, name) for name in names} | changes


def collections() -> list[str]:
    return sorted(name for name in database.master().list_collection_names() if name.startswith("org_"))


def test_signing_up_makes_the_collection_and_opens_the_dashboard() -> None:
    client = signed_up("Café Zürich", slug="")
    assert collections() == ["org_cafe_zurich"]
    words = text_of(client.get("/dashboard"))
    assert "Café Zürich is ready." in words
    assert "cafe_zurich Active You are its owner" in words
    assert "org_cafe_zurich" in words


def test_a_chosen_short_name_is_taken_as_it_is() -> None:
    signed_up("東京カフェ", slug="tokyo_cafe")
    assert collections() == ["org_tokyo_cafe"]


def test_checking_the_name_shows_the_short_name_and_creates_nothing() -> None:
    response = Client().post("/signup", sign_up_form("Acme Coffee", check="1"))
    assert response.status_code == 200
    assert "acme_coffee is free. The collection will be org_acme_coffee ." in text_of(response)
    assert value_of(response, "organization_name") == "Acme Coffee"
    assert value_of(response, "email") == "alice@example.com"
    assert PASSWORD not in response.content.decode()
    assert collections() == []


@pytest.mark.parametrize(
    ("name", "slug", "expected"),
    [
        ("Acme Coffee", "", "acme_coffee is taken."),
        ("Anything", "acme_coffee", "acme_coffee is taken."),
        ("Admin", "", "“admin” is reserved"),
        ("Fine", "No Good", "Use 2 to 40 of a-z, 0-9 and _"),
        ("!!!", "", "Use at least one letter or digit."),
        ("Bean Works", "", "bean_works is free."),
        ("Anything", "beans", "beans is free."),
    ],
)
def test_the_preview_says_whether_a_name_can_be_had_and_why_not(name: str, slug: str, expected: str) -> None:
    signed_up("Acme Coffee")
    fragment = Client().get("/signup/name", {"organization_name": name, "slug": slug})
    assert fragment.status_code == 200
    assert expected in text_of(fragment)
    assert "<html" not in fragment.content.decode()
    checked = Client().post("/signup", sign_up_form(name, slug=slug, check="1"))
    assert expected in text_of(checked)


def test_the_preview_of_nothing_explains_what_will_happen() -> None:
    assert "Your collection will be named after" in text_of(Client().get("/signup/name", {"organization_name": " "}))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 20_000, "\u202eevil", "a" * 300 + "$where"])
def test_the_preview_survives_whatever_is_typed(name: str) -> None:
    response = Client().get("/signup/name", {"organization_name": name})
    assert response.status_code == 200
    assert b"<script>" not in response.content


def test_the_preview_is_only_for_reading() -> None:
    assert Client().post("/signup/name", {"organization_name": "Acme"}).status_code == 405


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"organization_name": ""}, "organization_name"),
        ({"organization_name": "!!!"}, "organization_name"),
        ({"organization_name": "Admin"}, "organization_name"),
        ({"organization_name": "x" * 201}, "organization_name"),
        ({"slug": "No Good"}, "slug"),
        ({"slug": "system"}, "slug"),
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "acme coffee 1234"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "aaaaaaaaaaaaaaaaaaaa"}, "password"),
    ],
)
def test_what_is_wrong_with_a_sign_up_is_said_beside_the_field(changed: dict[str, str], field: str) -> None:
    response = Client().post("/signup", sign_up_form() | changed)
    assert response.status_code == 422
    assert field_error(response, field)
    body = response.content.decode()
    assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', body)
    assert re.search(rf'name="{field}"[^>]*aria-describedby="[^"]*id_{field}_error', body)
    assert collections() == []
    assert database.collection("accounts").count_documents({}) == 0


def test_all_mistakes_of_a_sign_up_are_shown_at_once() -> None:
    response = Client().post("/signup", {"organization_name": "!", "email": "nobody", "password": "short"})
    assert all(field_error(response, field) for field in ("organization_name", "email", "password"))


def test_a_taken_name_is_409_beside_the_short_name() -> None:
    signed_up("Acme Coffee")
    response = Client().post("/signup", sign_up_form("Acme, Coffee!", "bob@example.com"))
    assert response.status_code == 409
    assert field_error(response, "slug")


def test_a_taken_email_is_409_beside_the_email_and_leaves_no_trace() -> None:
    signed_up("Acme Coffee")
    response = Client().post("/signup", sign_up_form("Bean Works"))
    assert response.status_code == 409
    assert "Log in to add an organization" in field_error(response, "email")
    assert collections() == ["org_acme_coffee"]


def test_sending_the_sign_up_form_twice_creates_one_organization_and_no_error() -> None:
    page = Client().get("/signup")
    form = sign_up_form(form_key=value_of(page, "form_key"))
    assert len(form["form_key"]) >= 20
    first, second = Client(), Client()
    assert first.post("/signup", form).headers["Location"] == "/dashboard"
    assert second.post("/signup", form).headers["Location"] == "/dashboard"
    assert "Acme Coffee" in text_of(second.get("/dashboard"))
    assert database.collection("accounts").count_documents({}) == 1
    assert collections() == ["org_acme_coffee"]


def test_a_repeated_sign_up_without_the_password_opens_nothing() -> None:
    form = sign_up_form(form_key="a-key-that-somebody-saw")
    Client().post("/signup", form)
    thief = Client()
    response = thief.post("/signup", form | {"password": "some other good password"})
    assert response.status_code in {401, 409, 422}
    assert settings.SESSION_COOKIE_NAME not in thief.cookies


def test_the_same_form_with_another_name_is_another_request() -> None:
    form = sign_up_form(form_key="one-key")
    Client().post("/signup", form)
    response = Client().post("/signup", form | {"organization_name": "Bean Works"})
    assert response.status_code == 409
    assert field_error(response, "email")


def test_who_is_logged_in_adds_an_organization_instead_of_signing_up() -> None:
    client = signed_up("Acme Coffee")
    assert client.get("/signup").headers["Location"] == "/new"
    assert client.post("/signup", sign_up_form("Bean Works")).headers["Location"] == "/dashboard"
    response = client.post("/new", {"organization_name": "Bean Works", "slug": ""})
    assert response.headers["Location"] == "/dashboard"
    assert "bean_works Active You are its owner" in text_of(client.get("/dashboard"))
    assert collections() == ["org_acme_coffee", "org_bean_works"]


def test_adding_an_organization_twice_with_one_form_adds_one() -> None:
    client = signed_up("Acme Coffee")
    form = {"organization_name": "Bean Works", "slug": "", "form_key": value_of(client.get("/new"), "form_key")}
    assert client.post("/new", form).headers["Location"] == "/dashboard"
    assert client.post("/new", form).headers["Location"] == "/dashboard"
    assert collections() == ["org_acme_coffee", "org_bean_works"]


def test_the_name_of_a_further_organization_can_be_checked_first() -> None:
    client = signed_up("Acme Coffee")
    response = client.post("/new", {"organization_name": "Acme Coffee", "check": "1"})
    assert response.status_code == 200
    assert "acme_coffee is taken." in text_of(response)
    assert client.post("/new", {"organization_name": "Acme Coffee"}).status_code == 409
    assert client.post("/new", {"organization_name": ""}).status_code == 422


@pytest.fixture
def two() -> Client:
    """Alice with two organizations, working in the second."""
    client = signed_up("Acme Coffee")

    def with_second() -> SimpleCookie:
        assert client.post("/new", {"organization_name": "Bean Works"}).status_code == 302
        return client.cookies

    client.cookies = recall(("a second organization by page",), with_second)
    return client


def test_who_has_several_organizations_chooses_after_logging_in(two: Client) -> None:
    client = Client()
    response = client.post("/login", {"email": "alice@example.com", "password": PASSWORD, "next": "/settings"})
    assert response.headers["Location"] == "/choose"
    for path in ("/dashboard", "/settings", "/delete", "/progress"):
        assert client.get(path).headers["Location"] == "/choose"
    words = text_of(client.get("/choose"))
    assert "Acme Coffee" in words
    assert "Bean Works" in words
    assert client.post("/choose", {"slug": "acme_coffee"}).headers["Location"] == "/dashboard"
    assert "org_acme_coffee" in text_of(client.get("/dashboard"))


def test_switching_gives_a_new_session_and_ends_the_old_one(two: Client) -> None:
    before = two.cookies[settings.SESSION_COOKIE_NAME].value
    two.post("/choose", {"slug": "acme_coffee"})
    assert two.cookies[settings.SESSION_COOKIE_NAME].value != before
    old = Client()
    old.cookies[settings.SESSION_COOKIE_NAME] = before
    assert old.get("/dashboard").headers["Location"].startswith("/login")


@pytest.mark.parametrize("slug", ["globex", "nothing_there", "", "$ne", "a" * 500])
def test_another_persons_organization_cannot_be_chosen(two: Client, slug: str) -> None:
    signed_up("Globex", "bob@example.com")
    assert two.post("/choose", {"slug": slug}).status_code == 404
    assert two.post("/choose", {"slug[$ne]": "x"}).status_code == 404
    assert "Bean Works" in text_of(two.get("/dashboard"))


def test_many_organizations_come_in_pages_that_can_be_walked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.views.CHOICES_PER_PAGE", 2)
    client = signed_up("Acme 0")
    for number in range(1, 5):
        client.post("/new", {"organization_name": f"Acme {number}"})
    seen: list[str] = []
    path = "/choose"
    while path:
        page = client.get(path).content.decode()
        seen += re.findall(r'org-card-name">(Acme \d)<', page)
        following = re.search(r'href="(\?cursor=[^"]+)"', page)
        path = f"/choose{following[1]}" if following else ""
    assert seen == [f"Acme {number}" for number in range(5)]


def test_a_broken_cursor_is_the_callers_mistake() -> None:
    assert 400 <= signed_up().get("/choose?cursor=broken").status_code < 500


def test_the_dashboard_shows_a_token_that_works_at_once() -> None:
    client = signed_up("Acme Coffee")
    page = client.get("/dashboard").content.decode()
    token = re.search(r'<code id="access-token">([^<]+)</code>', page)
    assert token
    command = re.search(r'<code id="curl-line">([^<]+)</code>', page)
    assert command
    assert "http://testserver/api/v1/orgs/acme_coffee" in command[1]
    assert f"Authorization: Bearer {token[1]}" in command[1]
    answer = Client().get("/api/v1/orgs/acme_coffee", HTTP_AUTHORIZATION=f"Bearer {token[1]}")
    assert answer.status_code == 200
    assert answer.json()["organization_name"] == "Acme Coffee"


def test_the_dashboards_token_ends_with_the_session() -> None:
    client = signed_up("Acme Coffee")
    page = client.get("/dashboard").content.decode()
    token = page.split('<code id="access-token">')[1].split("<")[0]
    client.post("/logout")
    assert Client().get("/api/v1/orgs/acme_coffee", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401


def test_an_empty_organization_is_told_what_to_do_next() -> None:
    assert "Your collection is empty and ready." in text_of(signed_up().get("/dashboard"))


def test_the_dashboard_counts_records() -> None:
    client = signed_up("Acme Coffee")
    database.master()["org_acme_coffee"].insert_many([{"data": {"n": n}} for n in range(1234)])
    words = text_of(client.get("/dashboard"))
    assert "Records 1,234" in words
    assert "empty and ready" not in words


def test_names_are_shown_as_text_never_as_markup() -> None:
    client = signed_up("<b>Bold</b> & Söhne", slug="bold")
    for path in ("/dashboard", "/settings", "/account", "/choose", "/delete"):
        assert "<b>Bold" not in client.get(path).content.decode()


def test_the_settings_change_the_name_and_keep_the_collection() -> None:
    client = signed_up("Acme Coffee")
    response = client.post("/settings", settings_form(client, organization_name="Acme Roasters"))
    assert response.headers["Location"] == "/settings"
    words = text_of(client.get("/settings"))
    assert "Your changes are saved." in words
    assert "Acme Roasters" in words
    assert collections() == ["org_acme_coffee"]


def test_a_new_short_name_renames_the_collection_with_its_data() -> None:
    client = signed_up("Acme Coffee")
    database.master()["org_acme_coffee"].insert_one({"data": {"kept": True}})
    response = client.post("/settings", settings_form(client, slug="acme_roasters"))
    assert response.headers["Location"] == "/settings"
    words = text_of(client.get("/settings"))
    assert "The collection is now org_acme_roasters ." in words.replace("roasters.", "roasters .")
    assert database.master()["org_acme_roasters"].count_documents({"data.kept": True}) == 1


def test_metadata_keeps_its_types_through_the_form() -> None:
    client = signed_up("Acme Coffee")
    keys = ["plan", "seats", "ratio", "trial", "note", "zip", "", "quoted"]
    values = ["pilot", "25", "0.5", "true", "null", '"01234"', "", '"true"']
    client.post("/settings", settings_form(client, metadata_key=keys, metadata_value=values))
    row = database.collection("organizations").find_one({"names": "acme_coffee"})
    assert row
    expected = {
        "plan": "pilot", "seats": 25, "ratio": 0.5, "trial": True, "note": None, "zip": "01234", "quoted": "true",
    }  # fmt: skip
    assert row["metadata"] == expected
    page = client.get("/settings").content.decode()
    shown = dict(zip(re.findall(r'name="metadata_key" value="([^"]*)"', page),
                     re.findall(r'name="metadata_value" value="([^"]*)"', page), strict=True))  # fmt: skip
    assert shown["seats"] == "25"
    assert shown["quoted"] == "&quot;true&quot;"
    assert "seats 25" in text_of(client.get("/dashboard"))


def test_emptying_a_row_removes_its_key() -> None:
    client = signed_up("Acme Coffee")
    client.post("/settings", settings_form(client, metadata_key=["a", "b"], metadata_value=["1", "2"]))
    client.post("/settings", settings_form(client, metadata_key=["a", ""], metadata_value=["1", ""]))
    row = database.collection("organizations").find_one({"names": "acme_coffee"})
    assert row
    assert row["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("keys", "values", "expected"),
    [
        (["$where"], ["1"], "no leading $"),
        (["a.b"], ["1"], "no dot"),
        (["_cls"], ["Account"], "not _cls"),
        (["twice", "twice"], ["1", "2"], "there twice"),
        ([""], ["lonely"], "has no key"),
        (["open"], ['"never closed'], "does not end with one"),
        (["big"], ["9999999999999999999"], "at most 64 bits"),
        (["huge"], ["1e999"], "Use a finite number."),
        (["x" * 65], ["1"], "1 to 64 characters"),
        (["long"], ["x" * 1001], "at most 1000 characters"),
    ],
)
def test_metadata_that_is_refused_stays_on_the_page_with_the_reason(
    keys: list[str], values: list[str], expected: str
) -> None:
    client = signed_up("Acme Coffee")
    response = client.post("/settings", settings_form(client, metadata_key=keys, metadata_value=values))
    assert response.status_code == 422
    assert expected in text_of(response)
    assert value_of(response, "metadata_value") == values[0]


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten() -> None:
    client = signed_up("Acme Coffee")
    form = settings_form(client, organization_name="Mine")
    client.post("/settings", settings_form(client, organization_name="Theirs"))
    response = client.post("/settings", form)
    assert response.status_code == 412
    assert "Somebody changed the organization meanwhile." in text_of(response)
    assert value_of(response, "organization_name") == "Mine"
    assert "Theirs" in text_of(client.get("/dashboard"))


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"organization_name": ""}, 422, "organization_name"),
        ({"organization_name": "!!!"}, 422, "organization_name"),
        ({"slug": "Bad Slug"}, 422, "slug"),
        ({"slug": "admin"}, 422, "slug"),
        ({"slug": "globex"}, 409, "slug"),
    ],
)
def test_settings_that_are_refused_are_refused_beside_the_field(
    changes: dict[str, object], status: int, field: str
) -> None:
    signed_up("Globex", "bob@example.com")
    client = signed_up("Acme Coffee")
    response = client.post("/settings", settings_form(client, **changes))
    assert response.status_code == status
    assert field_error(response, field)
    assert collections() == ["org_acme_coffee", "org_globex"]


def test_nothing_but_name_short_name_and_metadata_can_be_set() -> None:
    client = signed_up("Acme Coffee")
    more = {"status": "deleting", "epoch": "99", "placement": "x", "collection": "org_globex", "role": "viewer"}
    client.post("/settings", settings_form(client, **more))
    row = database.collection("organizations").find_one({"names": "acme_coffee"})
    assert row
    assert (row["status"], row["placement"]["collection"]) == ("active", "org_acme_coffee")


def as_member(role: str) -> Client:
    """Alice's browser after her role in her organization became another one."""
    client = signed_up("Acme Coffee")
    database.collection("accounts").update_one({"email": "alice@example.com"}, {"$set": {"memberships.0.role": role}})
    return client


@pytest.mark.parametrize(
    ("role", "settings_status", "delete_status"),
    [("viewer", 403, 403), ("editor", 403, 403), ("admin", 200, 403), ("owner", 200, 200)],
)
def test_each_role_sees_what_it_may_do_and_nothing_else(role: str, settings_status: int, delete_status: int) -> None:
    client = as_member(role)
    words = text_of(client.get("/dashboard"))
    assert ("Danger zone" in words) == (delete_status == 200)
    assert client.get("/settings").status_code == settings_status
    assert client.get("/delete").status_code == delete_status
    assert client.post("/delete", {"confirmation": "acme_coffee"}).status_code in {403, 302}
    assert (collections() == []) == (delete_status == 200)


def test_the_delete_page_counts_exactly_what_goes() -> None:
    client = signed_up("Acme Coffee")
    database.master()["org_acme_coffee"].insert_many([{"data": {"n": n}} for n in range(3)])
    words = text_of(client.get("/delete"))
    assert "3 records" in words
    assert "1 member loses access" in words
    assert "1 account vanishes" in words
    assert "yours included" in words


def test_an_account_with_another_organization_does_not_vanish(two: Client) -> None:
    words = text_of(two.get("/delete"))
    assert "0 accounts vanish" in words
    assert "Everybody here belongs to another organization too." in words


@pytest.mark.parametrize("typed", ["", "acme", "Acme_Coffee", "acme_coffee2", "Acme Coffee"])
def test_nothing_is_deleted_until_the_short_name_is_typed(typed: str) -> None:
    client = signed_up("Acme Coffee")
    response = client.post("/delete", {"confirmation": typed})
    assert response.status_code == 422
    assert field_error(response, "confirmation")
    assert collections() == ["org_acme_coffee"]


def test_deleting_removes_the_collection_the_account_and_the_session() -> None:
    client = signed_up("Acme Coffee")
    response = client.post("/delete", {"confirmation": "acme_coffee"})
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    words = text_of(client.get("/"))
    assert "Acme Coffee and everything in it is deleted." in words or "is being deleted" in words
    assert collections() == []
    assert client.get("/dashboard").headers["Location"].startswith("/login")
    assert Client().post("/login", {"email": "alice@example.com", "password": PASSWORD}).status_code == 422


def test_who_has_another_organization_can_still_log_in_after_deleting_one(two: Client) -> None:
    two.post("/delete", {"confirmation": "bean_works"})
    client = Client()
    assert (
        client.post("/login", {"email": "alice@example.com", "password": PASSWORD}).headers["Location"] == "/dashboard"
    )
    assert "org_acme_coffee" in text_of(client.get("/dashboard"))


@pytest.fixture
def renaming() -> Client:
    """Alice's browser while her organization's collection is being renamed."""
    client = signed_up("Acme Coffee")
    row = database.collection("organizations").find_one({"names": "acme_coffee"})
    assert row
    pending = {
        "op": "rename", "step": "copy", "holder": "somebody", "since": row["created_at"],
        "target": {"slug": "acme_roasters", "placement": {**row["placement"], "collection": "org_acme_roasters"}},
    }  # fmt: skip
    database.collection("organizations").update_one(
        {"_id": row["_id"]},
        {"$set": {"status": "renaming", "pending": pending}, "$push": {"names": "acme_roasters"}, "$inc": {"epoch": 1}},
    )
    return client


def test_a_rename_that_takes_longer_shows_its_progress_instead_of_the_dashboard(renaming: Client) -> None:
    assert renaming.get("/dashboard").headers["Location"] == "/progress"
    response = renaming.get("/progress")
    assert response.status_code == 200
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in response.content.decode()
    words = text_of(response)
    assert "acme_coffee acme_roasters" in words
    assert "organization_busy" in words


def test_the_progress_page_asks_for_a_fragment_and_is_led_on_when_it_is_done(renaming: Client) -> None:
    fragment = renaming.get("/progress", HTTP_HX_REQUEST="true")
    assert fragment.status_code == 200
    assert "<html" not in fragment.content.decode()
    database.collection("organizations").update_one(
        {"names": "acme_coffee"}, {"$set": {"status": "active"}, "$unset": {"pending": ""}}
    )
    assert renaming.get("/progress", HTTP_HX_REQUEST="true").headers["HX-Redirect"] == "/dashboard"
    assert renaming.get("/progress").headers["Location"] == "/dashboard"


def test_changes_during_a_rename_are_refused_for_the_moment_and_stay_on_the_page(renaming: Client) -> None:
    response = renaming.post("/settings", settings_form(renaming, organization_name="Other"))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert "being changed right now" in text_of(response)
    assert value_of(response, "organization_name") == "Other"
    deleting = renaming.post("/delete", {"confirmation": "acme_coffee"})
    assert deleting.status_code == 503
