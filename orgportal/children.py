"""Processes that the supervisor keeps running."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from django.conf import settings

from orgportal.lifeline import tied

Say = Callable[[str], None]

SHORT_LIFE_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


def reason(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


class Pause:
    """How long to wait before the next start: nothing after a long life, longer after each short one."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def after(self, lived: float) -> float:
        """The pause after a life of so many seconds."""
        short = lived < SHORT_LIFE_SECONDS
        self._seconds = min(max(FIRST_PAUSE, self._seconds * 2), LONGEST_PAUSE) if short else 0.0
        return self._seconds


class Child:
    """A process that shall run until it is stopped.

    It is tied to this process (see `lifeline`) and has a session of its own, so that Ctrl-C in the
    terminal reaches the supervisor alone, which then stops everything in order.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due: float | None = None
        self._pause = Pause()

    def start(self) -> None:
        """Start it."""
        self._due = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - the command line is our own
            tied(self._command), cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, start_new_session=True
        )

    @property
    def ended(self) -> str | None:
        """How it ended, None while it runs."""
        code = self._process.poll() if self._process is not None else 0
        return None if code is None else reason(code)

    def revive(self, say: Say) -> None:
        """Start it again if it ended and its pause is over."""
        if self.ended is None:
            return
        now = time.monotonic()
        if self._due is None:
            self._due = now + self._pause.after(now - self._started_at)
            say(f"The {self.name} ended ({self.ended}) and is started again.")
        if now >= self._due:
            self.start()

    def ask_to_stop(self) -> None:
        """Ask it to end in order."""
        if self._process is not None:
            self._process.terminate()

    def wait_or_kill(self, seconds: float) -> None:
        """Wait until it ended; end it by force when that takes too long."""
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
