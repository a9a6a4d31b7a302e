"""Listens to what the driver sends to the database."""

import threading
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from tests.wire.ears import HANDSHAKE


class Commands(CommandListener):
    """The commands of one thread, while `thread` is set, with the server's replies."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.sent: list[dict[str, Any]] = []
        self.replies: list[str] = []

    def forget(self) -> None:
        """Drop what was heard so far."""
        self.sent.clear()
        self.replies.clear()

    @property
    def names(self) -> list[str]:
        """The names of the commands in their order."""
        return [next(iter(command)) for command in self.sent]

    def started(self, event: CommandStartedEvent) -> None:
        if self._mine(event.command_name):
            self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if self._mine(event.command_name):
            self.replies.append(str(event.reply))

    def failed(self, event: CommandFailedEvent) -> None:
        """Failures are seen by the test itself."""

    def _mine(self, name: str) -> bool:
        return self.thread == threading.get_ident() and name not in HANDSHAKE
