"""The pages of single records, and of deleting many, as a browser without JavaScript gets them."""

import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import bson
import pytest
from bson import Decimal128, Int64, ObjectId
from django.test import Client

from accounts.roles import Role
from tenants.records import document_text
from tests.answers import Answer
from tests.scripts import Script
from tests.tenants.records.desk import Desk, form_value, link_of, table_of, words
from tests.visitors import field_error, text_of

EVERYTHING: dict[str, Any] = {
    "name": "Ada",
    "long": Int64(5),
    "price": Decimal128("19.90"),
    "ref": ObjectId("65f0c0ffee65f0c0ffee65f0"),
    "raw": b"\x00\xff",
    "nan": float("nan"),
    "html": "</textarea><script>alert(1)</script>",
    "turned": "a\u202eb",
}


def save(browser: Client, id: str, text: str, *, version: str | None = None) -> Any:
    """Send the form of the record's page as the page fills it in, with another text."""
    if version is None:
        version = form_value(browser.get(f"/records/id/{id}"), "version")
    return browser.post(f"/records/id/{id}", {"data": text, "version": version})


def places_of(page: Answer) -> list[tuple[int, str]]:
    """Line and path of each problem on the page."""
    found = re.findall(r'data-goto-line="(\d+)"[^>]*>[^<]*</a>(?: <code[^>]*>([^<]*)</code>)?', page.content.decode())
    return [(int(line), path) for line, path in found]


def test_a_record_is_shown_whole_and_saved_as_it_was_changes_nothing(desk: Desk) -> None:
    desk.add(ada=EVERYTHING)
    browser = desk.browser()
    page = browser.get("/records/id/ada")
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert "\u202e" not in page.content.decode()
    text = form_value(page, "data")
    assert text == document_text.text_of(EVERYTHING)
    saved = save(browser, "ada", text.replace("\n", "\r\n"))
    assert (saved.status_code, saved["Location"]) == (302, "/records/id/ada")
    assert bson.encode(desk.data("ada")) == bson.encode(EVERYTHING)
    assert "Revision 2" in text_of(browser.get("/records/id/ada"))


