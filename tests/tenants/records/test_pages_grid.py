"""The grid as a browser without JavaScript gets it."""

import json
import re
import shlex
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from bson import Binary, Decimal128, ObjectId

from accounts.roles import Role
from tenants.records import grid_views
from tests.scripts import Script
from tests.tenants.records.desk import Desk, form_value, heads_of, link_of, table_of, words
from tests.visitors import text_of

FILMS = [
    {"title": "Alien", "year": 1979, "stars": ["Weaver"], "by": {"name": "Scott"}},
    {"title": "Brazil", "year": 1985, "by": {"name": "Gilliam"}},
    {"title": "Alphaville", "year": 1965, "by": {"name": "Godard"}, "note": None},
    {"title": "Zelig", "year": 1983, "by": {"name": "Allen"}, "note": "black and white"},
]


def query(**parameters: Any) -> str:
    texts = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in parameters.items()}
    return f"/records?{urlencode(texts, doseq=True)}"


def column(page: Any, number: int = 1) -> list[str]:
    return [row[number] for row in table_of(page)]


def test_the_grid_shows_the_fields_that_the_data_has(desk: Desk) -> None:
    desk.add(*FILMS)
    page = desk.browser().get("/records")
    assert page.status_code == 200
    assert heads_of(page) == ["Id", "title", "year", "stars", "by.name", "note"]
    assert table_of(page)[0] == ["record-001", "Alien", "1979", '["Weaver"]', "Scott", "missing ·"]
    assert table_of(page)[2][5] == "null"
    assert "1\u20134 of 4" in text_of(page)


def test_each_kind_of_value_looks_like_itself_and_nothing_is_taken_for_markup(desk: Desk) -> None:
    desk.add(
        {
            "html": "<script>alert(1)</script>&amp;",
            "turned": "a\u202eb",
            "quote": "\"'><img src=x>",
            "date": datetime(2024, 5, 1, tzinfo=timezone.utc),
            "price": Decimal128("19.90"),
            "yes": True,
            "none": "",
            "<b>name</b>": 1,
            "raw": Binary(b"abc"),
            "id": ObjectId("65f0c0ffee65f0c0ffee65f0"),
        }
    )
    path = "/records?columns=" + quote("html,turned,quote,date,price,yes,none,<b>name</b>,raw,id")
    desk.collection.update_one(
        {}, {"$set": {"data.raw": Binary(b"abc"), "data.id": ObjectId("65f0c0ffee65f0c0ffee65f0")}}
    )
    page = desk.browser().get(path)
    body = page.content.decode()
    for raw in ("<script>alert", "<img", "\u202e", "<b>name"):
        assert raw not in body
    assert table_of(page)[0][1:] == [
        "<script>alert(1)</script>&amp;", "a\\u202eb", '"\'><img src=x>', "2024-05-01", "19.90", "true",
        "empty text", "1", "3 bytes", "65f0c0ffee65f0c0ffee65f0",
    ]  # fmt: skip
    kinds = ["text", "text", "text", "date", "decimal", "boolean", "text", "number", "binary", "id"]
    assert re.findall(r'class="cell cell-(\w+)', body) == kinds


def test_columns_are_chosen_moved_and_taken_back(desk: Desk) -> None:
    desk.add(*FILMS)
    browser = desk.browser()
    chosen = browser.get(
        "/records", {"apply": "columns", "column": ["title", "year"], "more": "by.name, $changed", "sort": "year"}
    )
    assert chosen.status_code == 302
    assert parse_qs(urlsplit(chosen["Location"]).query) == {
        "columns": ["title,year,by.name,$changed"],
        "sort": ["year"],
    }
    assert heads_of(browser.get(chosen["Location"])) == ["Id", "title", "year", "by.name", "Changed"]
    moved = browser.get("/records", {"apply": "columns", "column": ["title", "year"], "move": "1-"})
    assert heads_of(browser.get(moved["Location"])) == ["Id", "year", "title"]
    assert "open=columns" in moved["Location"]
    assert browser.get("/records?apply=columns&reset=1&columns=title")["Location"] == "/records"


