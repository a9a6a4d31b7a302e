"""A schema comes into force, is replaced and goes again: on the real wire protocol, with writes and crashes between."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.access import Access
from tenants.documents import now
from tenants.lifecycle import doctor, reconcile
from tenants.records import store
from tenants.rules import checks, documents, switching
from tenants.rules import service as rules
from tests.tenants.rules.people import acme, again, organization_row, validator_of, work

pytestmark = pytest.mark.usefixtures("clean_database")

ADULTS = {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer", "minimum": 18}}}
OLDER = {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer", "minimum": 60}}}


def refusal(act: Callable[[], object]) -> PortalError:
    with pytest.raises(PortalError) as refused:
        act()
    return refused.value


def switch_on(schema: Any) -> None:
    rules.set_schema(access=again(), schema=schema)
    work()


def test_a_schema_that_all_records_fit_is_on_once_they_were_checked() -> None:
    access = acme({"age": 20}, {"age": 30, "name": "Ada"})
    standing = rules.set_schema(access=access, schema=ADULTS)
    assert (standing.state, standing.on, standing.checking and standing.checking.schema) == ("checking", None, ADULTS)
    assert work(later=False) == 0, "a write under the old rules could still arrive"
    assert work() == 1
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.on and standing.on.schema, standing.checking) == ("on", ADULTS, None)
    assert standing.last is not None
    assert standing.last.report == documents.Report(checked=2)
    assert work() == 0
    assert list(doctor.examine()) == []


def test_from_the_first_moment_new_writes_are_held_to_it() -> None:
    rules.set_schema(access=acme({"age": 20}), schema=ADULTS)
    refused = refusal(lambda: store.create_record(access=again(), data={"age": 5}))
    assert (refused.status, refused.code) == (422, "schema_violation")
    assert [error.path for error in refused.errors] == ["data.age"]
    missing = refusal(lambda: store.create_record(access=again(), data={"name": "Bob"}))
    assert [(error.path, error.message) for error in missing.errors] == [("data.age", "This field is required.")]
    made = store.create_record(access=again(), data={"age": 18})
    assert refusal(lambda: store.replace_record(access=again(), id=made.id, data={"age": 2})).code == "schema_violation"
    assert (
        refusal(lambda: store.patch_record(access=again(), id=made.id, patch={"age": None})).code == "schema_violation"
    )
    assert store.get_record(access=again(), id=made.id).data == {"age": 18}


def test_a_write_that_was_checked_before_is_not_acknowledged_after() -> None:
    before = acme({"age": 20})
    rules.set_schema(access=again(), schema=ADULTS)
    refused = refusal(lambda: store.create_record(access=before, data={"age": 5}))
    assert (refused.status, refused.code) == (503, "organization_busy")


def test_a_write_with_an_old_picture_looks_again_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    before = acme({"age": 20})
    rules.set_schema(access=again(), schema=ADULTS)
    # As if the request had taken long: the bound collection reads the organization again before it writes.
    monkeypatch.setattr("tenants.bound.BINDING_SECONDS", -1.0)
    refused = refusal(lambda: store.create_record(access=before, data={"age": 5}))
    assert (refused.status, refused.code) == (503, "organization_busy")
    assert manager.bind(again()).count({}) == 1


def test_a_schema_that_some_records_do_not_fit_goes_off_again_with_a_report() -> None:
    access = acme(*({"age": age} for age in range(150)))
    switch_on(ADULTS)
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.on, standing.checking) == ("off", None, None)
    assert standing.last is not None
    report = standing.last.report
    assert (report.checked, report.wrong, len(report.errors)) == (150, 18, 18)
    assert {error.path for error in report.errors} == {"data.age"}
    assert {error.id for error in report.errors} == {f"r{number}" for number in range(18)}
    store.create_record(access=again(), data={"age": 3})
    assert validator_of(access) is None


def test_of_very_many_faults_the_first_hundred_are_told() -> None:
    acme(*({"name": f"n{number}"} for number in range(130)))
    switch_on(ADULTS)
    last = rules.get_schema(access=again()).last
    assert last is not None
    assert (last.report.wrong, len(last.report.errors)) == (130, 100)


def test_while_a_stricter_one_is_checked_both_count_and_the_old_one_stays_if_it_does_not_fit() -> None:
    acme({"age": 20})
    switch_on(ADULTS)
    rules.set_schema(access=again(), schema={"properties": {"name": {"type": "string"}, "age": {"minimum": 60}}})
    assert refusal(lambda: store.create_record(access=again(), data={"name": "x"})).code == "schema_violation"
    assert refusal(lambda: store.create_record(access=again(), data={"age": 30})).code == "schema_violation"
    work()
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.on and standing.on.schema) == ("on", ADULTS)
    store.create_record(access=again(), data={"age": 30})


def test_a_schema_that_fits_takes_the_place_of_the_one_before() -> None:
    access = acme({"age": 70})
    switch_on(ADULTS)
    switch_on(OLDER)
    standing = rules.get_schema(access=again())
    assert standing.on is not None
    assert standing.on.schema == OLDER
    assert "60" in str(validator_of(access))
    switch_on(ADULTS)
    store.create_record(access=again(), data={"age": 30})


def test_switching_off_lets_everything_in_again() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    assert validator_of(access) is not None
    rules.switch_off(access=again())
    assert rules.get_schema(access=again()).state == "off"
    assert validator_of(access) is None
    store.create_record(access=again(), data={"age": "none"})
    rules.switch_off(access=again())
    assert work() >= 0
    assert list(doctor.examine()) == []


def test_the_database_itself_refuses_what_comes_past_the_portal() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    refused = refusal(lambda: manager.bind(again()).insert_one({"_id": "x", "data": {"age": 3}}))
    assert (refused.status, refused.code) == (422, "schema_violation")
    manager.bind(again()).insert_one({"_id": "x", "data": {"age": 33}})
    assert validator_of(access) is not None


def test_schema_and_validator_survive_a_rename() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    service.update(access=again(), slug="bcme")
    assert again().organization.placement.collection == "org_bcme"
    assert validator_of(access) is not None
    assert refusal(lambda: store.create_record(access=again(), data={"age": 5})).code == "schema_violation"
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def test_a_rename_in_the_middle_of_a_check_begins_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"age": 20}, {"age": 30})
    rules.set_schema(access=again(), schema=ADULTS)
    take = checks._Findings.take

    def renaming(self: Any, row: Any) -> None:
        monkeypatch.undo()
        service.update(access=again(), slug="bcme")
        take(self, row)

    monkeypatch.setattr(checks._Findings, "take", renaming)
    assert work() == 0
    assert rules.get_schema(access=again()).state == "checking"
    assert work() == 1
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.last and standing.last.report.checked) == ("on", 2)


def test_a_deleted_organization_leaves_no_schema() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    rules.set_schema(access=again(), schema=OLDER)
    service.delete(access=again())
    work()
    assert documents.all_of(access.organization.id) == []
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


class Killed(BaseException):
    """Ends the process where it stands, as kill -9 does: nothing catches it, nothing is tidied up."""


STEPS = ("carry", "conclude", "settle", "_forget")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("schema", [ADULTS, OLDER], ids=["fits", "does not fit"])
def test_killed_at_any_step_the_next_worker_brings_it_to_its_end(
    step: str, schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = acme({"age": 20})
    rules.set_schema(access=access, schema=schema)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(switching, step, killed)
        with pytest.raises(Killed):
            work()
    work()
    fits = schema is ADULTS
    standing = rules.get_schema(access=again())
    assert standing.state == ("on" if fits else "off")
    assert (validator_of(access) is not None) is fits
    assert work() == 0


def test_killed_in_the_middle_of_reading_the_check_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    acme(*({"age": 20 + number} for number in range(5)))
    rules.set_schema(access=again(), schema=ADULTS)
    taken: list[Any] = []
    take = checks._Findings.take

    def killed(self: Any, row: Any) -> None:
        taken.append(row)
        if len(taken) == 3:
            raise Killed
        take(self, row)

    with monkeypatch.context() as patched:
        patched.setattr(checks._Findings, "take", killed)
        with pytest.raises(Killed):
            work()
    assert rules.get_schema(access=again()).state == "checking"
    work()
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.last and standing.last.report.checked) == ("on", 5)


def test_a_request_that_is_cut_short_before_the_fence_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme({"age": 20})

    def killed(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(switching, "_change", killed)
        with pytest.raises(Killed):
            rules.set_schema(access=access, schema=ADULTS)
    assert rules.get_schema(access=again()).state == "off"
    work()
    assert organization_row(access.organization.id).get("schema") is None
    assert work() == 0


def test_a_request_that_is_cut_short_behind_the_fence_is_finished_by_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = acme({"age": 20})

    def killed(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(switching, "_update", killed)
        with pytest.raises(Killed):
            rules.set_schema(access=access, schema=ADULTS)
    assert rules.get_schema(access=again()).state == "checking"
    work()
    assert rules.get_schema(access=again()).state == "on"


def test_switching_off_cut_short_anywhere_is_finished_by_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise Killed

    for step, state in (("_change", "on"), ("carry", "off")):
        with monkeypatch.context() as patched:
            patched.setattr(switching, step, killed)
            with pytest.raises(Killed):
                rules.switch_off(access=again())
        work()
        assert rules.get_schema(access=again()).state == state
        assert (validator_of(access) is not None) is (state == "on")
    assert work() == 0


def test_two_workers_never_check_the_same_schema_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"age": 20})
    rules.set_schema(access=again(), schema=ADULTS)
    take, done = checks._Findings.take, []

    def meanwhile(self: Any, row: Any) -> None:
        done.append(checks.run_due(at=now()))
        take(self, row)

    monkeypatch.setattr(checks._Findings, "take", meanwhile)
    assert work() == 1
    assert done == [0]


def test_a_check_that_takes_too_long_is_given_up_and_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"age": 20}, {"age": 21})
    settings.SCHEMA_CHECK_SECONDS = 0.000001
    switch_on(ADULTS)
    standing = rules.get_schema(access=again())
    assert standing.state == "off"
    assert standing.last is not None
    assert (standing.last.kept.step, "longer than" in standing.last.report.reason) == ("failed", True)


def test_a_worker_that_is_stopped_leaves_the_check_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    acme({"age": 20}, {"age": 21})
    rules.set_schema(access=again(), schema=ADULTS)
    monkeypatch.setattr(checks, "BEAT_SECONDS", -1.0)
    stopping, take = threading.Event(), checks._Findings.take

    def stop(self: Any, row: Any) -> None:
        stopping.set()
        take(self, row)

    with monkeypatch.context() as patched:
        patched.setattr(checks._Findings, "take", stop)
        assert checks.run_due(stopping, at=now() + timedelta(hours=1)) == 0
    assert rules.get_schema(access=again()).state == "checking"
    assert work() == 1


def test_only_trying_changes_nothing_and_tells_what_would_not_fit() -> None:
    access = acme({"age": 20}, {"age": 70})
    rules.try_schema(access=access, schema=ADULTS)
    rules.try_schema(access=access, schema=OLDER)
    work(later=False)
    standing = rules.get_schema(access=again())
    assert (standing.state, standing.last and standing.last.schema) == ("off", OLDER)
    assert standing.last is not None
    assert (standing.last.kept.step, standing.last.report.wrong) == ("misfit", 1)
    store.create_record(access=again(), data={"age": 1})


def test_the_schema_is_changed_only_by_whoever_knows_how_it_stands() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    known = rules.get_schema(access=again()).rev
    assert refusal(lambda: rules.set_schema(access=again(), schema=OLDER, expected_rev=known - 1)).status == 412
    assert refusal(lambda: rules.set_schema(access=access, schema=OLDER)).status == 412
    assert refusal(lambda: rules.switch_off(access=again(), expected_rev=known + 1)).status == 412
    rules.switch_off(access=again(), expected_rev=known)
    assert database.collection("record_schemas").count_documents({"step": "waiting"}) == 0


def test_an_organization_without_a_schema_pays_nothing_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    access: Access = acme()
    monkeypatch.setattr(documents, "load", lambda schema_id: pytest.fail("asked"))
    store.create_record(access=access, data={"anything": 1})


def test_a_suspended_organization_keeps_its_schema_and_waits_with_what_is_under_way() -> None:
    access = acme({"age": 20})
    switch_on(ADULTS)
    rules.set_schema(access=again(), schema=OLDER)
    organizations = database.collection("organizations")
    organizations.update_one({"_id": access.organization.id}, {"$set": {"status": "suspended"}})
    assert work() == 0
    organizations.update_one({"_id": access.organization.id}, {"$set": {"status": "active"}})
    work()
    assert rules.get_schema(access=again()).state == "on"
    assert refusal(lambda: store.create_record(access=again(), data={"age": 5})).code == "schema_violation"


def test_doctor_names_a_check_that_nobody_goes_on_with_and_a_schema_that_is_missing() -> None:
    acme({"age": 20})
    rules.set_schema(access=again(), schema=ADULTS)
    later = now() + timedelta(hours=1)
    assert [found.problem for found in doctor.examine(at=later)] == [
        "the check of a schema is pending past its lease: is the worker running?"
    ]
    work()
    database.collection("record_schemas").delete_many({})
    (found,) = doctor.examine()
    assert found.invariant == 1
    assert found.problem.endswith("that its records are held to is missing")
