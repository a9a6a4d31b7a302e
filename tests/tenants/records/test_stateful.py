"""Any sequence of record operations, held against a model in plain Python."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orgportal.errors import PortalError
from tenants import manager
from tenants.records import bulk, listing, store, values
from tenants.records.documents import Record
from tenants.records.lines import canonical_line
from tests.effort import effort
from tests.tenants.records.reference import matches
from tests.tenants.records.strategies import DATA, DOCUMENTS, FEW, FIELDS
from tests.wire.people import access_of, sign_up

EMAIL = "owner@stateful.example"
IDS = st.sampled_from([*"abcde", "f.1", "~:@", "0" * 24])
ORIGINS = st.sampled_from(["origin one", "origin two"])


@pytest.fixture(scope="module", autouse=True)
def _organization(database_indexes: None) -> None:
    sign_up("Stateful", email=EMAIL)


class Records(RuleBasedStateMachine):
    """Records by id: what they hold and their revision."""

    @initialize()
    def begin(self) -> None:
        self.access = access_of(EMAIL)
        manager.bind(self.access).delete_many({})
        self.model: dict[str, tuple[dict[str, Any], int]] = {}
        self.versions: dict[str, str] = {}
        self.made: dict[str, str] = {}

    def _noted(self, record: Record, data: dict[str, Any], rev: int) -> None:
        assert (canonical_line(record.data), record.rev) == (canonical_line(data), rev)
        self.model[record.id] = (data, rev)
        self.versions[record.id] = record.version

    def _refused(self, id: str) -> int:
        return 0 if id in self.model else 404

    @rule(data=DATA)
    def create(self, data: dict[str, Any]) -> None:
        stored = values.data_from_ejson(data)
        record = store.create_record(access=self.access, data=stored)
        assert record.id not in self.model
        self._noted(record, stored, 1)

    @rule(data=DOCUMENTS, id=IDS)
    def create_with_an_id(self, data: dict[str, Any], id: str) -> None:
        with self._expecting(409 if id in self.model else 0):
            self._noted(store.create_record(access=self.access, data=data, id=id), data, 1)

    @rule(data=DOCUMENTS, origin=ORIGINS)
    def create_again_after_a_crash(self, data: dict[str, Any], origin: str) -> None:
        record = store.create_record(access=self.access, data=data, origin=origin)
        if record.id in self.model:
            assert self.made[origin] == record.id
            assert canonical_line(record.data) == canonical_line(self.model[record.id][0])
        else:
            self.made[origin] = record.id
            self._noted(record, data, 1)

    @rule(data=DOCUMENTS, id=IDS, stale=st.booleans(), conditional=st.booleans())
    def replace(self, data: dict[str, Any], id: str, stale: bool, conditional: bool) -> None:
        expected = self._expected(id, stale) if conditional else None
        with self._expecting(self._refused(id) or (412 if conditional and stale else 0)):
            record = store.replace_record(access=self.access, id=id, data=data, expected=expected)
            self._noted(record, data, self.model[id][1] + 1)

    @rule(field=FIELDS, value=FEW | DOCUMENTS, id=IDS)
    def patch(self, field: str, value: Any, id: str) -> None:
        with self._expecting(self._refused(id)):
            record = store.patch_record(access=self.access, id=id, patch={field: value})
            self._noted(record, _patched(self.model[id][0], {field: value}), self.model[id][1] + 1)

    @rule(id=IDS, stale=st.booleans(), conditional=st.booleans())
    def delete(self, id: str, stale: bool, conditional: bool) -> None:
        expected = self._expected(id, stale) if conditional else None
        with self._expecting(self._refused(id) or (412 if conditional and stale else 0)):
            store.delete_record(access=self.access, id=id, expected=expected)
            del self.model[id]

    @rule(field=FIELDS, value=FEW, off=st.sampled_from([0, 0, 1]))
    def delete_matching(self, field: str, value: Any, off: int) -> None:
        found = [id for id, (data, _) in self.model.items() if matches(data, {field: value})]
        with self._expecting(409 if off else 0):
            filter_ = {field: values.to_canonical(value)}
            done = bulk.delete_matching(access=self.access, filter=filter_, expected_count=len(found) + off)
            assert (done.deleted, done.remaining) == (len(found), 0)
            for id in found:
                del self.model[id]

    @rule(field=FIELDS, value=FEW, limit=st.integers(1, 4), sort=st.sampled_from([None, "a", "-b,a"]))
    def find(self, field: str, value: Any, limit: int, sort: str | None) -> None:
        expected = {id for id, (data, _) in self.model.items() if matches(data, {field: value})}
        filter_ = {field: values.to_canonical(value)}
        seen: list[Record] = []
        cursor = None
        while True:
            page = listing.list_records(access=self.access, filter=filter_, sort=sort, limit=limit, cursor=cursor)
            seen += page.records
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(seen) == len(expected)
        assert {record.id for record in seen} == expected

    @invariant()
    def all_is_there_and_no_more(self) -> None:
        page = listing.list_records(access=self.access, limit=500)
        found = {record.id: (canonical_line(record.data), record.rev) for record in page.records}
        assert found == {id: (canonical_line(data), rev) for id, (data, rev) in self.model.items()}
        assert listing.count_records(access=self.access) == len(self.model)

    def _expected(self, id: str, stale: bool) -> list[str]:
        return ["1-0"] if stale else [self.versions.get(id, "none")]

    @contextlib.contextmanager
    def _expecting(self, status: int) -> Any:
        if not status:
            yield
            return
        with pytest.raises(PortalError) as refused:
            yield
        assert refused.value.status == status


def _patched(data: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, as its text has it."""
    result = dict(data)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = _patched(below if isinstance(below, dict) else {}, value)
        else:
            result[name] = value
    return result


def run(runs: int, steps: int) -> None:
    run_state_machine_as_test(
        Records,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
        ),
    )


def test_operations_do_what_the_model_does() -> None:
    run(effort(short=5, full=8), 25)


@pytest.mark.long
def test_many_long_sequences_of_operations_do_what_the_model_does() -> None:
    run(300, 40)
