"""Two at once, fifty times each (five in the suite): sign-ups, renames, deletions, writes, logins."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from bson import ObjectId

from accounts import service as accounts
from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, service
from tenants.documents import now
from tenants.lifecycle import doctor, reconcile
from tests.effort import effort
from tests.portals import Portal
from tests.wire.people import PASSWORD, access_of, principal_with, sign_up, token_of

ROUNDS = effort(short=5, full=50)
SIGN_UPS_AT_ONCE = 40
CROWDS = effort(short=3, full=50)


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run all from the same instant, each in a thread; what each returned or raised (PortalErrors only)."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return action()
        except PortalError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def settled() -> None:
    """What is due within the hour is done, and every promise holds."""
    reconcile.run_all(at=now() + timedelta(hours=1))
    assert list(doctor.examine()) == []


def codes(outcomes: list[Any]) -> list[str]:
    return sorted(outcome.code if isinstance(outcome, PortalError) else "done" for outcome in outcomes)


def test_of_forty_sign_ups_for_one_name_exactly_one_is_created(live_portal: Portal) -> None:
    def one(client: httpx.Client, name: str, number: int) -> int:
        body = {"organization_name": name, "email": f"{number}@{name}.example", "password": PASSWORD}
        return client.post("/api/v1/orgs", json=body).status_code

    limits = httpx.Limits(max_connections=SIGN_UPS_AT_ONCE)
    with (
        httpx.Client(base_url=live_portal.base_url, timeout=60, limits=limits) as client,
        ThreadPoolExecutor(SIGN_UPS_AT_ONCE) as pool,
    ):
        for number in range(CROWDS):
            name = f"crowd{number}"
            statuses = list(pool.map(partial(one, client, name), range(SIGN_UPS_AT_ONCE)))
            assert sorted(statuses) == [201] + [409] * (SIGN_UPS_AT_ONCE - 1)
    with live_portal.mongo() as mongo:
        master = mongo[live_portal.database]
        slugs = [f"crowd{n}" for n in range(CROWDS)]
        assert master["organizations"].count_documents({"slug": {"$in": slugs}}) == CROWDS
        emails = [f"{guest}@crowd{n}.example" for n in range(CROWDS) for guest in range(SIGN_UPS_AT_ONCE)]
        assert master["accounts"].count_documents({"email": {"$in": emails}}) == CROWDS
    assert live_portal.manage("doctor").returncode == 0


@pytest.mark.usefixtures("clean_database")
def test_of_two_renames_to_one_slug_exactly_one_succeeds() -> None:
    for name in ("Left", "Right"):
        sign_up(name)
    for number in range(ROUNDS):
        accesses = [access_of("owner@left.example"), access_of("owner@right.example")]
        outcomes = at_once(*(partial(service.update, access=access, slug=f"goal_{number}") for access in accesses))
        assert codes(outcomes) == ["done", "organization_exists"]
    settled()


@pytest.mark.usefixtures("clean_database")
def test_two_renames_of_one_organization_leave_one_of_the_two_names() -> None:
    sign_up("Torn")
    for number in range(ROUNDS):
        access = access_of("owner@torn.example")
        wanted = [f"torn_{side}_{number}" for side in ("a", "b")]
        outcomes = at_once(*(partial(service.update, access=access, slug=slug) for slug in wanted))
        assert codes(outcomes)[0] == "done"
        assert codes(outcomes)[1] in {"organization_busy", "stale"}
        assert access_of("owner@torn.example").organization.slug in wanted
    settled()


class Writers:
    """Threads that insert through the bound collection until told to stop, and note what was acknowledged."""

    def __init__(self, email: str, count: int = 3) -> None:
        self.acknowledged: list[ObjectId] = []
        self._stopping = threading.Event()
        self._warm = threading.Semaphore(0)
        self._token = token_of(email)
        self._email = email
        self._threads = [threading.Thread(target=self._write) for _ in range(count)]
        self._failures: list[BaseException] = []

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            assert self._warm.acquire(timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
        assert not self._failures, self._failures

    def _write(self) -> None:
        warmed = False
        collection = manager.bind(access_of(self._email))
        while not self._stopping.is_set():
            record: dict[str, Any] = {"_id": ObjectId(), "data": {}, "created_at": now()}
            try:
                collection.insert_one(record)
                self.acknowledged.append(record["_id"])
            except PortalError as error:
                if error.code not in {"organization_busy", "not_found"}:
                    self._failures.append(error)
                # As a client does that was told to try again shortly.
                self._stopping.wait(0.02)
            except BaseException as error:
                self._failures.append(error)
                return
            if not warmed:
                self._warm.release()
                warmed = True


@pytest.mark.usefixtures("clean_database")
def test_no_write_that_was_acknowledged_during_a_rename_is_lost() -> None:
    per_organization = 5
    for name in range(ROUNDS // per_organization):
        email = f"owner@busy{name}.example"
        sign_up(f"Busy{name}")
        with Writers(email, count=2) as writers:
            for number in range(per_organization):
                slug = f"busy{name}_{number}"
                assert service.update(access=access_of(email), slug=slug).status == "active"
        stored = {record["_id"] for record in manager.bind(access_of(email)).find({}, limit=1_000_000)}
        assert writers.acknowledged
        assert set(writers.acknowledged) <= stored
    settled()
    collections = {name for name in database.master().list_collection_names() if name.startswith("org_")}
    assert collections == {f"org_busy{name}_{per_organization - 1}" for name in range(ROUNDS // per_organization)}


@pytest.mark.usefixtures("clean_database")
def test_writes_during_a_deletion_never_leave_a_ghost() -> None:
    for number in range(ROUNDS):
        email = f"owner@doomed{number}.example"
        sign_up(f"Doomed{number}")
        with Writers(email, count=2):
            assert service.delete(access=access_of(email))
    settled()
    assert [name for name in database.master().list_collection_names() if name.startswith("org_")] == []
    assert database.collection("accounts").count_documents({}) == 0


@pytest.mark.usefixtures("clean_database")
def test_a_login_during_the_deletion_opens_nothing_afterwards() -> None:
    for number in range(ROUNDS):
        email = f"owner@closing{number}.example"
        sign_up(f"Closing{number}")
        access = access_of(email)
        outcomes = at_once(partial(service.delete, access=access), *[partial(token_of, email)] * 4)
        assert outcomes[0] is True
        for outcome in outcomes[1:]:
            if isinstance(outcome, PortalError):
                assert outcome.code == "invalid_credentials"
                continue
            with pytest.raises(PortalError) as refusal:
                principal_with(outcome)
            assert refusal.value.status == 401
        with pytest.raises(PortalError):
            accounts.log_in(email=email, password=PASSWORD)
    settled()
    assert database.collection("sessions").count_documents({}) == 0


@pytest.mark.usefixtures("clean_database")
def test_of_two_deletions_one_succeeds_and_the_other_finds_nothing() -> None:
    for number in range(ROUNDS):
        email = f"owner@twice{number}.example"
        sign_up(f"Twice{number}")
        accesses = [access_of(email), access_of(email)]
        outcomes = at_once(*(partial(service.delete, access=access) for access in accesses))
        assert codes(outcomes) == ["done", "not_found"]
    settled()
    assert list(service.all_organizations()) == []
