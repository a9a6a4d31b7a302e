"""Runs one lifecycle operation in a process that dies at a chosen database command.

A process of its own, single-threaded and without a client, so that it can fork for every try: starting
Python and Django afresh each time would take ten times as long. Speaks JSON lines: a request in, the fate of
the forked child out.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import django
from pymongo import monitoring

SECONDS = 30.0
SECONDS_WITHOUT_DATABASE = 2.0
# What the driver says by itself, and the question which database this is, belong to no step of ours.
IGNORED = frozenset(
    {"hello", "buildInfo", "ismaster", "ping", "saslStart", "saslContinue", "endSessions", "killCursors"}
)


class Executioner(monitoring.CommandListener):
    """Counts the commands once armed, and kills before or after the chosen one."""

    def __init__(self) -> None:
        self.armed = False
        self.count = 0
        self.victim = 0
        self.command = 0
        self.when = "before"

    def arm(self, *, command: int, when: str, victim: int) -> None:
        """Kill process `victim` before or after the `command`-th command from now (the first is 1)."""
        self.command, self.when, self.victim, self.armed = command, when, victim, True

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.armed and event.command_name not in IGNORED:
            self.count += 1
            if self.when == "before" and self.count == self.command:
                self._kill()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._answered(event)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._answered(event)

    def _answered(self, event: monitoring.CommandSucceededEvent | monitoring.CommandFailedEvent) -> None:
        if self.armed and event.command_name not in IGNORED and self.when == "after" and self.count == self.command:
            self._kill()

    def _kill(self) -> None:
        self.armed = False
        os.kill(self.victim, signal.SIGKILL)
        if self.victim != os.getpid():
            # The database is gone when its process is: wait, so that the next command meets nobody.
            deadline = time.monotonic() + 10
            while os.path.exists(f"/proc/{self.victim}/stat") and time.monotonic() < deadline:
                with open(f"/proc/{self.victim}/stat", encoding="ascii") as status:
                    if status.read().rpartition(")")[2].split()[0] == "Z":
                        return
                time.sleep(0.005)


def perform(request: Mapping[str, Any], executioner: Executioner) -> None:
    """The operation, from the moment on that its input is there."""
    from orgportal import database
    from tenants import service
    from tests.wire.people import access_of

    if request.get("renames_natively"):
        database.copies_on_rename = lambda cluster: False  # type: ignore[assignment]
    victim = request["victim"] or os.getpid()
    arm = {"command": request["command"], "when": request["when"], "victim": victim}
    if request["operation"] == "sign_up":
        executioner.arm(**arm)
        service.sign_up(**request["input"])
        return
    access = access_of(request["email"])
    executioner.arm(**arm)
    if request["operation"] == "rename":
        service.update(access=access, **request["input"])
    else:
        service.delete(access=access)


def run_forked(request: Mapping[str, Any], executioner: Executioner) -> str:
    """What became of the operation: "killed", "finished", or the error that it ended with."""
    from orgportal import database

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        fate = "finished"
        try:
            # As a request has it: without a database it gives up instead of waiting for one.
            with database.deadline(SECONDS_WITHOUT_DATABASE if request["victim"] else SECONDS):
                perform(request, executioner)
        except BaseException as error:
            fate = type(error).__name__ + ": " + str(getattr(error, "code", error))
        os.write(writing, json.dumps([fate, executioner.count, not executioner.armed]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return json.dumps({"fate": "killed", "triggered": True})
    fate, count, triggered = json.loads(said)
    return json.dumps({"fate": fate, "commands": count, "triggered": triggered})


def main() -> None:
    django.setup()
    executioner = Executioner()
    monitoring.register(executioner)
    # Everything that a request would find imported.
    import tests.wire.people  # noqa: F401

    for line in sys.stdin:
        answer = run_forked(json.loads(line), executioner)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
