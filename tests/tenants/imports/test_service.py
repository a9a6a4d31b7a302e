"""Imports below HTTP: uploads that the worker does, what a rename, a deletion, a cancel and a dead holder do to one."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from accounts import service as accounts
from orgportal import database
from orgportal.errors import PortalError
from tenants import service as tenants
from tenants.access import Access
from tenants.imports import batches, engine, journal, service, writing
from tenants.imports.documents import Import
from tenants.imports.options import Options
from tests.tenants.imports.files import ndjson
from tests.wire.people import access_of, sign_up

pytestmark = pytest.mark.usefixtures("clean_database")

OWNER = "owner@acme.example"
LINES = 60
FILE = ndjson({"n": number} for number in range(LINES))


@pytest.fixture
def access(monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setattr(batches, "LINES", 10)
    sign_up("Acme")
    return access_of(OWNER)


def stored(slug: str = "acme") -> list[int]:
    return sorted(row["data"]["n"] for row in database.collection(f"org_{slug}").find({}))


def run(access: Access, body: bytes = FILE, key: str | None = "k") -> Import:
    return service.run_import(access=access, options=Options(), body=[body], key=key)


def uploaded(access: Access, body: bytes = FILE, key: str | None = None) -> Import:
    upload = service.start_upload(access=access, file_name="a.ndjson", key=key)
    upload.write(body)
    return upload.finish(Options())


def expire_lease(import_id: str) -> None:
    past = datetime.now(timezone.utc) - timedelta(seconds=1)
    database.collection("imports").update_one({"_id": import_id}, {"$set": {"lease_until": past}})


class Fails:
    """A database that fails at the n-th batch, before or after it was written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool, error: BaseException) -> None:
        self._original = writing.write
        self._at, self._after, self._error = at, after, error
        monkeypatch.setattr(writing, "write", self)

    def __call__(self, *arguments: Any) -> writing.Outcome:
        self._at -= 1
        if self._at:
            return self._original(*arguments)
        if self._after:
            self._original(*arguments)
        raise self._error


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 3, 6])
@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_an_import_that_was_cut_off_goes_on_exactly(
    access: Access, monkeypatch: pytest.MonkeyPatch, at: int, after: bool, mode: Any
) -> None:
    # Twice as many lines as keys: of each key one line inserts and one updates.
    file = ndjson({"n": number % 30} for number in range(60)) if mode == "upsert" else FILE
    options = Options(mode=mode, key=("n",) if mode == "upsert" else ("_id",))
    with monkeypatch.context() as broken:
        Fails(broken, at, after=after, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            service.run_import(access=access, options=options, body=[file], key="k")
    done = service.run_import(access=access, options=options, body=[file], key="k")
    expected = (30, 30) if mode == "upsert" else (60, 0)
    assert (done.counts.inserted, done.counts.updated, done.counts.failed) == (*expected, 0)
    assert stored() == sorted(set(range(30 if mode == "upsert" else 60)))


@pytest.mark.parametrize("other", [b"\x1f\x8b gzip", b'{"n": 99}\n' * 60])
def test_another_file_does_not_go_on_with_what_was_cut_off(
    access: Access, monkeypatch: pytest.MonkeyPatch, other: bytes
) -> None:
    with monkeypatch.context() as broken:
        Fails(broken, 3, after=True, error=KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(access)
    with pytest.raises(PortalError) as refused:
        run(access, other)
    assert refused.value.code == "idempotency_key_reused"
    assert len(stored()) == 30
    assert run(access).counts.inserted == LINES
    assert stored() == list(range(LINES))


def test_a_lost_reply_is_no_reason_to_stop(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.errors import AutoReconnect

    Fails(monkeypatch, 2, after=True, error=AutoReconnect("the reply was lost"))
    assert run(access).counts.inserted == LINES
    assert stored() == list(range(LINES))


def test_a_rename_in_the_middle_loses_nothing(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = writing.write, iter(range(100))

    def renaming(*arguments: Any) -> writing.Outcome:
        if next(calls) == 2:
            tenants.update(access=access_of(OWNER), slug="bcme")
        return original(*arguments)

    monkeypatch.setattr(writing, "write", renaming)
    assert run(access).counts.inserted == LINES
    assert stored("bcme") == list(range(LINES))


def test_a_deletion_in_the_middle_ends_it(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = writing.write, iter(range(100))

    def deleting(*arguments: Any) -> writing.Outcome:
        if next(calls) == 2:
            tenants.delete(access=access_of(OWNER), expected_rev=None)
        return original(*arguments)

    monkeypatch.setattr(writing, "write", deleting)
    with pytest.raises(PortalError) as ended:
        run(access)
    assert ended.value.code == "not_found"
    assert database.collection("imports").count_documents({}) == 0


def test_a_cancel_takes_effect_after_the_batch_and_is_final(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = writing.write, iter(range(100))

    def cancelling(*arguments: Any) -> writing.Outcome:
        if next(calls) == 2:
            service.cancel(access=access, id=service.list_recent(access=access)[0].id)
        return original(*arguments)

    monkeypatch.setattr(writing, "write", cancelling)
    done = run(access)
    assert done.state == "cancelled"
    assert len(stored()) == 30
    assert run(access).state == "cancelled"
    assert run(access, key="other").state == "finished"


def test_the_worker_imports_what_was_uploaded(access: Access) -> None:
    waiting = uploaded(access)
    assert (waiting.state, waiting.file_name, stored()) == ("waiting", "a.ndjson", [])
    assert service.resume_waiting(lambda: False) == 1
    done = service.progress(access=access, id=waiting.id)
    assert (done.state, done.percent, done.counts.inserted) == ("finished", 100, LINES)
    assert database.collection("import_chunks").count_documents({}) == 0
    assert service.resume_waiting(lambda: False) == 0


def test_another_worker_goes_on_where_one_died(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = uploaded(access)
    with monkeypatch.context() as broken:
        Fails(broken, 3, after=True, error=KeyboardInterrupt())
        broken.setattr(journal, "release", lambda job: None)
        with pytest.raises(KeyboardInterrupt):
            service.resume_waiting(lambda: False)
    assert service.resume_waiting(lambda: False) == 0
    expire_lease(waiting.id)
    assert service.resume_waiting(lambda: False) == 1
    assert service.progress(access=access, id=waiting.id).counts.inserted == LINES
    assert stored() == list(range(LINES))


def test_a_worker_that_is_told_to_stop_leaves_the_rest_to_the_next(access: Access) -> None:
    waiting = uploaded(access)
    answers: Iterator[bool] = iter([False] * 5)
    service.resume_waiting(lambda: next(answers, True))
    assert not service.progress(access=access, id=waiting.id).is_over
    assert service.resume_waiting(lambda: False) == 1
    assert stored() == list(range(LINES))


def test_an_uploaded_file_that_is_broken_is_refused_with_the_reason(access: Access) -> None:
    upload = service.start_upload(access=access, file_name="a.csv")
    upload.write(b'a,b\n1,2\n3,"never closed\n')
    waiting = upload.finish(Options(format="csv"))
    service.resume_waiting(lambda: False)
    refused = service.progress(access=access, id=waiting.id)
    assert refused.state == "refused"
    assert refused.refusal is not None
    assert "never closed" in refused.refusal.message
    assert database.collection("org_acme").count_documents({}) == 0


def test_what_somebody_sent_who_is_no_member_any_more_is_not_imported(access: Access) -> None:
    waiting = uploaded(access)
    account = {"_id": access.principal.account_id}
    database.collection("accounts").update_one(account, {"$set": {"memberships": []}})
    service.resume_waiting(lambda: False)
    database.collection("accounts").update_one(account, {"$set": {"memberships": [_owner_of(access)]}})
    assert service.progress(access=access, id=waiting.id).state == "refused"
    assert stored() == []


def _owner_of(access: Access) -> dict[str, Any]:
    moment = datetime.now(timezone.utc)
    return {"org_id": access.organization.id, "role": "owner", "joined_at": moment}


def test_a_form_that_is_sent_twice_imports_once(access: Access) -> None:
    first = uploaded(access, key="form")
    with pytest.raises(PortalError) as refused:
        service.start_upload(access=access, key="form")
    assert (refused.value.code, refused.value.data["id"]) == ("import_exists", first.id)


def test_an_upload_that_is_cancelled_takes_no_more(access: Access) -> None:
    upload = service.start_upload(access=access)
    upload.write(b"x" * 1_048_576)
    service.cancel(access=access, id=upload.id)
    with pytest.raises(PortalError) as refused:
        upload.write(b"x" * 1_048_576)
    assert refused.value.code == "import_cancelled"
    upload.abort()
    assert database.collection("import_chunks").count_documents({}) == 0


def test_two_workers_do_not_do_the_same(access: Access) -> None:
    waiting = [uploaded(access)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(service.resume_waiting(lambda: False))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert service.progress(access=access, id=waiting[0].id).counts.inserted == LINES


def test_patience_has_an_end(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    from orgportal.errors import organization_busy

    def busy(*arguments: Any) -> writing.Outcome:
        raise organization_busy()

    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.2)
    with monkeypatch.context() as broken:
        broken.setattr(writing, "write", busy)
        began = time.monotonic()
        with pytest.raises(PortalError) as given_up:
            run(access)
    assert given_up.value.code == "organization_busy"
    assert time.monotonic() - began < 10
    assert run(access).counts.inserted == LINES


def test_the_account_that_sent_it_is_the_records_author(access: Access) -> None:
    run(access)
    authors = database.collection("org_acme").distinct("created_by")
    assert authors == [str(access.principal.account_id)]
    assert accounts.membership_exists(account_id=access.principal.account_id, org_id=access.organization.id)
