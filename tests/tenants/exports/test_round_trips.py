"""What is exported imports again to the same data, in every format, for whatever a record can hold."""

import json
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orgportal import database
from tenants.imports.cells import infer, is_mistakable, unmarked, written
from tenants.records.lines import canonical_line
from tests.effort import effort
from tests.tenants.imports.files import Shop, a_shop
from tests.tenants.records.strategies import DATA

ROUNDS = effort(short=5, full=300)
RECORDS = st.lists(DATA, min_size=1, max_size=effort(short=12, full=40))
TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="'=+-@\t\r\n0123456789.eE,;\"[]{}nulltrue\0", max_size=10),
    st.from_regex(r"'{0,3}(0[0-9]+|-?[0-9]+(\.[0-9]+)?|true|null|\[1\]|2024-01-01T00:00:00Z)", fullmatch=True),
)


@pytest.fixture(scope="module")
def shop(database_indexes: None) -> Shop:
    return a_shop(f"rounds{secrets.token_hex(4)}")


def lines_of(shop: Shop, *, ordered: bool) -> list[bytes]:
    """The stored records in canonical form; with their fields in one order, where order does not count."""
    rows = sorted(shop.rows(), key=lambda row: str(row["_id"]))
    return [canonical_line(_sorted({"_id": row["_id"], **row["data"]}) if not ordered else row["data"]) for row in rows]


def _sorted(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in sorted(document)}


def emptied(shop: Shop) -> Shop:
    database.collection(f"org_{shop.slug}").delete_many({})
    return shop


@hypothesis_settings(
    max_examples=ROUNDS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(records=RECORDS)
def test_whatever_a_record_can_hold_survives_every_format(shop: Shop, records: list[dict[str, Any]]) -> None:
    file = "\n".join(json.dumps(record) for record in records)
    first = emptied(shop).result(file, format="ejson")
    assert first["failed"] == 0, first["errors"]
    before = {ordered: lines_of(shop, ordered=ordered) for ordered in (True, False)}
    for kind in ("ndjson", "ejson", "csv"):
        exported = shop.export(format=kind)
        result = emptied(shop).result(exported, format=kind)
        assert (result["inserted"], result["failed"]) == (len(records), 0), (kind, result["errors"])
        # A CSV file has one order of fields for all its records.
        ordered = kind != "csv"
        assert lines_of(shop, ordered=ordered) == before[ordered], kind


@hypothesis_settings(max_examples=effort(short=150, full=5000), deadline=None)
@given(TEXTS)
def test_every_text_comes_back_out_of_its_cell(text: str) -> None:
    cell = written(text)
    assert infer(cell) == text
    assert "\0" not in cell


@hypothesis_settings(max_examples=effort(short=150, full=5000), deadline=None)
@given(TEXTS)
def test_no_cell_of_a_text_begins_as_a_formula(text: str) -> None:
    assert written(text)[:1] not in set("=+-@\t\r\n")


@hypothesis_settings(max_examples=effort(short=150, full=5000), deadline=None)
@given(TEXTS)
def test_the_mark_is_undone_only_where_it_was_needed(text: str) -> None:
    assert unmarked("'" + text) == (text if is_mistakable(text) else "'" + text)
