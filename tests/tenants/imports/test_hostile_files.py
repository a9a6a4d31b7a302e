"""Files that are meant to harm: each is refused with a reason, or its lines are, and nothing is half-imported."""

import gzip
import json
import resource
from collections.abc import Callable

import pytest
from django.conf import LazySettings

from tests.scripts import problem_of
from tests.tenants.imports.files import Shop, a_shop

pytestmark = pytest.mark.usefixtures("clean_database")

MEGABYTE = 1_048_576
# What a file may add to the peak of this process, which holds the file itself several times over to send it.
MEMORY_MB = 400
GOOD = "".join(f"{number},text\n" for number in range(3000))


@pytest.fixture
def shop() -> Shop:
    return a_shop()


def million_columns() -> str:
    return ",".join(f"c{number}" for number in range(1_000_000)) + "\n1\n"


# Made only by the test that sends it: together they are larger than all else that a process of the tests holds.
FILES: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "a million columns": ("csv", lambda: million_columns().encode(), 422),
    "a cell of 50 MB": ("csv", lambda: b"a,b\n" + GOOD.encode() + b"1," + b"x" * (50 * MEGABYTE) + b"\n", 422),
    "a quoted cell of 50 MB": (
        "csv",
        lambda: b"a,b\n" + GOOD.encode() + b'1,"' + (b"x" * 1023 + b"\n") * (50 * 1024) + b'"\n',
        422,
    ),
    "a row of endless quoted cells": (
        "csv",
        lambda: b"a,b\n" + GOOD.encode() + (b'"' + b"x" * 500 + b'\n",') * 40_000,
        422,
    ),
    "an unclosed quote": ("csv", lambda: b"a,b\n" + GOOD.encode() + b'1,"never closed\n' + GOOD.encode(), 422),
    "NUL bytes": ("csv", lambda: b"a,b\n" + GOOD.encode() + b"1,\0\n", 422),
    "UTF-16": ("csv", lambda: "a,b\n1,2\n".encode("utf-16"), 422),
    "Latin-1 far behind": ("csv", lambda: b"a,b\n" + GOOD.encode() + "1,Käse\n".encode("latin-1"), 422),
    "a gzip bomb": ("ndjson", lambda: gzip.compress(b"\0" * (20 * MEGABYTE)), 415),
    "an Excel file": ("csv", lambda: b"PK\x03\x04" + b"\0" * 100, 415),
    "an endless line": ("ndjson", lambda: b'{"a": 1}\n' * 3000 + b'{"a": "' + b"x" * (20 * MEGABYTE), 422),
    "an array that does not end": ("json", lambda: b"[" + b'{"a": 1},' * 3000, 422),
    "an array that breaks": ("json", lambda: b"[" + b'{"a": 1},' * 3000 + b"5]", 422),
    "an array without a comma": ("json", lambda: b"[" + b'{"a": 1},' * 3000 + b'{"a": 1}{"a": 2}]', 422),
    "something behind the array": ("json", lambda: b"[" + b'{"a": 1},' * 3000 + b'{"a": 1}] x', 422),
    "a document in an array that does not end": ("json", lambda: b'[{"a": "' + b"x" * (20 * MEGABYTE), 422),
    "no array": ("json", lambda: b'{"a": 1}', 422),
    "an empty file as an array": ("json", lambda: b"\n", 422),
    "a header alone that is no text": ("csv", lambda: b"\xff\xfe\xfd", 422),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_before_anything_is_written(shop: Shop, name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kind, make, status = FILES[name]
    refused = shop.send(make(), format=kind)
    assert problem_of(refused)[0] == status
    assert len(json.loads(refused.content)["detail"]) > 20
    assert shop.rows() == []
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEMORY_MB


LINES = {
    "deep nesting": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a little too deep": b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
    "duplicate keys": b'{"a": 1, "b": {"c": 1, "c": 2}}',
    "duplicate keys, hidden": b'{"a": "\\u003a", "b": 1, "b": 2}',
    "invalid UTF-8": b'{"a": "\xff"}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "NUL": b'{"a": "\0"}',
    "NUL in a name": b'{"a\\u0000": 1}',
    "an integer over 64 bits": b'{"a": 99999999999999999999}',
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "infinity": b'{"a": 1e400}',
    "NaN": b'{"a": NaN}',
    "an operator": b'{"a": {"$gt": 1}}',
    "a reserved name": b'{"_cls": "x"}',
    "over a thousand keys": json.dumps({f"k{number}": 1 for number in range(1001)}).encode(),
    "over 1 MiB": json.dumps({"a": "x" * MEGABYTE}).encode(),
    "millions of values": b'{"a": [' + b"[]," * 2_000_000 + b"[]]}",
    "an id with an operator": b'{"_id": {"$gt": ""}, "a": 1}',
    "an id that is a number with a fraction": b'{"_id": 1.5}',
    "no object": b"42",
}


@pytest.mark.parametrize("name", LINES)
def test_a_hostile_line_is_an_error_of_that_line(shop: Shop, name: str) -> None:
    result = shop.result(b'{"n": 1}\n' + LINES[name] + b'\n{"n": 2}\n')
    assert (result["inserted"], result["failed"]) == (2, 1)
    assert result["errors"][0]["line"] == 2
    assert result["errors"][0]["message"]


def test_a_file_over_the_bound_is_known_before_it_is_sent(shop: Shop, settings: LazySettings) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    assert problem_of(shop.send(b'{"a": 1}\n' * 1000)) == (413, "file_too_large")
    assert shop.rows() == []


def test_a_file_with_too_many_lines_is_refused(shop: Shop, settings: LazySettings) -> None:
    settings.IMPORT_MAX_LINES = 100
    assert problem_of(shop.send(b'{"a": 1}\n' * 101)) == (413, "file_too_large")
    assert problem_of(shop.send("a\n" + "1\n" * 101, format="csv")) == (413, "file_too_large")
    assert shop.rows() == []


def test_a_compressed_body_is_refused(shop: Shop) -> None:
    body = gzip.compress(b'{"a": 1}')
    refused = shop.script.call(
        "POST",
        "/api/v1/orgs/acme/imports?format=ndjson",
        raw=body,
        Content_Type="application/x-ndjson",
        Content_Encoding="gzip",
    )
    assert problem_of(refused) == (415, "unsupported_encoding")
