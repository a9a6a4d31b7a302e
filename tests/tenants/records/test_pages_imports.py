"""Imports and exports on pages: a form with a file, progress, what went wrong with which line."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128
from django.conf import LazySettings
from django.test import Client

from accounts.roles import Role
from tenants.imports import service
from tenants.records import samples
from tests.tenants.records.desk import Desk, form_value, table_of
from tests.visitors import field_error, text_of

CSV = b"name,price,code\nBeans,12.5,007\nCup,4,12\n"


def send(browser: Client, content: bytes, name: str = "goods.csv", **options: Any) -> Any:
    """Send the import form with a file."""
    file = BytesIO(content)
    file.name = name
    return browser.post("/records/import", {**options, "file": file})


def streamed(answer: Any) -> bytes:
    """All of a download."""
    return b"".join(answer.streaming_content)


def work() -> None:
    """What the worker does in its turn."""
    service.resume_waiting(lambda: False)


def test_a_file_waits_for_the_worker_and_becomes_records(desk: Desk) -> None:
    browser = desk.browser()
    sent = send(browser, CSV, form_key=form_value(browser.get("/records/import"), "form_key"))
    assert sent.status_code == 302, text_of(sent)
    assert re.fullmatch("/records/imports/[0-9a-f]{24}", sent["Location"])
    waiting = browser.get(sent["Location"])
    assert "Waiting for its turn" in text_of(waiting)
    assert '<progress class="bar" id="import-bar" max="100" value=' in waiting.content.decode()
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in waiting.content.decode()
    work()
    done = browser.get(sent["Location"])
    assert "Read 2 Added 2 Updated 0 Failed 0" in text_of(done)
    assert "refresh" not in done.content.decode().partition("<main")[0]
    assert [desk.data(id)["name"] for id in desk.ids] == ["Beans", "Cup"]
    assert "goods.csv 2 records ·" in text_of(browser.get("/records/imports"))


def test_the_fragment_asks_again_only_while_there_is_something_to_ask(desk: Desk) -> None:
    browser = desk.browser()
    address = send(browser, CSV)["Location"]
    headers = {"HX-Request": "true"}
    fragment = browser.get(address, headers=headers).content.decode()
    assert 'hx-trigger="every 1s"' in fragment
    assert "<html" not in fragment
    work()
    assert "hx-trigger" not in browser.get(address, headers=headers).content.decode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'[{"n": 1}, {"n": 2}]'),
        ("a.json", b'{"n": 1}\n{"n": 2}\n'),
        ("a.ndjson", b'{"n": 1}\n{"n": 2}\n'),
        ("a.csv", b"n\n1\n2\n"),
        ("a.tsv", b"n\tm\n1\t\n2\t\n"),
        ("A.CSV", b"\xef\xbb\xbfn;m\r\n1;\r\n2;\r\n"),
        ("unnamed", b'\xef\xbb\xbf [{"n": 1}, {"n": 2}]'),
        ("unnamed", b"n\n1\n2\n"),
        ("back\\slash\u202e.txt", b"n\n1\n2\n"),
    ],
)
def test_the_format_is_guessed_from_the_name_or_the_first_character(desk: Desk, name: str, content: bytes) -> None:
    address = send(desk.browser(), content, name)["Location"]
    work()
    page = desk.browser().get(address)
    assert "Added 2" in text_of(page), text_of(page)
    assert "\u202e" not in page.content.decode()
    assert sorted(desk.data(id)["n"] for id in desk.ids) == [1, 2]


def test_lines_that_fail_are_listed_with_the_reason(desk: Desk) -> None:
    lines = [b'{"_id": "a", "n": 1}', b'{"n": ', b'{"$bad": 1}', b'{"x": {"$date": "<b>never</b>"}}']
    address = send(desk.browser(), b"\n".join(lines), "mixed.ndjson")["Location"]
    work()
    page = desk.browser().get(address)
    words = text_of(page)
    assert "Read 4 Added 1 Updated 0 Failed 3" in words
    assert re.search(r"2 the whole line .*3 \$bad .*4 x\.\$date", words)
    assert "<b>never" not in page.content.decode()
    assert desk.ids == ["a"]


def test_an_update_by_a_key_and_a_trial_that_writes_nothing(desk: Desk) -> None:
    desk.add(one={"sku": "007", "price": 1})
    browser = desk.browser()
    options = {"mode": "upsert", "key": "sku", "types": "sku:string"}
    content = b"sku,price\n007,5\n008,6\n"
    tried = send(browser, content, dry_run="on", **options)["Location"]
    work()
    assert "Would be added 1 Would be updated 1" in text_of(browser.get(tried))
    assert desk.data("one") == {"sku": "007", "price": 1}
    assert len(desk.ids) == 1
    done = send(browser, content, **options)["Location"]
    work()
    assert "Added 1 Updated 1" in text_of(browser.get(done))
    assert desk.data("one") == {"sku": "007", "price": 5}


def test_csv_options_reach_the_import(desk: Desk) -> None:
    content = b"a|b|c\n01|NA|5\n"
    send(desk.browser(), content, delimiter="pipe", missing="NA", as_text="on", types="c:number")
    work()
    (id,) = desk.ids
    assert desk.data(id) == {"a": "01", "c": 5}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"format": "xml"}, "format"),
        ({"mode": "replace"}, "mode"),
        ({"key": "a..b", "mode": "upsert"}, "key"),
        ({"key": "$where", "mode": "upsert"}, "key"),
        ({"key": "a"}, "key"),
        ({"types": "price:money"}, "types"),
        ({"types": "price:number", "format": "ejson"}, "types"),
        ({"delimiter": "x"}, "delimiter"),
    ],
)
def test_options_that_mean_nothing_are_refused_beside_their_field(
    desk: Desk, options: dict[str, str], field: str
) -> None:
    page = send(desk.browser(), CSV, **options)
    assert page.status_code == 422
    assert field_error(page, field)
    assert "No imports yet" in text_of(desk.browser().get("/records/imports"))


def test_a_form_without_a_file_asks_for_it(desk: Desk) -> None:
    page = desk.browser().post("/records/import", {"mode": "insert"})
    assert page.status_code == 422
    assert field_error(page, "file")


def test_a_form_that_is_sent_twice_imports_once(desk: Desk) -> None:
    browser = desk.browser()
    key = form_value(browser.get("/records/import"), "form_key")
    first, second = send(browser, CSV, form_key=key), send(browser, CSV, form_key=key)
    assert first["Location"] == second["Location"]
    work()
    assert send(browser, CSV, form_key=key)["Location"] == first["Location"]
    assert len(desk.ids) == 2


def test_of_two_imports_at_once_the_second_is_told_to_wait(desk: Desk) -> None:
    browser = desk.browser()
    upload = service.start_upload(access=desk.access, file_name="first.csv")
    page = send(browser, CSV)
    assert page.status_code == 409
    assert "Another import of this organization is running." in text_of(page)
    assert "first.csv" in text_of(page)
    cancelled = browser.post(f"/records/imports/{upload.id}/cancel")
    assert cancelled["Location"] == f"/records/imports/{upload.id}"


def test_a_file_that_is_too_large_is_refused_while_it_arrives(desk: Desk, settings: LazySettings) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    page = send(desk.browser(), b"n\n" + b"1\n" * 600_000)
    assert page.status_code == 413
    assert "The file is too large." in text_of(page)
    assert desk.ids == []


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8b\x08" + b"x" * 100, b"\xff\xfe" + "n\n1\n".encode("utf-16-le"), b'a,"b\n1,2\n', b"a\x00b\n1\n", b"[{]"],
    ids=["gzip", "utf-16", "open quote", "NUL", "no JSON"],
)
def test_a_file_that_is_not_what_it_says_leaves_nothing_behind(desk: Desk, content: bytes) -> None:
    browser = desk.browser()
    page = send(browser, content, "a.json" if content.startswith(b"[") else "a.csv")
    if page.status_code == 302:
        work()
        page = browser.get(page["Location"])
        assert re.search("Refused|Failed [1-9]", text_of(page)), text_of(page)
    assert desk.ids == []


def test_an_import_can_be_cancelled(desk: Desk) -> None:
    browser = desk.browser()
    address = send(browser, CSV)["Location"]
    assert browser.post(f"{address}/cancel")["Location"] == address
    work()
    assert "Cancelled" in text_of(browser.get(address))
    assert desk.ids == []
    assert browser.post("/records/imports/nothing/cancel").status_code == 404
    assert browser.get("/records/imports/nothing").status_code == 404


def test_the_sample_comes_at_one_click(desk: Desk) -> None:
    browser = desk.browser()
    done = browser.post("/records/import/sample")
    assert done["Location"] == "/records"
    assert len(desk.ids) == samples.COUNT
    page = browser.get("/records?limit=100")
    assert f"{samples.COUNT} sample records are here." in text_of(page)
    assert len(table_of(page)) == samples.COUNT
    assert isinstance(desk.data("order-0001")["total"], Decimal128)
    assert samples.NAME in text_of(browser.get("/records/imports"))


def test_the_file_is_only_taken_with_the_forms_token(desk: Desk) -> None:
    browser = desk.browser(enforce_csrf_checks=True)
    page = browser.get("/records/import")
    token = form_value(page, "csrfmiddlewaretoken")
    assert send(browser, CSV).status_code == 403
    assert send(browser, CSV, csrfmiddlewaretoken=token).status_code == 302


def test_nothing_of_an_upload_stays_on_the_disk(desk: Desk, settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    assert send(desk.browser(), b"n\n" + b"1\n" * 600_000).status_code == 302
    assert list((tmp_path / "spool").iterdir()) == []


def test_viewers_see_imports_and_cannot_end_them(desk: Desk) -> None:
    address = send(desk.browser(), CSV)["Location"]
    viewer = desk.browser(Role.VIEWER)
    for path in (address, "/records/imports"):
        page = viewer.get(path)
        assert page.status_code == 200
        assert not re.search("Cancel|Import a file|Import another", page.content.decode().partition("<main")[2])
    assert viewer.post(f"{address}/cancel").status_code == 403


@pytest.mark.parametrize("format_", ["ndjson", "csv", "ejson"])
def test_an_export_is_what_the_filter_matches_and_imports_again(desk: Desk, format_: str) -> None:
    desk.add(*({"n": n, "text": f"=SUM({n})", "at": {"x": [n]}} for n in range(5)))
    before = {id: desk.data(id) for id in desk.ids}
    viewer = desk.browser(Role.VIEWER)
    part = viewer.get("/records/export", {"format": format_, "filter": '{"n":{"$lt":2}}'})
    assert part.status_code == 200
    assert "attachment" in part["Content-Disposition"]
    whole = streamed(viewer.get("/records/export", {"format": format_}))
    assert streamed(part).count(b"SUM") == 2
    desk.clear()
    send(desk.browser(), whole, f"all.{format_}")
    work()
    assert {id: desk.data(id) for id in desk.ids} == before


def test_an_export_of_the_shown_columns(desk: Desk) -> None:
    desk.add({"a": 1, "b": {"c": 2}, "d": 3})
    answer = desk.browser().get("/records/export", {"format": "csv", "fields": "b.c,a"})
    assert streamed(answer).decode().split() == ["_id,b.c,a", "record-001,2,1"]


@pytest.mark.parametrize(
    "query",
    [
        "format=xml",
        "filter=%7B",
        "filter=%7B%22%24where%22%3A1%7D",
        "filter=5",
        "format=ndjson&fields=a",
        "format=csv&fields=$a",
    ],
)
def test_an_export_that_cannot_be_is_an_error_page(desk: Desk, query: str) -> None:
    desk.add({"a": 1})
    page = desk.browser().get(f"/records/export?{query}")
    assert page.status_code == 422
    assert "<html" in page.content.decode()


def test_the_sample_file_is_what_its_description_says() -> None:
    with samples.open_sample() as file:
        orders = [json.loads(line) for line in file]
    assert len(orders) == samples.COUNT
    assert len({order["_id"] for order in orders}) == samples.COUNT
