"""A database made empty as quickly as it can be: before most tests, and between the rounds of some."""

import sys
from collections.abc import Iterable
from typing import Any

from pymongo import monitoring
from pymongo.database import Database

# Commands after which the one collection that they name may hold something, or be there at all.
FILL = {"insert", "update", "findAndModify", "create", "createIndexes"}
REMOVE = {"delete", "drop", "dropIndexes", "collMod"}
READ = {"find", "getMore", "killCursors", "count", "distinct", "listIndexes", "listCollections", "dbStats", "collStats"}
UNKNOWN = -1
# What another process writes is not heard here.
PROCESSES = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}


def empty(database: "Database[Any]", names: Iterable[str] | None = None) -> None:
    """No organization's collection any more, and nothing in the others (all, or those named); their indexes stay."""
    for name in database.list_collection_names() if names is None else names:
        if name.startswith("org_"):
            database.drop_collection(name)
        else:
            database[name].delete_many({})


class Traces(monitoring.CommandListener):
    """Which collections of one database this process has written to since they were last removed.

    Most tests write to a few collections of forty; emptying all of them takes longer than many a test. After
    anything whose traces cannot be known, such as another process, all are taken for written.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._written: set[str] = set()
        self._unknown = True
        # In their order, each collection that was changed, and "" for what cannot be known.
        self._changes: list[str] = []

    def watch(self) -> None:
        """From now on, for every client that is opened later."""
        monitoring.register(self)
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: Any) -> None:
        if event in PROCESSES:
            self._unknown = True
            self._changes.append("")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        name, command = event.command_name, event.command
        if event.database_name != self._database:
            self._unknown |= name == "renameCollection"
        elif name in FILL:
            self._written.add(command[name])
            self._changes.append(command[name])
        elif name in REMOVE:
            self._changes.append(command[name])
        elif name not in READ and not (name == "aggregate" and _only_reads(command)):
            self._unknown = True
            self._changes.append("")

    def changes_since_emptied(self) -> int:
        """How many commands have changed something since all was removed, or UNKNOWN."""
        return UNKNOWN if self._unknown else len(self._changes)

    def changed_after(self, count: int) -> set[str]:
        """The collections that were changed since there were so many changes."""
        return set(self._changes[count:])

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    def remove(self, database: "Database[Any]") -> None:
        """Empty what may hold something."""
        unknown, written = self._unknown, self._written
        self._unknown, self._written = False, set()
        empty(database, None if unknown else sorted(written))
        self._changes = []


def _only_reads(command: Any) -> bool:
    return not any(stage.keys() & {"$out", "$merge"} for stage in command["pipeline"])