def test_a_column_that_is_named_by_hand_may_be_anything_a_field_may_be(desk: Desk) -> None:
    desk.add({"a,b": 1, "c\\d": 2, " e ": 3, "list": [{"x": 1}, {"x": 2}]})
    page = desk.browser().get("/records?columns=" + quote(r"a\,b,c\\d,list.x,list.1.x,nothing.there"))
    assert heads_of(page) == ["Id", "a,b", "c\\d", "list.x", "list.1.x", "nothing.there"]
    assert table_of(page)[0][1:] == ["1", "2", "[1, 2]", "2", "missing ·"]


def test_a_click_on_a_head_sorts_and_says_so(desk: Desk) -> None:
    desk.add(*FILMS)
    browser = desk.browser()
    page = browser.get("/records")
    assert 'aria-sort="none"' in page.content.decode()
    page = browser.get(link_of(page, "sort-2"))
    assert column(page) == ["Alphaville", "Alien", "Zelig", "Brazil"]
    assert page.content.decode().count('aria-sort="ascending"') == 1
    page = browser.get(link_of(page, "sort-2"))
    assert column(page) == ["Brazil", "Zelig", "Alien", "Alphaville"]
    assert 'aria-sort="descending"' in page.content.decode()
    page = browser.get(link_of(page, "sort-1"))
    assert column(page) == ["Alien", "Alphaville", "Brazil", "Zelig"]
    assert "Sorted by title, up" in text_of(page)
    assert column(browser.get(link_of(page, "Clear all"))) == ["Alien", "Brazil", "Alphaville", "Zelig"]


def test_pages_go_on_and_back(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(25)))
    browser = desk.browser()
    first = browser.get("/records?limit=10")
    assert column(first) == [str(n) for n in range(10)]
    assert "page-previous" not in first.content.decode()
    second = browser.get(link_of(first, "page-next"))
    third = browser.get(link_of(second, "page-next"))
    assert column(third) == [str(n) for n in range(20, 25)]
    assert "21\u201325 of 25" in text_of(third)
    assert "page-next" not in third.content.decode()
    assert column(browser.get(link_of(third, "page-previous"))) == column(second)
    assert column(browser.get(link_of(second, "page-previous"))) == column(first)
    assert column(browser.get(link_of(third, "page-first"))) == column(first)
    assert column(browser.get("/records?limit=50")) == [str(n) for n in range(25)]


def test_records_that_are_gone_from_a_page_leave_a_way_to_the_first_one(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(12)))
    browser = desk.browser()
    following = link_of(browser.get("/records?limit=10"), "page-next")
    desk.collection.delete_many({"data.n": {"$gt": 9}})
    page = browser.get(following)
    assert "Nothing more here" in text_of(page)
    assert column(browser.get(link_of(page, "Back to the first page")))


def test_the_builder_makes_the_filter_of_the_api_and_shows_it_again(desk: Desk) -> None:
    desk.add(*FILMS)
    browser = desk.browser()
    rows = {
        "field": ["year", "title", ""],
        "op": ["gte", "prefix", "eq"],
        "value": ["1970", "A", ""],
        "kind": ["auto"] * 3,
    }
    applied = browser.get("/records", {"apply": "filter", "match": "all", **rows, "sort": "-year", "limit": "10"})
    address = parse_qs(urlsplit(applied["Location"]).query)
    assert json.loads(address["filter"][0]) == {"year": {"$gte": 1970}, "title": {"$prefix": "A"}}
    assert (address["sort"], address["limit"]) == (["-year"], ["10"])
    page = browser.get(applied["Location"])
    assert column(page) == ["Alien"]
    body = page.content.decode()
    assert re.findall(r'name="field" value="([^"]*)"', body) == ["year", "title", ""]
    assert "year is at least 1970" in text_of(page)
    without = browser.get(link_of(page, "unfilter-1"))
    assert column(without) == ["Alien", "Alphaville"]


def test_any_of_the_rows(desk: Desk) -> None:
    desk.add(*FILMS)
    rows = {"field": ["year", "note"], "op": ["eq", "exists"], "value": ["1985", ""], "kind": ["auto", "auto"]}
    browser = desk.browser()
    page = browser.get(browser.get("/records", {"apply": "filter", "match": "any", **rows})["Location"])
    assert column(page) == ["Brazil", "Alphaville", "Zelig"]
    assert "Any of year is 1985" in text_of(page)
    assert '<option value="any" selected>' in page.content.decode()


