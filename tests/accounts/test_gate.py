"""No more hashes at once than there are slots, and no longer queue than there is room for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import bcrypt
import pytest
from django.conf import LazySettings

from accounts import gate, passwords, service
from accounts.gate import Gate
from orgportal.errors import PortalError
from tests.accounts.cast import NEW_PASSWORD, PASSWORD, a_session, an_account, an_organization, somebody

SOON = 20.0  # seconds after which a test that hangs fails


@pytest.fixture(autouse=True)
def _fresh_gate() -> Iterator[None]:
    gate.gate.cache_clear()
    yield
    gate.gate.cache_clear()


class Crowd:
    """Threads that go through a gate, each holding its slot until it is let go."""

    def __init__(self, gate_: Gate) -> None:
        self.gate = gate_
        self.inside = 0
        self.most = 0
        self.refused: list[PortalError] = []
        self.let_go = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def send(self, number: int) -> None:
        """Let so many more threads arrive."""
        for _ in range(number):
            thread = threading.Thread(target=self._go, daemon=True)
            self._threads.append(thread)
            thread.start()

    def gone(self) -> None:
        """Wait until all have come out."""
        for thread in self._threads:
            thread.join(SOON)
            assert not thread.is_alive()

    def wait_for(self, *, inside: int, waiting: int) -> None:
        """Wait until so many hold a slot and so many queue."""
        deadline = time.monotonic() + SOON
        while (self.inside, self.gate.waiting) != (inside, waiting):
            assert time.monotonic() < deadline, f"{self.inside} inside, {self.gate.waiting} waiting"
            time.sleep(0.001)

    def _go(self) -> None:
        try:
            with self.gate.slot():
                with self._lock:
                    self.inside += 1
                    self.most = max(self.most, self.inside)
                assert self.let_go.wait(SOON)
                with self._lock:
                    self.inside -= 1
        except PortalError as refusal:
            self.refused.append(refusal)


def test_no_more_than_its_slots_are_inside_and_everybody_gets_through() -> None:
    crowd = Crowd(Gate(slots=2, queue=10, patience=SOON))
    crowd.send(8)
    crowd.wait_for(inside=2, waiting=6)
    crowd.let_go.set()
    crowd.gone()
    assert (crowd.most, crowd.refused, crowd.gate.waiting) == (2, [], 0)


def test_whoever_finds_the_queue_full_is_sent_away_at_once() -> None:
    crowd = Crowd(Gate(slots=1, queue=3, patience=SOON))
    crowd.send(4)
    crowd.wait_for(inside=1, waiting=3)
    with pytest.raises(PortalError) as refused, crowd.gate.slot():
        pytest.fail("the queue was full")
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "too_many_logins", 2)
    crowd.let_go.set()
    crowd.gone()
    assert crowd.refused == []


def test_whoever_waits_too_long_is_sent_away_and_leaves_the_queue() -> None:
    crowd = Crowd(Gate(slots=1, queue=3, patience=0.01))
    crowd.send(1)
    crowd.wait_for(inside=1, waiting=0)
    with pytest.raises(PortalError, match="Try again"), crowd.gate.slot():
        pytest.fail("the slot was taken")
    assert crowd.gate.waiting == 0
    crowd.let_go.set()
    crowd.gone()
    with crowd.gate.slot():
        assert crowd.gate.waiting == 0


def test_an_error_inside_gives_the_slot_back() -> None:
    only = Gate(slots=1, queue=1, patience=0.01)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), only.slot():
            raise ZeroDivisionError


def test_the_slots_are_those_of_the_settings(settings: LazySettings) -> None:
    settings.BCRYPT_CONCURRENCY = 3
    assert gate.gate().slots == 3


def test_without_a_setting_a_process_takes_its_share_of_the_cores(settings: LazySettings) -> None:
    settings.BCRYPT_CONCURRENCY, settings.WEB_WORKERS = 0, 1
    whole = gate.gate().slots
    gate.gate.cache_clear()
    settings.WEB_WORKERS = 10_000
    assert whole >= 1
    assert gate.gate().slots == 1


@pytest.mark.parametrize(("threads", "queue"), [(1, 1), (4, 2), (16, 8), (64, 32), (1000, 32)])
def test_those_who_wait_leave_half_of_the_threads_to_others(settings: LazySettings, threads: int, queue: int) -> None:
    settings.WEB_THREADS = threads
    assert gate.gate().queue == queue


def test_one_process_has_one_gate() -> None:
    assert gate.gate() is gate.gate()


def test_every_use_of_a_password_waits_at_the_gate(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BCRYPT_CONCURRENCY, settings.WEB_THREADS = 1, 2
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 0.01)
    an_account("alice@example.org", an_organization("acme"))
    principal = somebody(a_session("alice@example.org"))
    uses: dict[str, Callable[[], object]] = {
        "right": lambda: service.log_in(email="alice@example.org", password=PASSWORD),
        "wrong": lambda: service.log_in(email="alice@example.org", password="wrong"),
        "unknown": lambda: service.log_in(email="nobody@example.org", password=PASSWORD),
        "no address": lambda: service.log_in(email="nobody", password=PASSWORD),
        "no text": lambda: service.log_in(email="alice@example.org", password="\ud800"),
        "new": lambda: service.prepare_account(email="new@example.org", password=PASSWORD),
        "change": lambda: service.change_password(principal=principal, current=PASSWORD, new=NEW_PASSWORD, words=()),
    }
    gate.gate.cache_clear()
    with ExitStack() as busy:
        busy.enter_context(gate.gate().slot())
        for name, use in uses.items():
            with pytest.raises(PortalError) as refused:
                use()
            assert refused.value.code == "too_many_logins", name
    assert uses["right"]()


def test_hashes_in_many_threads_never_exceed_the_slots(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BCRYPT_CONCURRENCY, settings.WEB_THREADS = 2, 64
    running, most, lock, really = 0, 0, threading.Lock(), bcrypt.hashpw

    def watched(password: bytes, salt: bytes) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return really(password, salt)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(bcrypt, "hashpw", watched)
    settings.BCRYPT_ROUNDS = 6
    threads = [threading.Thread(target=passwords.verify, args=(PASSWORD, None)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert 1 <= most <= 2
