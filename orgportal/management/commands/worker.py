"""`manage.py worker`: finishes what outlives a request or a crash."""

import signal
import threading
from types import FrameType
from typing import Any

import structlog

from orgportal import database
from orgportal.duties import DUTIES, work
from orgportal.management.base import PortalCommand

log = structlog.get_logger(__name__)


class Command(PortalCommand):
    """Every duty in a thread of its own, so that a long one holds no other up."""

    help = "Do what outlives a request until SIGTERM or Ctrl-C. One is enough; more do no harm."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        log.info("worker_started")
        threads = [threading.Thread(target=work, args=(duty, stopping), name=duty.name) for duty in DUTIES]
        for thread in threads:
            thread.start()
        for thread in threads:
            # A join without end would keep the signals' handlers from running.
            while thread.is_alive():
                thread.join(0.2)
        database.forget_clients()
        log.info("worker_stopped")
