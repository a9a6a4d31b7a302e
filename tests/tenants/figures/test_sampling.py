"""Samples of every day: each organization once, a few at a time, none left of one that is gone."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.documents import now
from tenants.figures import sampling
from tenants.figures import service as figures
from tenants.figures.documents import COLLECTION, day_of
from tenants.lifecycle import doctor, reconcile
from tests.accounts.cast import an_organization
from tests.tenants.rules.people import acme, again, fill
from tests.wire.people import access_of, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")


def samples() -> list[dict[str, Any]]:
    return list(database.collection(COLLECTION).find({}).sort("day", 1))


def test_every_organization_is_sampled_once_a_day() -> None:
    access = acme({"a": 1}, {"a": 2})
    sign_up("Bcme")
    today = now()
    assert sampling.run_due(at=today) == 2
    assert sampling.run_due(at=today) == 0
    assert {(row["records"], row["day"]) for row in samples()} == {(2, day_of(today)), (0, day_of(today))}
    assert sampling.run_due(at=today + timedelta(days=1)) == 2
    assert len([row for row in samples() if row["org_id"] == access.organization.id]) == 2
    assert list(doctor.examine()) == []


def test_a_round_takes_a_few_at_a_time_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "BATCH", 2)
    ids = {an_organization(f"org{number}") for number in range(5)}
    assert [sampling.run_due() for _ in range(5)] == [2, 2, 1, 0, 0]
    assert {row["org_id"] for row in samples()} == ids


def test_killed_in_the_middle_the_next_worker_goes_on_and_nothing_is_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(4):
        an_organization(f"org{number}")
    measure, seen = manager.measure, []

    class Killed(BaseException):
        """As kill -9: nothing catches it."""

    def killed(placement: Any) -> tuple[int, int]:
        seen.append(placement)
        if len(seen) == 3:
            raise Killed
        return measure(placement)

    with monkeypatch.context() as patched:
        patched.setattr(manager, "measure", killed)
        with pytest.raises(Killed):
            sampling.run_due()
    assert len(samples()) == 2
    assert sampling.run_due() == 0, "its lease is not over"
    first = samples()[0]["at"]
    assert sampling.run_due(at=now() + timedelta(minutes=5)) == 4
    assert len(samples()) == 4
    assert samples()[0]["at"] == first


def test_a_worker_that_is_stopped_stops_and_the_rest_is_sampled_later() -> None:
    an_organization("one")
    stopping = threading.Event()
    stopping.set()
    assert sampling.run_due(stopping) == 0
    assert sampling.run_due() == 1


def test_nothing_stays_of_an_organization_that_goes_while_it_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme({"a": 1})
    measure = manager.measure

    def deleting(placement: Any) -> tuple[int, int]:
        monkeypatch.undo()
        service.delete(access=again())
        return measure(placement)

    monkeypatch.setattr(manager, "measure", deleting)
    sampling.run_due()
    assert [row for row in samples() if row["org_id"] == access.organization.id] == []
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def keep(org_id: ObjectId, at: datetime, records: int) -> None:
    row = {"org_id": org_id, "day": day_of(at), "at": at, "records": records, "bytes": records * 10}
    database.collection(COLLECTION).insert_one({**row, "expires_at": at + timedelta(days=400)})


def test_growth_goes_from_the_samples_of_eight_weeks_to_now() -> None:
    access = acme({"a": 1})
    moment = now()
    for days in (70, 50, 20, 1):
        keep(access.organization.id, moment - timedelta(days=days), 100 - days)
    old = {"created_at": moment - timedelta(days=100)}
    database.collection("organizations").update_one({"_id": access.organization.id}, {"$set": old})
    points = figures.growth(access=again())
    assert [point.records for point in points] == [50, 80, 99, 1]
    assert points == sorted(points, key=lambda point: point.at)
    assert figures.growth(access=again(), current=(7, 70))[-1].bytes == 70


def test_a_new_organization_begins_with_nothing_at_its_creation() -> None:
    points = figures.growth(access=acme({"a": 1}, {"a": 2}))
    assert next((point.records, point.at) for point in points) == (0, again().organization.created_at)
    assert points[-1].records == 2


def test_growth_is_told_of_the_own_organization_only() -> None:
    acme()
    other = sign_up("Bcme")
    keep(other.organization.id, now(), 99)
    assert [point.records for point in figures.growth(access=again())] == [0, 0]
    assert 99 in [point.records for point in figures.growth(access=access_of("owner@bcme.example"))]


def test_of_a_large_collection_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "SAMPLE", 10)
    fill_with = [{"n": number, "at": now()} for number in range(40)]
    access = acme(*fill_with)
    found = figures.distribution(access=access, field="n")
    assert (found.looked_at, found.records, found.is_sample, found.is_oldest) == (10, 40, True, False)
    monkeypatch.setattr(figures, "EMBEDDED_LIMIT", 20)
    oldest = figures.distribution(access=access, field="n")
    assert (oldest.looked_at, oldest.is_oldest) == (10, database.copies_on_rename("master"))
    assert figures.distribution(access=access, field="at").spread.kind == "dates"


def test_a_database_that_takes_too_long_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme({"n": 1})
    monkeypatch.setattr(figures, "DEADLINE_SECONDS", 1e-9)
    with pytest.raises(PortalError) as refused:
        figures.distribution(access=access, field="n")
    assert (refused.value.status, refused.value.code) == (503, "too_slow")
    fill([])