def test_a_row_that_cannot_be_read_is_shown_again_with_the_reason(desk: Desk) -> None:
    desk.add(*FILMS)
    rows = {"field": ["year", "title"], "op": ["gte", "eq"], "value": ["soon", "x"], "kind": ["number", "auto"]}
    page = desk.browser().get("/records", {"apply": "filter", **rows})
    assert page.status_code == 422
    body = page.content.decode()
    assert 'id="filter-panel" open' in body
    assert 'value="soon"' in body
    assert "This is not a number." in text_of(page)
    assert re.search(r'name="value" value="soon"[^>]*aria-invalid="true" aria-describedby="row-1-error"', body)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Line 1, column 2 is not valid JSON."),
        ("[]", "A filter is a JSON object"),
        ('{"a": {"$where": "1"}}', "There is no operator $where."),
        ('{"$expr": 1}', "There is no operator $expr."),
        ('{"a": {"$in": 5}}', "Use an array"),
        ('{"a": 1, "a": 2}', "appears twice"),
    ],
)
def test_the_json_box_takes_the_language_of_the_api_and_nothing_else(desk: Desk, text: str, reason: str) -> None:
    desk.add(*FILMS)
    browser = desk.browser()
    page = browser.get("/records", {"apply": "json", "filter": text}, follow=True)
    assert page.status_code == 422
    assert reason in text_of(page)
    assert table_of(page) == []


def test_what_the_builder_cannot_say_stays_in_the_json_box(desk: Desk) -> None:
    desk.add(*FILMS)
    filter_ = {"$not": {"year": {"$gt": 1980}}}
    browser = desk.browser()
    page = browser.get("/records", {"apply": "json", "filter": json.dumps(filter_)}, follow=True)
    assert column(page) == ["Alien", "Alphaville"]
    assert json.loads(form_value(page, "filter")) == filter_
    assert "an advanced filter" in text_of(page)


def test_search_finds_by_how_a_text_begins(desk: Desk) -> None:
    desk.add(*FILMS, {"title": "A.*"})
    browser = desk.browser()
    page = browser.get(query(search_field="title", search="Al", filter={"year": {"$gt": 1970}}))
    assert column(page) == ["Alien"]
    assert "title begins with “Al”" in text_of(page)
    assert column(browser.get(query(search_field="title", search="A.*"))) == ["A.*"]
    assert column(browser.get(link_of(page, "unfilter-1"))) == ["Alien", "Brazil", "Zelig"]
    assert browser.get("/records?apply=search&search_field=title&search=")["Location"] == "/records"


def test_no_match_and_no_records_say_what_to_do_next(desk: Desk) -> None:
    browser = desk.browser()
    empty = text_of(browser.get("/records"))
    assert "No records yet" in empty
    assert "Import the sample data" in empty
    assert "Import the sample data" not in text_of(desk.browser(Role.VIEWER).get("/records"))
    desk.add(*FILMS)
    page = browser.get(query(filter={"year": "1979"}))
    assert "No record matches" in text_of(page)
    assert link_of(page, "Show all records") == "/records"


def test_the_api_call_on_the_page_gives_the_records_on_the_page(desk: Desk) -> None:
    desk.add(*FILMS, {"title": 'It\'s "A"', "year": 1999})
    browser = desk.browser()
    state = {"columns": "title,year", "sort": "-year", "limit": "10", "search_field": "title", "search": "A"}
    page = browser.get(query(**state, filter={"year": {"$gt": 1960}}))
    command = words(page.content.decode().partition('id="grid-call">')[2].partition("</code>")[0])
    parts = shlex.split(command.replace("\\ ", " "))
    assert parts[:3] == ["curl", "-sS", "-G"]
    sent = dict(parts[at + 1].split("=", 1) for at, part in enumerate(parts) if part == "--data-urlencode")
    token = words(browser.get("/dashboard").content.decode().partition('id="access-token">')[2].partition("</code>")[0])
    answer = Script(token).get(f"{urlsplit(parts[3]).path}?{urlencode(sent)}")
    assert answer.status_code == 200, answer.content
    items = json.loads(answer.content)["items"]
    assert [item["data"]["title"] for item in items] == column(page) == ["Alien", "Alphaville"]
    assert all(set(item["data"]) == {"title", "year"} for item in items)


