"""What many tests begin with, done once: signing up, logging in.

Done on an emptied database it leaves the same documents every time. So the first times are real, through the portal,
and what the second one wrote is kept; later the documents are put there, which takes a third of the time. Anything
else that was written in between, or a setting that a test has changed, and it is real again.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import UserSettingsHolder, settings
from pymongo import IndexModel

from orgportal import database
from tests.emptying import UNKNOWN, Traces

Result = TypeVar("Result")
# Tests look at how long ago something was. Those with the same beginning come one after the other.
GOOD_FOR_SECONDS = 8.0
EMPTIED = "emptied"


@dataclass(frozen=True)
class _Written:
    """A collection as it was left: its documents, and the indexes of one that was made."""

    documents: list[dict[str, Any]]
    indexes: list[IndexModel]


@dataclass(frozen=True, eq=False)
class _Memory:
    result: Any
    collections: dict[str, _Written]
    made_at: float


class Memories:
    """What was done since the database was emptied, as long as it is all known, and what each such thing leaves."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._met: set[tuple[object, object]] = set()
        self._made: dict[tuple[object, object], _Memory] = {}
        self._moment: object = EMPTIED
        self._before: set[str] = set()
        self._seen = UNKNOWN

    def recall(self, key: object, make: Callable[[], Result]) -> Result:
        """What `make` gives, and all that it writes. Equal keys mean the same, after the same before it."""
        if not self._is_known():
            return make()
        step = (self._moment, key)
        known = self._traces.changes_since_emptied()
        memory = self._made.get(step)
        if memory is not None and time.monotonic() - memory.made_at < GOOD_FOR_SECONDS:
            self._put_back(memory)
            result: Result = copy.deepcopy(memory.result)
        else:
            result = make()
            memory = None
            if step in self._met:
                memory = self._made[step] = self._learned(result, self._traces.changed_after(known))
            self._met.add(step)
        # What comes next is the same again only if it comes after the same documents.
        self._moment = memory or object()
        self._before |= self._traces.changed_after(known)
        self._seen = self._traces.changes_since_emptied()
        return result

    def _is_known(self) -> bool:
        """Whether all that is in the database was done here, with the settings that all tests have."""
        changes = self._traces.changes_since_emptied()
        if changes == 0:
            self._moment, self._before = EMPTIED, set()
        elif changes == UNKNOWN or changes != self._seen:
            return False
        # What threads write at once cannot be told apart.
        alone = threading.current_thread() is threading.main_thread()
        return alone and not isinstance(settings._wrapped, UserSettingsHolder)

    def _learned(self, result: object, names: Iterable[str]) -> _Memory:
        return _Memory(copy.deepcopy(result), {name: self._look_at(name) for name in names}, time.monotonic())

    def _look_at(self, name: str) -> _Written:
        collection = database.master()[name]
        indexes = _indexes_of(name) if name.startswith("org_") else []
        return _Written(list(collection.find()), indexes)

    def _put_back(self, memory: _Memory) -> None:
        for name, written in memory.collections.items():
            collection = database.master()[name]
            if written.indexes and name not in self._before:
                collection.create_indexes(written.indexes)
            if name in self._before:
                collection.delete_many({})
            if written.documents:
                collection.insert_many(copy.deepcopy(written.documents))


def _indexes_of(name: str) -> list[IndexModel]:
    found = database.master()[name].index_information().items()
    return [IndexModel(list(index["key"]), name=title) for title, index in found if title != "_id_"]


_memories: Memories | None = None


def watch(traces: Traces) -> None:
    """From now on, in this process."""
    global _memories  # noqa: PLW0603
    _memories = Memories(traces)


def recall(key: Sequence[object], make: Callable[[], Result]) -> Result:
    """What `make` gives and writes, remembered where that is possible."""
    return make() if _memories is None else _memories.recall(tuple(key), make)
