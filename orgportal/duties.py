"""What the worker does, duty by duty, again and again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from accounts.audit import tallies
from accounts.mail.delivery import Delivering
from orgportal import database, secret_keys
from tenants import sizes
from tenants.figures import sampling
from tenants.imports import worker
from tenants.lifecycle import reconcile
from tenants.record_indexes import building
from tenants.rules import checks

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Duty:
    """A piece of work that is looked for every `every` seconds.

    `run` is safe to repeat, to run in several workers at once and to be killed anywhere, and returns soon
    after the event that it is given is set.
    """

    name: str
    run: Callable[[threading.Event], object]
    every: float


def settled(stopping: threading.Event) -> int:
    """Write the refusals of minutes that are over into the audit."""
    return tallies.settle()


class Reconciling:
    """The reconciler: everything at the start and each minute, what is due at every call."""

    ALL_EVERY_SECONDS = 60.0

    def __init__(self) -> None:
        self._all_at = 0.0

    def __call__(self, stopping: threading.Event) -> int:
        everything = time.monotonic() >= self._all_at
        again_at = time.monotonic() + self.ALL_EVERY_SECONDS if everything else self._all_at
        # What a failure leaves undone is looked for in full.
        self._all_at = 0.0
        done = reconcile.run_all() if everything else reconcile.run_due()
        self._all_at = again_at
        return done


DUTIES = (
    Duty("reconcile", Reconciling(), every=1.0),
    Duty("audit", settled, every=5.0),
    Duty("mail", Delivering(), every=1.0),
    Duty("schema checks", checks.run_due, every=1.0),
    Duty("record indexes", building.run_due, every=1.0),
    # Two, so that a long one does not hold up everybody else.
    Duty("imports", worker.run_due, every=1.0),
    Duty("further imports", worker.run_due, every=1.0),
    Duty("figures", sampling.run_due, every=5.0),
    Duty("sizes", sizes.run_due, every=1.0),
)


def work(duty: Duty, stopping: threading.Event) -> None:
    """Do the duty until `stopping` is set. Whatever goes wrong is logged, and tried again after a pause."""
    pause = duty.every
    while not stopping.is_set():
        pause = duty.every if _succeeds(duty, stopping) else min(max(pause, 1.0) * 2, LONGEST_PAUSE)
        stopping.wait(pause)


def _succeeds(duty: Duty, stopping: threading.Event) -> bool:
    try:
        secret_keys.refresh()
        duty.run(stopping)
    except Exception as error:  # the worker outlives every failure of its work
        if database.is_unavailable(error):
            log.warning("database_unavailable", duty=duty.name, error=type(error).__name__)
        else:
            log.exception("duty_failed", duty=duty.name)
        return False
    return True