def test_counting_is_left_to_a_second_look_where_it_costs(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(12)))
    browser = desk.browser()
    page = browser.get(query(limit=10, filter={"n": {"$gte": 1}}))
    assert "1\u201310 count them" in text_of(page)
    counted = browser.get(link_of(page, "count them"))
    assert "11 records" in text_of(counted)
    assert column(browser.get(link_of(counted, "Back to the records")))[0] == "1"
    fragment = browser.get(link_of(page, "count them"), headers={"HX-Request": "true"})
    assert text_of(fragment) == "1\u201310 of 11"


HOSTILE = [
    "limit=0",
    "limit=9999",
    "limit=a",
    "page=-1",
    "page=x",
    "cursor=x",
    "cursor=" + "A" * 5000,
    "sort=$where",
    "sort=a..b",
    "sort=" + ",".join("abcdefgh"),
    "filter=1",
    "filter=%7B%22%24where%22%3A1%7D",
    "filter=%7B%22a%22%3A%7B%22%24gt%22%3Anull%7D%7D",
    "filter=" + "%5B" * 500,
    "filter=%7B%22a.%24b%22%3A1%7D",
    "search_field=%24where&search=x",
    "search_field=a..b&search=x",
    "search_field=title&search=" + "x" * 300,
    "columns=" + ",".join(f"c{number}" for number in range(100)),
    "apply=filter&field=a",
    "apply=filter&field=a&op=x&value=1&kind=auto",
    "apply=filter&field=$a&op=eq&value=1&kind=auto",
    "apply=filter" + "&field=a&op=eq&value=1&kind=auto" * 30,
    "apply=json&filter=%7B",
    "apply=filter&field=a&op=eq&value=%7B%22%24gt%22%3A1%7D&kind=json",
]


@pytest.mark.parametrize("state", HOSTILE)
def test_a_hostile_address_is_refused_in_words(desk: Desk, state: str) -> None:
    desk.add(*FILMS)
    page = desk.browser().get(f"/records?{state}", follow=True)
    assert page.status_code in {400, 422}, page.status_code
    assert "<html" in page.content.decode()
    counted = desk.browser().get(f"/records/count?{state}")
    assert counted.status_code in {200, 400, 422}


@pytest.mark.parametrize(
    "state",
    [
        "columns=$where,__proto__,..",
        "columns=%F0%9F%98%80",
        "columns%5B%5D=a",
        "open=nothing",
        "apply=nonsense",
        "back=x&back=y",
        "search=only",
        "sort=title,title",
        "filter%5B$ne%5D=1",
        "apply=columns&move=99-",
        "apply=columns&move=-",
        "apply=columns&move=١-&column=a",
    ],
)
def test_odd_but_harmless_addresses_show_the_grid(desk: Desk, state: str) -> None:
    desk.add(*FILMS)
    page = desk.browser().get(f"/records?{state}", follow=True)
    assert page.status_code == 200
    assert len(table_of(page)) == 4


def test_a_cursor_is_good_for_its_own_list_only(desk: Desk) -> None:
    desk.add(*({"n": n} for n in range(12)))
    browser = desk.browser()
    following = link_of(browser.get("/records?limit=10"), "page-next")
    other = browser.get(f"{following}&sort=n")
    assert other.status_code == 422
    assert column(browser.get(link_of(other, "Start again with all records")))


def test_viewers_see_everything_and_no_way_to_change_it(desk: Desk) -> None:
    desk.add(*FILMS)
    body = desk.browser(Role.VIEWER).get("/records").content.decode()
    for word in ("New record", "Import", "Delete", 'type="checkbox" class="form-check-input" form="selection"'):
        assert word not in body.partition("<main")[2].replace("Imports", "")
    assert "Export" in body
    for word in ("New record", "Delete selected", 'form="selection"'):
        assert word in desk.browser(Role.EDITOR).get("/records").content.decode()


def test_a_sort_that_takes_too_long_is_refused_with_advice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add(*FILMS)
    monkeypatch.setattr(grid_views, "SORT_SECONDS", 1e-9)
    page = desk.browser().get(query(sort="title"))
    assert page.status_code == 422
    assert "Too many records to sort." in text_of(page)
    assert "or narrow them with a filter first" in text_of(page)
    assert desk.browser().get("/records").status_code == 200
