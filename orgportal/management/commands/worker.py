"""`manage.py worker`: finishes what outlives a request or a crash."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from django.core.management.base import BaseCommand

from orgportal import database
from tenants.lifecycle import reconcile

log = structlog.get_logger(__name__)

ALL_EVERY_SECONDS = 60.0
DUE_EVERY_SECONDS = 1.0
LONGEST_PAUSE = 30.0


class Command(BaseCommand):
    """The reconciler: everything at the start and each minute, what is due about every second."""

    help = "Run the reconciler until SIGTERM or Ctrl-C. One is enough; more do no harm."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        log.info("worker_started")
        work(stopping)
        database.forget_clients()
        log.info("worker_stopped")


def work(stopping: threading.Event) -> None:
    """Reconcile until `stopping` is set. Whatever goes wrong is logged, and tried again after a pause."""
    all_at = time.monotonic()
    pause = DUE_EVERY_SECONDS
    while not stopping.is_set():
        everything = time.monotonic() >= all_at
        if _succeeds(reconcile.run_all if everything else reconcile.run_due):
            pause = DUE_EVERY_SECONDS
            all_at = time.monotonic() + ALL_EVERY_SECONDS if everything else all_at
        else:
            pause = min(pause * 2, LONGEST_PAUSE)
            all_at = time.monotonic()
        stopping.wait(pause)


def _succeeds(run: Callable[[], int]) -> bool:
    try:
        run()
    except Exception as error:  # the worker outlives every failure of its work
        if database.is_unavailable(error):
            log.warning("database_unavailable", error=type(error).__name__)
        else:
            log.exception("reconcile_failed")
        return False
    return True
