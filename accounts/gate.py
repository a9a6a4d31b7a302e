"""How many password hashes may run at once, so that logins cannot starve everything else."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.conf import settings

from orgportal.errors import PortalError

PATIENCE_SECONDS = 2.0
LONGEST_QUEUE = 32


class Gate:
    """At most `slots` inside, at most `queue` waiting, none longer than `patience` seconds."""

    def __init__(self, *, slots: int, queue: int, patience: float) -> None:
        self.slots = slots
        self.queue = queue
        self.patience = patience
        self._free = threading.Semaphore(slots)
        self._counting = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many threads wait to get in at this moment."""
        return self._waiting

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one slot. Raises PortalError 429 `too_many_logins` when the queue is full or too slow."""
        if not self._free.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._free.release()

    def _wait(self) -> None:
        with self._counting:
            if self._waiting >= self.queue:
                raise _too_many()
            self._waiting += 1
        try:
            if not self._free.acquire(timeout=self.patience):
                raise _too_many()
        finally:
            with self._counting:
                self._waiting -= 1


def _too_many() -> PortalError:
    return PortalError(
        "too_many_logins", 429, "Too many people are logging in at this moment. Try again shortly.", retry_after=2
    )


@lru_cache(maxsize=1)
def gate() -> Gate:
    """This process's gate, with `slots` places.

    The queue takes no more than half of the process's threads: the others stay free for requests that
    need no password.
    """
    return Gate(slots=slots(), queue=max(1, min(LONGEST_QUEUE, settings.WEB_THREADS // 2)), patience=PATIENCE_SECONDS)


def slots() -> int:
    """How many hashes run at once: BCRYPT_CONCURRENCY, or this process's share of the cores.

    On a machine with many cores the share ends at half of the process's threads, for the same reason as the queue.
    """
    share = min(_cores() // settings.WEB_WORKERS, settings.WEB_THREADS // 2)
    return int(settings.BCRYPT_CONCURRENCY) or max(1, share)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells which cores a process may use
        return os.cpu_count() or 1
