"""Watches the embedded database and starts it again when it ended, is silent, or only errs."""

import threading
import time

from orgportal.children import Pause, Say
from orgportal.embedded import CannotStart, EmbeddedDatabase

FAILURES = 3


class Watchdog:
    """Probes in a thread of its own; `tend`, called from the main thread, acts on what it found.

    Only the main thread may start the server, since the server lives no longer than the thread that started it.
    """

    def __init__(self, server: EmbeddedDatabase, say: Say, *, every: float = 2.0, patience: float = 5.0) -> None:
        """Probe `every` so many seconds; a probe fails when there is no answer for `patience` seconds."""
        self._every = every
        self._patience = patience
        self._server = server
        self._say = say
        self._failures = 0
        self._stopping = threading.Event()
        self._started_at = time.monotonic()
        self._due: float | None = None
        self._pause = Pause()
        self._thread = threading.Thread(target=self._probe, name="database-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def stop(self) -> None:
        """End the probing."""
        self._stopping.set()
        self._thread.join(2 * self._patience)

    def _probe(self) -> None:
        while not self._stopping.wait(self._every):
            self._failures = 0 if self._server.answers(seconds=self._patience) else self._failures + 1

    def tend(self) -> None:
        """Start the server again if that is needed and its pause is over."""
        ended = self._server.pid is None
        if not ended and self._failures < FAILURES:
            return
        now = time.monotonic()
        if self._due is None:
            self._due = now + self._pause.after(now - self._started_at)
            what = "ended" if ended else f"failed {FAILURES} probes"
            self._say(f"The embedded database {what} and is started again.")
        if now >= self._due:
            self._restart()

    def _restart(self) -> None:
        self._server.kill()
        self._due = None
        self._started_at = time.monotonic()
        try:
            self._server.start()
        except CannotStart as error:
            self._say(str(error))
        self._failures = 0
