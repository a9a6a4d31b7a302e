"""The pages of schema, indexes and figures: with Django's client, without JavaScript."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from orgportal import database
from tenants.access import Access
from tests.accounts.cast import PASSWORD as CAST_PASSWORD
from tests.accounts.cast import a_session, an_account
from tests.scripts import client
from tests.tenants.rules.people import acme, again, fill, work
from tests.visitors import field_error, text_of
from tests.wire.people import PASSWORD

pytestmark = pytest.mark.usefixtures("clean_database")

OWNER = "owner@acme.example"
NAMED = '{"type": "object", "required": ["name"]}'


@pytest.fixture
def access() -> Access:
    return acme()


@pytest.fixture
def owner(access: Access) -> Client:
    return browser(OWNER, PASSWORD)


def browser(email: str, password: str) -> Client:
    from django.conf import settings

    made = client(enforce_csrf_checks=False)
    made.cookies[settings.SESSION_COOKIE_NAME] = a_session(email, password=password)
    return made


@pytest.fixture
def viewer(access: Access) -> Client:
    an_account("viewer@acme.example", access.organization.id, role=Role.VIEWER)
    return browser("viewer@acme.example", CAST_PASSWORD)


def editor_text(response: Any) -> str:
    from html import unescape

    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", response.content.decode(), re.DOTALL)
    assert found
    return unescape(found[1]).strip()


def test_a_schema_is_written_tried_switched_on_and_off(owner: Client) -> None:
    fill([{"name": "Ada"}, {"nick": "bob"}])
    assert "Off. Records can hold anything." in text_of(owner.get("/records/schema"))
    tried = owner.post("/records/schema", {"data": NAMED, "rev": "0", "try": "1"}, follow=True)
    assert "Nothing else has changed" in text_of(tried)
    assert "About to begin." in text_of(tried)
    work(later=False)
    found = owner.get("/records/schema")
    assert "1 of 2 records does not fit. It was only tried" in text_of(found)
    assert "r1 data.name This field is required." in text_of(found)
    assert '"required"' in editor_text(found), "what was tried is there to be mended"
    switched = owner.post("/records/schema", {"data": NAMED, "rev": "0", "switch_on": "1"}, follow=True)
    assert "Being switched on. New writes are held to it already" in text_of(switched)
    work()
    assert "So it was not switched on." in text_of(owner.get("/records/schema"))
    owner.post("/records/schema", {"data": '{"type": "object"}', "rev": "2"})
    work()
    on = owner.get("/records/schema")
    assert "On. Whatever is written" in text_of(on)
    assert "All 2 records fit." in text_of(on)
    off = owner.post("/records/schema/off", {"rev": str(again().organization.schema.rev)}, follow=True)
    assert "Records can hold anything again" in text_of(off)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('{\n  "type": "object",\n  "properties": {"a": {"type": "strin"}}\n}', "Line 3, column 24", "Use array"),
        ('{\n  "type": }', "Line 2, column 11", "not valid JSON"),
        ('{\n "properties": {\n  "a": {"pattern": "(?=x)"}}}', "Line 3, column 9", "Look-around"),
        ('{"$ref": "https://example.org/x"}', "Line 1, column 2", "nothing is fetched"),
        ("[]", "Line 1, column 1", "Use a JSON object."),
    ],
)
def test_what_is_wrong_with_a_schema_is_told_at_its_line(owner: Client, text: str, place: str, message: str) -> None:
    refused = owner.post("/records/schema", {"data": text, "rev": "0"})
    assert refused.status_code in {400, 422}
    assert place in text_of(refused), text_of(refused)
    assert message in text_of(refused)
    assert editor_text(refused) == text


def test_a_record_that_came_past_the_portal_is_in_the_report_whatever_its_id(owner: Client) -> None:
    for strange in ("a/b", 5, ""):
        database.master()["org_acme"].insert_one({"_id": strange, "data": {}})
    owner.post("/records/schema", {"data": NAMED, "rev": "0", "try": "1"})
    work(later=False)
    found = owner.get("/records/schema")
    assert "3 of 3 records do not fit." in text_of(found)
    assert "a/b data.name" in text_of(found)


def test_a_draft_is_offered_and_nothing_is_saved_by_it(owner: Client) -> None:
    fill([{"name": f"n{number}", "age": number} for number in range(4)])
    draft = owner.get("/records/schema?draft=1")
    assert '"age"' in editor_text(draft)
    assert "Nothing is saved" in text_of(draft)
    assert owner.post("/records/schema", {"data": editor_text(draft), "rev": "0"}).status_code == 302
    work()
    assert "All 4 records fit." in text_of(owner.get("/records/schema"))


def test_whoever_comes_second_is_told_and_loses_nothing(owner: Client) -> None:
    owner.post("/records/schema", {"data": NAMED, "rev": "0"})
    second = owner.post("/records/schema", {"data": '{"minProperties": 1}', "rev": "0"})
    assert second.status_code == 412
    assert "Somebody changed the schema meanwhile" in text_of(second)
    assert editor_text(second) == '{"minProperties": 1}'
    assert owner.post("/records/schema", {"data": '{"minProperties": 1}', "rev": "1"}).status_code == 302


def test_viewers_see_the_schema_and_change_nothing(owner: Client, viewer: Client) -> None:
    assert "No schema" in text_of(viewer.get("/records/schema"))
    owner.post("/records/schema", {"data": NAMED, "rev": "0"})
    work()
    shown = viewer.get("/records/schema")
    assert '"required"' in shown.content.decode().replace("&quot;", '"')
    assert b"<textarea" not in shown.content
    assert viewer.post("/records/schema", {"data": "{}", "rev": "1"}).status_code == 403
    assert viewer.post("/records/schema/off", {"rev": "1"}).status_code == 403
    assert viewer.get("/records/indexes").status_code == 200
    assert viewer.post("/records/indexes", {"field_0": "a"}).status_code == 403


def test_an_index_is_added_looked_at_and_removed(owner: Client) -> None:
    fill([{"city": "Oslo", "people": 5}])
    assert "No indexes yet" in text_of(owner.get("/records/indexes"))
    form = {"field_0": "city", "field_1": "people", "order_1": "-", "unique": "on"}
    added = owner.post("/records/indexes", form, follow=True)
    assert "The index is being built." in text_of(added)
    assert "city small first" in text_of(added)
    assert "people large first" in text_of(added)
    assert 'hx-trigger="every 2s"' in added.content.decode()
    work()
    ready = owner.get("/records/indexes")
    assert "Ready" in text_of(ready)
    assert "not told by this database" in text_of(ready)
    assert 'hx-trigger="every 2s"' not in ready.content.decode()
    action = re.search(r'action="(/records/indexes/\w+/remove)"', ready.content.decode())
    assert action
    assert "The index is removed." in text_of(owner.post(action[1], follow=True))
    assert owner.post(action[1]).status_code == 404


@pytest.mark.parametrize(
    ("form", "field", "message"),
    [
        ({}, "field_0", "Name 1 to 4 fields."),
        ({"field_0": "a", "field_2": "$b"}, "field_2", "may not begin with $"),
        ({"field_1": "a", "field_3": "a", "order_3": "-"}, "field_3", "named twice"),
    ],
)
def test_what_is_wrong_with_an_index_stands_beside_its_field(
    owner: Client, form: dict[str, str], field: str, message: str
) -> None:
    refused = owner.post("/records/indexes", form)
    assert refused.status_code == 422
    assert message in field_error(refused, field)


def test_a_failed_index_says_which_value_is_there_twice(owner: Client) -> None:
    fill([{"email": "a@x.org"}, {"email": "a@x.org"}])
    owner.post("/records/indexes", {"field_0": "email", "unique": "on"})
    work()
    assert "More than one record has email = “a@x.org”, so it cannot be kept unique." in text_of(
        owner.get("/records/indexes")
    )


def test_when_there_are_enough_indexes_the_page_says_so(owner: Client, settings: Any) -> None:
    settings.INDEXES_PER_ORGANIZATION = 1
    owner.post("/records/indexes", {"field_0": "a"})
    assert "There are 1 already." in text_of(owner.get("/records/indexes"))
    assert owner.post("/records/indexes", {"field_0": "b"}).status_code == 409


def test_the_dashboard_of_a_new_organization_has_its_first_figures(owner: Client) -> None:
    page = owner.get("/dashboard")
    assert "Records over the last eight weeks" in page.content.decode()
    assert "0 records now, 0 at the beginning." in text_of(page)
    assert b'id="distribution"' not in page.content


def test_the_dashboard_draws_how_a_field_is_spread(owner: Client) -> None:
    fill([{"city": "Oslo" if number % 3 else "Rome", "people": number} for number in range(30)])
    page = owner.get("/dashboard")
    assert 'hx-get="/dashboard/field"' in page.content.decode()
    by_city = owner.get("/dashboard?field=city")
    assert "Oslo 20 67 % Rome 10 33 %" in text_of(by_city)
    by_people = owner.get("/dashboard?field=people")
    assert by_people.content.decode().count('<rect class="figure-bar"') == 15
    assert "0 to 2 2 6.7 %" in text_of(by_people)
    assert 'style="' not in by_people.content.decode()
    first = owner.get("/dashboard?field=")
    assert 'value="people" selected' in first.content.decode()


def test_a_part_of_the_dashboard_comes_alone_to_htmx(owner: Client) -> None:
    fill([{"city": "Oslo"}])
    part = owner.get("/dashboard/field?field=city", headers={"HX-Request": "true"})
    assert part.content.decode().strip().startswith('<section class="card" id="distribution"')
    whole = owner.get("/dashboard/field?field=a%26b")
    assert whole["Location"] == "/dashboard?field=a%26b#distribution"


@pytest.mark.parametrize("field", ["$where", "a..b", "x" * 300])
def test_what_is_no_field_is_told_in_its_place(owner: Client, field: str) -> None:
    fill([{"city": "Oslo"}])
    page = owner.get("/dashboard", {"field": field})
    assert page.status_code == 200
    assert 'class="field-error"' in page.content.decode()


def test_a_field_that_nobody_has_is_drawn_as_nothing(owner: Client) -> None:
    fill([{"city": "Oslo"}])
    assert "No record has a value there" in text_of(owner.get("/dashboard?field=nowhere"))
