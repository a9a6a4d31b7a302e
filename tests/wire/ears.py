"""What the driver sends to the database on behalf of one call, and whether that grows."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from orgportal import database

# Of a connection, not of a call.
HANDSHAKE = {"hello", "buildInfo", "ismaster", "isMaster", "saslStart", "saslContinue", "ping", "endSessions"}


@dataclass
class Heard:
    """The commands of one call in their order, and how many documents came back."""

    commands: list[dict[str, Any]] = field(default_factory=list)
    documents: int = 0

    @property
    def names(self) -> list[str]:
        """`find accounts`, `aggregate sessions` …"""
        return [f"{name} {command[name]}" for command in self.commands for name in [next(iter(command))]]


class Ear(CommandListener):
    """Hears the thread that it is told to, else nothing."""

    def __init__(self) -> None:
        self._thread: int | None = None
        self._heard = Heard()

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """What this thread sends inside the block."""
        self._heard, self._thread = Heard(), threading.get_ident()
        try:
            yield self._heard
        finally:
            self._thread = None

    def _mine(self, name: str) -> bool:
        return self._thread == threading.get_ident() and name not in HANDSHAKE

    def started(self, event: CommandStartedEvent) -> None:
        if self._mine(event.command_name):
            self._heard.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if self._mine(event.command_name):
            cursor = event.reply.get("cursor", {})
            self._heard.documents += len(cursor.get("firstBatch", cursor.get("nextBatch", [])))

    def failed(self, event: CommandFailedEvent) -> None:
        """A refused command was sent all the same."""


# One for all tests: whoever is registered stays registered.
EAR = Ear()


def reads_whole_collection(command: Mapping[str, Any]) -> bool:
    """Whether a command's work grows with its collection.

    It does not where a filter pins `_id` or the first field of an index: to a value, to some (`$in`), or to a
    range with both ends. The embedded database scans for anything else, whatever its `explain` says (measured);
    a join is bounded by `_id` alone.
    """
    name = next(iter(command))
    joins = [stage["$lookup"] for stage in command.get("pipeline", []) if "$lookup" in stage]
    unbounded_join = any(join.get("foreignField") != "_id" or "pipeline" in join for join in joins)
    filters = _filters(command)
    if not filters:
        return unbounded_join
    indexed = {info["key"][0][0] for info in database.collection(command[name]).index_information().values()}
    return unbounded_join or any(not any(_pins(each.get(field)) for field in indexed) for each in filters)


def _filters(command: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    name = next(iter(command))
    if name == "find":
        return [command.get("filter", {})]
    if name == "aggregate" and "$collStats" not in command["pipeline"][0]:
        return [command["pipeline"][0].get("$match", {})]
    return [one["q"] for one in command.get({"update": "updates", "delete": "deletes"}.get(name, ""), [])]


def _pins(condition: object) -> bool:
    if not isinstance(condition, Mapping):
        return condition is not None
    return bool({"$eq", "$in"} & set(condition)) or {"$gte", "$lte"} <= set(condition)
