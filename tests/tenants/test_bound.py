"""The bound collection: it stays right while the organization is renamed, deleted or restored around it."""

import threading
import time
from datetime import timedelta

import pytest
from bson import ObjectId

from orgportal import database
from orgportal.errors import PortalError
from tenants import bound, manager, service
from tenants.access import organization_access
from tenants.bound import TenantCollection
from tenants.documents import now
from tenants.lifecycle import reconcile
from tests.effort import effort
from tests.wire.people import access_of, principal_with, sign_up, token_of

pytestmark = pytest.mark.usefixtures("clean_database")

ACME = "owner@acme.example"


@pytest.fixture
def acme() -> TenantCollection:
    sign_up("Acme", email=ACME)
    return manager.bind(access_of(ACME))


def test_every_operation_reaches_the_organizations_collection_and_no_other(acme: TenantCollection) -> None:
    sign_up("Bcme", email="owner@bcme.example")
    acme.insert_one({"_id": 1, "data": {"a": 1}})
    acme.insert_many([{"_id": n, "data": {"a": n}} for n in (2, 3, 4)])
    assert acme.update_one({"_id": 1}, {"$set": {"data.a": 9}}).modified_count == 1
    assert acme.replace_one({"_id": 2}, {"data": {"a": 8}}).modified_count == 1
    assert acme.delete_one({"_id": 3}).deleted_count == 1
    assert acme.find_one({"_id": 1}, {"data": 1}) == {"_id": 1, "data": {"a": 9}}
    assert [row["_id"] for row in acme.find({}, limit=10, sort=[("_id", -1)])] == [4, 2, 1]
    assert acme.count({"data.a": {"$gte": 8}}) == 2
    other = manager.bind(access_of("owner@bcme.example"))
    assert other.find({}, limit=10) == []
    assert other.update_one({"_id": 1}, {"$set": {"x": 1}}).matched_count == 0


def test_a_read_that_began_before_a_rename_finds_the_data_after_it(acme: TenantCollection) -> None:
    acme.insert_one({"_id": 1})
    service.update(access=access_of(ACME), slug="bcme")
    database.master().drop_collection("org_acme")
    assert acme.find_one({"_id": 1}) == {"_id": 1}
    assert acme.find_one({"_id": 2}) is None
    assert acme.count({}) == 1


def test_a_write_that_began_before_a_rename_is_not_acknowledged(acme: TenantCollection) -> None:
    service.update(access=access_of(ACME), slug="bcme")
    with pytest.raises(PortalError) as refusal:
        acme.insert_one({"_id": 1})
    assert (refusal.value.code, refusal.value.status) == ("organization_busy", 503)
    acme.insert_one({"_id": 1})
    assert manager.bind(access_of(ACME)).find_one({"_id": 1}) == {"_id": 1}


def test_an_old_picture_is_refreshed_before_a_write(acme: TenantCollection) -> None:
    service.update(access=access_of(ACME), slug="bcme")
    acme._read_at = time.monotonic() - bound.BINDING_SECONDS - 1
    acme.insert_one({"_id": 1})
    assert database.master()["org_bcme"].find_one({"_id": 1}) == {"_id": 1}
    assert database.master()["org_acme"].find_one({"_id": 1}) is None


def test_an_old_picture_never_reads_what_is_anothers_by_now(acme: TenantCollection) -> None:
    acme.insert_one({"_id": 1, "data": "old"})
    service.delete(access=access_of(ACME))
    reconcile.run_all(at=now() + timedelta(hours=1))
    sign_up("Acme", email="next@acme.example")
    manager.bind(access_of("next@acme.example")).insert_one({"_id": 1, "data": "new"})
    acme._read_at = time.monotonic() - bound.BINDING_SECONDS - 1
    with pytest.raises(PortalError) as refusal:
        acme.find_one({"_id": 1})
    assert refusal.value.status == 404


def test_nothing_is_acknowledged_or_found_once_the_organization_is_deleted(acme: TenantCollection) -> None:
    acme.insert_one({"_id": 1})
    service.delete(access=access_of(ACME))
    for operation in (
        lambda: acme.find_one({"_id": 1}),
        lambda: acme.find({}, limit=1),
        lambda: acme.count({}),
        lambda: acme.insert_one({"_id": 2}),
        lambda: acme.update_one({"_id": 1}, {"$set": {"a": 1}}),
        lambda: acme.delete_one({"_id": 1}),
    ):
        with pytest.raises(PortalError) as refusal:
            operation()
        assert refusal.value.status == 404


def test_a_collection_restored_without_its_stamp_is_stamped_before_it_moves(acme: TenantCollection) -> None:
    acme.insert_one({"_id": 1})
    rows = list(database.master()["org_acme"].find())
    database.master().drop_collection("org_acme")
    database.master()["org_acme"].insert_many(rows)
    service.update(access=access_of(ACME), slug="bcme")
    assert manager.bind(access_of(ACME)).find_one({"_id": 1}) == {"_id": 1}


def test_the_size_is_the_servers_count_of_records_and_bytes(acme: TenantCollection) -> None:
    acme.insert_many([{"_id": n, "data": "x" * 100} for n in range(300)])
    organization = access_of(ACME).organization
    records, storage = manager.measure(organization.placement)
    assert records == manager.count(organization.placement) == 300
    assert 300 * 100 < storage < 300 * 400
    missing = type(organization.placement)("master", organization.placement.database, "org_nothing")
    assert manager.measure(missing) == (0, 0)


def test_access_is_for_the_organization_of_the_credential_only(acme: TenantCollection) -> None:
    sign_up("Bcme", email="owner@bcme.example")
    principal = principal_with(token_of(ACME))
    assert organization_access(principal=principal, slug="acme").organization.slug == "acme"
    for slug in ("bcme", "nowhere", "ACME", ""):
        with pytest.raises(PortalError) as refusal:
            organization_access(principal=principal, slug=slug)
        assert refusal.value.status == 404


def test_a_collection_stamped_as_anothers_is_never_dropped() -> None:
    created = sign_up("Acme", email=ACME).organization
    with pytest.raises(manager.ForeignCollection):
        manager.drop(created.placement, ObjectId())
    manager.drop_unfinished(created.placement, ObjectId())
    assert manager.ownership(created.placement, created.id) is manager.Ownership.OWN


def test_others_are_served_while_many_records_of_one_go() -> None:
    created = sign_up("Acme", email=ACME).organization
    database.collection("org_acme").insert_many(
        [{"_id": str(number), "data": {"n": number}} for number in range(effort(short=1500, full=3000))]
    )
    over, served = threading.Event(), iter(range(1_000_000))

    def write() -> None:
        while not over.is_set():
            database.collection("clusters").replace_one({"_id": "elsewhere"}, {"n": next(served)}, upsert=True)

    others = threading.Thread(target=write)
    others.start()
    before = next(served)
    manager.drop(created.placement, created.id)
    during = next(served) - before
    over.set()
    others.join()
    assert manager.ownership(created.placement, created.id) is manager.Ownership.ABSENT
    assert during > 10
