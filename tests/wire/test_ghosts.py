"""A dropped collection stays dropped, whatever is listed at that moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bson import ObjectId
from django.conf import settings

from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.documents import Placement
from tenants.lifecycle import doctor
from tests.wire.people import access_of, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")
DROPS = 40
LISTERS = 3


@contextmanager
def others_who_list() -> Iterator[None]:
    """Threads that look all the time whose a collection of another name is, as sign-ups and renames do."""
    finished = threading.Event()
    elsewhere = Placement("master", settings.MONGODB_DATABASE, manager.collection_name("somebody_else"))

    def look() -> None:
        while not finished.is_set():
            manager.ownership(elsewhere, ObjectId())

    threads = [threading.Thread(target=look) for _ in range(LISTERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        finished.set()
        for thread in threads:
            thread.join()


def test_drops_leave_no_empty_collection_behind_while_others_list() -> None:
    places = [
        Placement("master", settings.MONGODB_DATABASE, manager.collection_name(f"ghost_{n}")) for n in range(DROPS)
    ]
    org_id = ObjectId()
    for place in places:
        manager.create(place, org_id)
    with others_who_list():
        for place in places:
            manager.drop(place, org_id)
    assert [place for place in places if manager.ownership(place, org_id) is not manager.Ownership.ABSENT] == []


def test_a_ghost_does_not_hold_its_name() -> None:
    """On the embedded database whoever lists may bring an empty collection back; that costs nobody a name."""
    database.master().create_collection("org_acme")
    assert sign_up("Acme").organization.status == "active"
    database.master().create_collection("org_bcme")
    assert service.update(access=access_of("owner@acme.example"), slug="bcme").slug == "bcme"
    database.master().create_collection("org_stray")
    assert list(doctor.examine()) == []
    assert "org_stray" not in database.master().list_collection_names()


def test_an_empty_collection_of_somebody_on_a_real_server_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "copies_on_rename", lambda cluster: False)
    database.master().create_collection("org_acme")
    with pytest.raises(PortalError) as refusal:
        sign_up("Acme")
    assert refusal.value.code == "organization_exists"
    assert [finding.invariant for finding in doctor.examine()] == [2]
