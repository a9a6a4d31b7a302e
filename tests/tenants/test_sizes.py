"""How much data there is, where counting takes long: kept, counted again by the worker, never waited for long."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import NetworkTimeout

from orgportal import database
from tenants import manager, service, sizes
from tenants.documents import now
from tenants.lifecycle import doctor, reconcile
from tenants.records import marks
from tests.tenants.rules.people import acme, again

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture(autouse=True)
def _embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(database, "copies_on_rename", lambda cluster: True)
    yield
    sizes._slow.clear()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Counting that takes so many seconds as the list's last entry says; more than there is patience for fails."""
    taking, measure = [2.0], manager.measure

    def slowly(placement: Any) -> tuple[int, int]:
        if taking[-1] > sizes.PATIENCE and _within_request():
            raise NetworkTimeout("timed out")
        time.sleep(min(taking[-1], 0.02))
        return measure(placement)

    monkeypatch.setattr(manager, "measure", slowly)
    return taking


def _within_request() -> bool:
    import pymongo._csot as deadlines

    return (deadlines.remaining() or 0) < sizes.PATIENCE + 1


def stored() -> dict[str, Any] | None:
    return database.collection(sizes.COLLECTION).find_one({})


def test_what_is_counted_quickly_is_counted_each_time_and_never_kept() -> None:
    acme({"a": 1}, {"a": 2})
    assert sizes.size_of(again().organization).records == 2
    manager.bind(again()).insert_one({"_id": "x", "data": {}})
    assert sizes.size_of(again().organization).records == 3
    assert stored() is None


def test_what_takes_long_is_kept_and_counted_again_by_the_worker(
    slow: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme({"a": 1}, {"a": 2})
    slow.append(1.0)
    monkeypatch.setattr(sizes, "SLOW", 0.001)
    assert sizes.size_of(again().organization).records == 2
    manager.bind(again()).insert_one({"_id": "x", "data": {}})
    assert sizes.size_of(again().organization).records == 2, "counted a moment ago"
    assert sizes.run_due() == 0
    monkeypatch.setattr(sizes, "LASTING", 0)
    assert sizes.size_of(again().organization).records == 2
    assert sizes.run_due(at=now() + timedelta(seconds=1)) == 1
    assert sizes.size_of(again().organization).records == 3


def test_what_cannot_be_counted_in_time_is_told_by_the_marks_until_the_worker_has(slow: list[float]) -> None:
    access = acme({"a": 1}, {"a": 2})
    row = {"_id": "x", "org_id": access.organization.id, "at": [now()] * 7}
    database.collection(marks.COLLECTION).insert_one(row)
    description = service.describe(access=again())
    assert (description.records, description.storage_bytes > 0) == (7 * marks.STEP, True)
    assert sizes.run_due(at=now() + timedelta(seconds=1)) == 1
    assert service.describe(access=again()).records == 2
    assert service.deletion_preview(access=again()).records == 2


def test_a_kept_size_goes_with_its_organization(slow: list[float]) -> None:
    acme({"a": 1})
    service.describe(access=again())
    assert stored() is not None
    service.delete(access=again())
    sizes.run_due(at=now() + timedelta(hours=1))
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert stored() is None
    assert list(doctor.examine()) == []