def test_a_change_is_saved(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"})
    browser = desk.browser()
    assert (
        save(browser, "ada", '{"name": "Ada Lovelace", "born": {"$date": "1815-12-10T00:00:00Z"}}').status_code == 302
    )
    assert desk.data("ada")["name"] == "Ada Lovelace"
    assert "Saved. This is revision 2 now." in text_of(browser.get("/records/id/ada"))


@pytest.mark.parametrize("id", ["new", "import", "imports", "delete", "export", "a.b~c:d@e-f", "x" * 128, "...x"])
def test_every_id_that_a_record_can_have_has_its_page(desk: Desk, id: str) -> None:
    desk.add(**{id: {"n": 1}})
    browser = desk.browser()
    address = link_of(browser.get("/records"), id)
    page = browser.get(address)
    assert page.status_code == 200
    assert '"n": 1' in form_value(page, "data")
    assert browser.get(f"{address}/delete").status_code == 200


@pytest.mark.parametrize(
    "id", ["nothing", "%00", "..", "a%2Fb", "%F0%9F%98%80", "$ne", "x" * 200, "65f0c0ffee65f0c0ffee65f0"]
)
def test_there_is_no_page_for_what_is_not_there(desk: Desk, id: str) -> None:
    for role in Role.VIEWER, Role.EDITOR:
        assert desk.browser(role).get(f"/records/id/{id}").status_code == 404
    assert desk.browser().get(f"/records/id/{id}/delete").status_code == 404


@pytest.mark.parametrize(
    ("text", "status", "places"),
    [
        ('{\n  "a": 1,\n}', 400, [(3, "")]),
        ("", 400, [(1, "")]),
        ("[1]", 422, [(1, "")]),
        (
            '{\n  "a": {"$date": "never"},\n  "b.c": 1,\n  "d": [\n    {"$x": 1}\n  ]\n}',
            422,
            [(2, "a.$date"), (3, "b.c"), (5, "d.0.$x")],
        ),
        ('{\n"_id": 5\n}', 422, [(2, "_id")]),
        ('{\n"a": 1,\n"a": 2}', 422, [(3, "a")]),
        ("[" * 100 + "]" * 100, 422, [(1, "")]),
        ('{"a": "' + "x" * 700_000 + '", "b": "' + "é" * 200_000 + '"}', 413, [(1, "")]),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_line_and_nothing_typed_is_lost(
    desk: Desk, text: str, status: int, places: list[tuple[int, str]]
) -> None:
    desk.add(ada={"name": "Ada"})
    page = save(desk.browser(), "ada", text)
    assert page.status_code == status
    assert places_of(page) == places
    assert form_value(page, "data") == text
    assert desk.data("ada") == {"name": "Ada"}


def test_the_largest_record_can_be_saved_and_a_larger_one_is_refused(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"})
    browser = desk.browser()
    numbers = {"numbers": [Decimal128("1.5")] * 30_000}
    assert save(browser, "ada", document_text.text_of(numbers)).status_code == 302
    assert desk.data("ada") == numbers
    assert save(browser, "ada", '{"a": "' + "x" * 9_000_000 + '"}').status_code == 413


def test_who_saves_second_sees_both_and_loses_nothing(desk: Desk) -> None:
    desk.add(ada={"name": "Ada", "city": "London", "born": 1815})
    alice, bob = desk.browser(), desk.browser(Role.OWNER)
    version = form_value(alice.get("/records/id/ada"), "version")
    assert save(bob, "ada", '{"name": "Ada", "city": "Paris", "born": 1815}').status_code == 302
    mine = '{"name": "Ada L.",\n "city": "London", "born": 1815}'
    page = save(alice, "ada", mine, version=version)
    assert page.status_code == 412
    assert form_value(page, "data") == mine
    rows = re.findall(r'<tr class="diff-(\w+)">.*?<td class="diff-text">(.*?)</td>', page.content.decode(), re.DOTALL)
    assert [(kind, words(text)) for kind, text in rows] == [
        ("same", "{"),
        ("removed", '"name": "Ada",'),
        ("removed", '"city": "Paris",'),
        ("added", '"name": "Ada L.",'),
        ("added", '"city": "London",'),
        ("same", '"born": 1815'),
        ("same", "}"),
    ]
    assert desk.data("ada")["city"] == "Paris"
    over = save(alice, "ada", mine, version=form_value(page, "version"))
    assert over.status_code == 302
    assert desk.data("ada") == {"name": "Ada L.", "city": "London", "born": 1815}


def test_a_conflict_over_the_same_text_says_so(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"})
    page = save(desk.browser(), "ada", '{"name":"Ada"}', version="0-0")
    assert page.status_code == 412
    assert "Both say the same." in text_of(page)


def test_a_conflict_over_text_that_is_no_json_keeps_it_too(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"})
    browser = desk.browser()
    version = form_value(browser.get("/records/id/ada"), "version")
    save(browser, "ada", '{"name": "Eve"}')
    broken = save(browser, "ada", '{"name": ', version=version)
    assert broken.status_code == 400
    assert form_value(broken, "data") == '{"name": '
    again = save(browser, "ada", '{"name": "Ada"}', version=form_value(broken, "version"))
    assert again.status_code == 412


def test_a_record_deleted_meanwhile_can_be_made_again_from_what_was_typed(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"})
    browser = desk.browser()
    version = form_value(browser.get("/records/id/ada"), "version")
    desk.collection.delete_one({"_id": "ada"})
    page = save(browser, "ada", '{"name": "Ada II"}', version=version)
    assert page.status_code == 404
    assert "This record is gone" in text_of(page)
    names = ("data", "id", "form_key")
    made = browser.post("/records/new", {name: form_value(page, name) for name in names})
    assert made["Location"] == "/records/id/ada"
    assert desk.data("ada") == {"name": "Ada II"}


def test_a_new_record_gets_the_chosen_id_or_one_of_its_own(desk: Desk) -> None:
    browser = desk.browser()
    page = browser.get("/records/new")
    assert page.status_code == 200
    made = browser.post("/records/new", {"data": '{"n": 1}', "id": "first", "form_key": form_value(page, "form_key")})
    assert made["Location"] == "/records/id/first"
    other = browser.post("/records/new", {"data": '{"n": 2}', "id": "", "form_key": ""})
    assert re.fullmatch("/records/id/[0-9a-f]{24}", other["Location"])
    assert sorted(desk.data(id)["n"] for id in desk.ids) == [1, 2]


def test_a_new_record_sent_twice_is_made_once(desk: Desk) -> None:
    browser = desk.browser()
    form = {"data": '{"n": 1}', "id": "", "form_key": form_value(browser.get("/records/new"), "form_key")}
    first, second = browser.post("/records/new", form), browser.post("/records/new", form)
    assert first["Location"] == second["Location"]
    assert len(desk.ids) == 1


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"id": "taken"}, 409), ({"id": "a/b"}, 422), ({"id": ".."}, 422), ({"id": "x" * 129}, 422), ({"id": "a\0"}, 422)],
)
def test_an_id_that_cannot_be_had_is_refused_beside_its_field(desk: Desk, changed: dict[str, str], status: int) -> None:
    desk.add(taken={"n": 1})
    page = desk.browser().post("/records/new", {"data": '{"n": 2}', "form_key": "", **changed})
    assert page.status_code == status
    assert field_error(page, "id")
    assert form_value(page, "data") == '{"n": 2}'
    assert desk.ids == ["taken"]


def test_a_new_record_with_a_mistake_keeps_what_was_typed(desk: Desk) -> None:
    page = desk.browser().post("/records/new", {"data": '{"n": }', "id": "x", "form_key": "k"})
    assert page.status_code == 400
    assert places_of(page) == [(1, "")]
    assert (form_value(page, "data"), form_value(page, "id"), form_value(page, "form_key")) == ('{"n": }', "x", "k")


def test_a_duplicate_starts_with_the_same_data_and_another_id(desk: Desk) -> None:
    desk.add(ada=EVERYTHING)
    browser = desk.browser()
    page = browser.get(link_of(browser.get("/records/id/ada"), "Duplicate"))
    names = ("data", "id", "form_key")
    made = browser.post("/records/new", {name: form_value(page, name) for name in names})
    id = made["Location"].rpartition("/")[2]
    assert id != "ada"
    assert bson.encode(desk.data(id)) == bson.encode(EVERYTHING)
    assert browser.get("/records/new?from=nothing").status_code == 404


def test_a_record_is_deleted_as_it_was_seen(desk: Desk) -> None:
    desk.add(ada={"name": "Ada"}, eve={"name": "Eve"})
    browser = desk.browser()
    page = browser.get("/records/id/ada/delete")
    version = form_value(page, "version")
    save(browser, "ada", '{"name": "Ada II"}')
    refused = browser.post("/records/id/ada/delete", {"version": version})
    assert refused.status_code == 412
    assert "Ada II" in text_of(refused)
    assert desk.ids == ["ada", "eve"]
    gone = browser.post("/records/id/ada/delete", {"version": form_value(refused, "version")})
    assert gone["Location"] == "/records"
    assert desk.ids == ["eve"]
    assert browser.post("/records/id/ada/delete", {"version": version}).status_code == 404


def test_the_calls_beside_a_record_work(desk: Desk) -> None:
    desk.add(ada={"field": 1})
    browser = desk.browser()
    page = browser.get("/records/id/ada")
    token = words(browser.get("/dashboard").content.decode().partition('id="access-token">')[2].partition("</code>")[0])
    statuses = []
    for number in (1, 2, 3):
        command = words(page.content.decode().partition(f'id="call-{number}">')[2].partition("</code>")[0])
        parts = shlex.split(command.replace("\\ ", " "))
        path = urlsplit(next(part for part in parts if part.startswith("http"))).path
        method = parts[parts.index("-X") + 1] if "-X" in parts else "GET"
        headers = dict(parts[at + 1].split(": ", 1) for at, part in enumerate(parts) if part == "-H")
        body = parts[parts.index("-d") + 1] if "-d" in parts else None
        sent = {name.replace("-", "_"): value for name, value in headers.items() if name == "If-Match"}
        statuses.append(Script(token).call(method, path, raw=body or b"", **sent).status_code)
    assert statuses == [200, 200, 412]
    assert desk.data("ada") == {"field": "value"}


def test_viewers_read_and_change_nothing(desk: Desk) -> None:
    desk.add(ada=EVERYTHING)
    viewer = desk.browser(Role.VIEWER)
    page = viewer.get("/records/id/ada")
    body = page.content.decode().partition("<main")[2]
    assert page.status_code == 200
    assert "&lt;/textarea&gt;&lt;script&gt;" in body
    assert not re.search(r"<textarea|Save|Duplicate|Delete|PATCH", body)
    for path in ("/records/new", "/records/id/ada/delete", "/records/import"):
        assert viewer.get(path).status_code == 403
    for path, form in (
        ("/records/id/ada", {"data": "{}", "version": "1-0"}),
        ("/records/id/ada/delete", {"version": "1-0"}),
        ("/records/new", {"data": "{}"}),
        ("/records/delete", {"what": "matching", "filter": "", "count": "1", "typed": "1"}),
        ("/records/import", {}),
        ("/records/import/sample", {}),
    ):
        assert viewer.post(path, form).status_code == 403, path
    assert desk.ids == ["ada"]
    assert bson.encode(desk.data("ada")) == bson.encode(EVERYTHING)


def test_who_made_a_record_is_named_while_they_belong_here(desk: Desk) -> None:
    desk.add(ada={"n": 1})
    assert f"Created by {desk.slug.replace('_', '-')}@example.org" in text_of(desk.browser().get("/records/id/ada"))
    desk.collection.update_one({"_id": "ada"}, {"$set": {"created_by": str(ObjectId())}})
    assert "Created by somebody who has left" in text_of(desk.browser().get("/records/id/ada"))
    desk.collection.update_one({"_id": "ada"}, {"$set": {"created_by": f"key:{ObjectId()}"}})
    assert "Created by somebody who has left" in text_of(desk.browser().get("/records/id/ada"))


def delete_form(page: Answer, **changes: str) -> dict[str, Any]:
    """The confirmation as the page fills it in."""
    body = page.content.decode().partition("<main")[2]
    ids = re.findall(r'<input type="hidden" name="id" value="([^"]*)"', body)
    form = {name: form_value(page, name) for name in ("what", "filter", "count", "back")}
    return {**form, "id": ids, **changes}


def test_selected_records_are_deleted_once_their_number_is_confirmed(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(4)))
    browser = desk.browser()
    picked = ["record-001", "record-003"]
    page = browser.post("/records/delete", {"what": "selected", "id": picked, "back": "?sort=-n&cursor=abc"})
    assert page.status_code == 200
    assert "Delete 2 records?" in text_of(page)
    assert all(id in text_of(page) for id in picked)
    assert len(desk.ids) == 4
    done = browser.post("/records/delete", delete_form(page))
    assert done["Location"] == "/records?sort=-n"
    assert desk.ids == ["record-002", "record-004"]
    assert "2 records deleted." in text_of(browser.get(done["Location"]))


def test_all_that_match_are_deleted_once_their_number_is_typed(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(5)))
    browser = desk.browser()
    filter_ = '{"n":{"$gte":2}}'
    page = browser.post("/records/delete", {"what": "matching", "filter": filter_, "back": ""})
    assert "Delete 3 records?" in text_of(page)
    wrong = browser.post("/records/delete", delete_form(page, typed="2"))
    assert wrong.status_code == 422
    assert "Type 3 to confirm." in text_of(wrong)
    assert len(desk.ids) == 5
    done = browser.post("/records/delete", delete_form(wrong, typed=" 3 "))
    assert done.status_code == 302
    assert desk.ids == ["record-001", "record-002"]


@pytest.mark.parametrize("what", ["matching", "selected"])
def test_when_the_number_has_changed_meanwhile_it_is_asked_again(desk: Desk, what: str) -> None:
    ids = desk.add(*({"n": n} for n in range(3)))
    browser = desk.browser()
    page = browser.post("/records/delete", {"what": what, "filter": "", "id": ids, "back": ""})
    desk.collection.delete_one({"_id": "record-002"})
    asked = browser.post("/records/delete", delete_form(page, typed="3"))
    assert asked.status_code == 409
    assert "There were 3 a moment ago, and now there are 2." in text_of(asked)
    assert len(desk.ids) == 2
    assert browser.post("/records/delete", delete_form(asked, typed="2")).status_code == 302
    assert desk.ids == []


def test_nothing_selected_and_nothing_left_say_so(desk: Desk) -> None:
    desk.add({"n": 1})
    browser = desk.browser()
    nothing = browser.post("/records/delete", {"what": "selected", "back": "?limit=10"})
    assert nothing["Location"] == "/records?limit=10"
    assert "Nothing was selected" in text_of(browser.get(nothing["Location"]))
    gone = browser.post("/records/delete", {"what": "selected", "id": "gone"})
    assert "Nothing to delete" in text_of(gone)
    assert len(table_of(browser.get("/records"))) == 1


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"what": "everything"},
        {"what": "matching", "filter": "{"},
        {"what": "matching", "filter": '{"$where": "1"}'},
        {"what": "matching", "filter": "[]"},
        {"what": "matching", "filter": "", "count": "all", "typed": "all"},
        {"what": "matching", "filter": "", "count": "-1", "typed": "-1"},
        {"what": "selected", "id": ["a b"]},
        {"what": "selected", "id": ["$ne"], "count": "1"},
    ],
    ids=str,
)
def test_a_hostile_deletion_is_refused(desk: Desk, form: dict[str, Any]) -> None:
    desk.add({"n": 1})
    assert desk.browser().post("/records/delete", form).status_code == 422
    assert len(desk.ids) == 1


def test_a_back_address_from_outside_leads_nowhere_else(desk: Desk) -> None:
    for back in ("https://evil.example/", "//evil.example", "?filter=[", "?limit=\0", "javascript:alert(1)"):
        answer = desk.browser().post("/records/delete", {"what": "selected", "back": back})
        assert re.fullmatch(r"/records(\?[^/]*)?", answer["Location"])


def test_forms_without_their_token_change_nothing(desk: Desk) -> None:
    desk.add(ada={"n": 1})
    browser = desk.browser(enforce_csrf_checks=True)
    for path in (
        "/records/id/ada",
        "/records/id/ada/delete",
        "/records/new",
        "/records/delete",
        "/records/import/sample",
    ):
        assert browser.post(path, {"data": "{}", "what": "matching", "count": "1", "typed": "1"}).status_code == 403
    assert desk.ids == ["ada"]
