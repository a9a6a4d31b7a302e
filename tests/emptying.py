"""A database made empty as quickly as it can be: before most tests, and between the rounds of some."""

import contextvars
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument
from django.conf import settings
from pymongo import IndexModel, MongoClient, monitoring
from pymongo.database import Database

# Commands after which the one collection that they name may be there, hold something or have other indexes.
SHAPE = {"create", "createIndexes", "drop", "dropIndexes", "collMod"}
WRITE = {"insert", "update", "findAndModify", "delete"} | SHAPE
READ = {"find", "getMore", "killCursors", "count", "distinct", "listIndexes", "listCollections", "dbStats", "collStats"}
UNKNOWN = -1
ELSEWHERE = "tests.written_elsewhere"
# What another process writes is not heard here.
PROCESSES = {ELSEWHERE, "subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}


def empty(database: "Database[Any]", names: Iterable[str] | None = None) -> None:
    """No organization's collection any more, and nothing in the others (all, or those named); their indexes stay."""
    for name in database.list_collection_names() if names is None else names:
        if name.startswith("org_"):
            database.drop_collection(name)
        else:
            database[name].delete_many({})


def written_elsewhere() -> None:
    """To be said by whoever has a process that runs already write to the tests' database."""
    sys.audit(ELSEWHERE)


@dataclass(frozen=True, eq=False)
class Content:
    """What a collection holds: its documents, and the indexes of one that was made."""

    documents: list[RawBSONDocument]
    indexes: list[IndexModel]


class Traces(monitoring.CommandListener):
    """Which collections of one database this process has written to, and what they hold where that is known.

    Most tests write to a few collections of forty, and many begin with what the test before began with. So what
    the database shall hold is only noted at first, and made true when the next command is sent: of the collections
    that were changed and of those that shall hold something else. After anything whose traces cannot be known, such
    as another process, all are taken for written.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._unknown = True
        self._written: set[str] = set()
        self._shaped: set[str] = set()
        self._holds: dict[str, Content] = {}
        # What it shall hold, as long as that was not made true.
        self._due: dict[str, Content] | None = None
        self._making_true = threading.Lock()
        # In their order, each collection that was changed, and "" for what cannot be known.
        self._changes: list[str] = []
        self.times_emptied = 0

    def watch(self) -> None:
        """From now on, for every client that is opened later."""
        # Nobody listens to this one: its commands are none of a test's.
        self._client = MongoClient(settings.MONGODB_URI, connect=False, document_class=RawBSONDocument)
        self._own = self._client[self._database]
        monitoring.register(self)
        sys.addaudithook(self._hear)

    def close(self) -> None:
        """To be called while the server is there: a client says goodbye to it, and waits long for one that is not."""
        self._due = None
        self._client.close()

    def _hear(self, event: str, _: Any) -> None:
        if event in PROCESSES:
            self._make_true()
            self._unknown = True
            self._changes.append("")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._make_true()
        name, command = event.command_name, event.command
        if event.database_name != self._database:
            self._unknown |= name == "renameCollection"
        elif name in WRITE:
            self._written.add(command[name])
            self._shaped |= {command[name]} if name in SHAPE else set()
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
        """Empty what may hold something: all at once, or what was written before the next command is sent."""
        if self._unknown:
            self._due = None
            empty(database)
            self._unknown, self._written, self._shaped, self._holds = False, set(), set(), {}
        else:
            self._due = {}
        self._changes = []
        self.times_emptied += 1

    def learn(self, names: Iterable[str]) -> dict[str, Content]:
        """What these collections hold, which is known from now on."""
        found = {name: self._content_of(name) for name in names}
        self._holds |= found
        self._written -= found.keys()
        self._shaped -= found.keys()
        return found

    def put(self, contents: Mapping[str, Content]) -> None:
        """Have these collections hold what they once held. All that was written since must have been learned."""
        self._due = {**(self._holds if self._due is None else self._due), **contents}

    def _content_of(self, name: str) -> Content:
        indexes = self._own[name].index_information().items() if name.startswith("org_") else ()
        models = [IndexModel(list(index["key"]), name=title) for title, index in indexes if title != "_id_"]
        return Content(list(self._own[name].find()), models)

    def _make_true(self) -> None:
        if self._due is not None:
            with self._making_true:
                if self._due is not None:
                    # Without the deadline of whoever sends the command. What breaks off is unknown.
                    self._unknown = True
                    contextvars.Context().run(self._fill, self._due)
                    self._unknown, self._due = False, None

    def _fill(self, wanted: dict[str, Content]) -> None:
        for name in self._written | self._holds.keys() | wanted.keys():
            if name in self._written or self._holds.get(name) is not wanted.get(name):
                self._fill_one(name, wanted.get(name))
        self._holds, self._written, self._shaped = wanted, set(), set()

    def _fill_one(self, name: str, wanted: Content | None) -> None:
        collection, held = self._own[name], self._holds.get(name)
        has_its_shape = not name.startswith("org_") or (wanted and held is wanted and name not in self._shaped)
        if name in self._written or held:
            collection.delete_many({}) if has_its_shape else collection.drop()
        if wanted and wanted.indexes and not has_its_shape:
            collection.create_indexes(wanted.indexes)
        if wanted and wanted.documents:
            collection.insert_many(wanted.documents)


def _only_reads(command: Any) -> bool:
    return not any(stage.keys() & {"$out", "$merge"} for stage in command["pipeline"])
