"""Lists: pages in order, without doubles or gaps, whatever the records hold."""

import pytest

from tenants.access import Access
from tenants.records.listing import count_records, list_records
from tenants.records.store import create_record
from tests.wire.people import access_of, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")

ACME = "owner@acme.example"


@pytest.fixture
def acme() -> Access:
    sign_up("Acme", email=ACME)
    return access_of(ACME)


def test_pages_in_the_default_order_hold_every_record_once(acme: Access) -> None:
    made = [create_record(access=acme, data={"n": n}).id for n in range(25)]
    seen, cursor = [], None
    while True:
        page = list_records(access=acme, limit=10, cursor=cursor)
        seen += [record.id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made
    assert count_records(access=acme) == 25
    page = list_records(access=acme, sort="-n", limit=3, filter={"n": {"$lt": 20}})
    assert [r.data for r in page.records] == [{"n": 19}, {"n": 18}, {"n": 17}]
    page = list_records(access=acme, sort="-n", limit=3, filter={"n": {"$lt": 20}}, cursor=page.next_cursor)
    assert [r.data for r in page.records] == [{"n": 16}, {"n": 15}, {"n": 14}]
    page = list_records(access=acme, filter={"$or": [{"n": 1}, {"n": 24}]}, fields="m")
    assert [(r.id, r.data) for r in page.records] == [(made[1], {}), (made[24], {})]
