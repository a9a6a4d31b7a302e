"""What many tests begin with, done once: signing up, logging in.

Done on an emptied database it leaves the same documents every time. So the first time is real, through the portal,
and what it wrote is kept; later the documents are put there, which takes a third of the time. Anything
else that was written in between, or a setting that a test has changed, and it is real again.
"""

import copy
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import UserSettingsHolder, settings

from tests.emptying import UNKNOWN, Content, Traces

Result = TypeVar("Result")
# Tests look at how long ago something was. Those with the same beginning come one after the other.
GOOD_FOR_SECONDS = 8.0
EMPTIED = "emptied"
# Where files of mail are put says nothing of what is in the database.
NOT_OF_THE_DATABASE = {"DATA_DIR"}


@dataclass(frozen=True, eq=False)
class _Memory:
    result: Any
    contents: dict[str, Content]
    made_at: float


class Memories:
    """What was done since the database was emptied, as long as it is all known, and what each such thing leaves."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._made: dict[tuple[object, object], _Memory] = {}
        self._moment: object = EMPTIED
        self._times_emptied = 0
        self._seen = UNKNOWN

    def recall(self, key: object, make: Callable[[], Result]) -> Result:
        """What `make` gives, and all that it writes. Equal keys mean the same, after the same before it."""
        if not self._is_known():
            return make()
        step = (self._moment, key)
        memory = self._made.get(step)
        if memory is not None and time.monotonic() - memory.made_at < GOOD_FOR_SECONDS:
            self._traces.put(memory.contents)
            result: Result = copy.deepcopy(memory.result)
        else:
            # What it may recall itself is part of it.
            before, self._seen = self._seen, UNKNOWN
            result = make()
            memory = None
            if self._traces.changes_since_emptied() != UNKNOWN:
                contents = self._traces.learn(self._traces.changed_after(before))
                memory = self._made[step] = _Memory(copy.deepcopy(result), contents, time.monotonic())
        # What comes next is the same again only if it comes after the same documents.
        self._moment = memory or object()
        self._seen = self._traces.changes_since_emptied()
        return result

    def _is_known(self) -> bool:
        """Whether all that is in the database was done here, with the settings that all tests have."""
        if self._times_emptied != self._traces.times_emptied:
            self._times_emptied, self._moment, self._seen = self._traces.times_emptied, EMPTIED, 0
        if self._traces.changes_since_emptied() != self._seen or self._seen == UNKNOWN:
            return False
        # What threads write at once cannot be told apart.
        alone = threading.current_thread() is threading.main_thread()
        return alone and _changed_settings() <= NOT_OF_THE_DATABASE


def _changed_settings() -> set[str]:
    names: set[str] = set()
    layer: Any = settings._wrapped
    while isinstance(layer, UserSettingsHolder):
        names |= {name for name in vars(layer) if name.isupper()} | layer._deleted
        layer = layer.default_settings
    return names


_memories: Memories | None = None


def watch(traces: Traces) -> None:
    """From now on, in this process."""
    global _memories  # noqa: PLW0603
    _memories = Memories(traces)


def recall(key: Sequence[object], make: Callable[[], Result]) -> Result:
    """What `make` gives and writes, remembered where that is possible."""
    return make() if _memories is None else _memories.recall(tuple(key), make)
