"""Secrets of a local portal that rotate while it runs: published first, used after an overlap, kept while needed.

A file in the data folder holds each secret with the time from which it is used and the time until which it is
still accepted. Processes look at the file's state at every use, one `stat`, and so know a new secret long before
anybody uses it.
"""

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

OVERLAP_SECONDS = 600.0


@dataclass(frozen=True)
class Kept:
    """A secret: used from a time on until the next one is, accepted until `kept_until` (None: until it is removed)."""

    value: str = field(repr=False)
    used_from: float
    kept_until: float | None


_seen: dict[Path, tuple[tuple[int, int, int], tuple[Kept, ...]]] = {}
_lock = threading.Lock()


def secrets_in(path: Path) -> tuple[Kept, ...]:
    """What the file holds at this moment, in the order of use; nothing when nothing was ever rotated."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    state = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
    known = _seen.get(path)
    if known is None or known[0] != state:
        kept = tuple(Kept(**one) for one in json.loads(path.read_text(encoding="utf-8")))
        with _lock:
            _seen[path] = known = (state, kept)
    return known[1]


def in_use(kept: tuple[Kept, ...], at: float | None = None) -> str:
    """The secret that is used at that time (default: now)."""
    moment = time.time() if at is None else at
    return [one.value for one in kept if one.used_from <= moment][-1]


def accepted(kept: tuple[Kept, ...], at: float | None = None) -> list[str]:
    """Every other secret that is accepted at that time, the one that is yet to be used included."""
    moment = time.time() if at is None else at
    current = in_use(kept, moment)
    others = [one.value for one in kept if one.kept_until is None or one.kept_until > moment]
    return [value for value in others if value != current]


def rotate(
    path: Path, *, first: Callable[[], str], new: str, overlap: float = OVERLAP_SECONDS, life: float | None
) -> Kept:
    """Add a secret that is used after `overlap` seconds; the one before is accepted for `life` more seconds.

    `first` gives the secret that was there before any rotation; `life` None accepts it until `forget_earlier`.
    Whoever has not begun to be used yet is replaced.
    """
    with _writing(path):
        moment = time.time()
        kept = secrets_in(path) or (Kept(first(), 0.0, None),)
        begun = [one for one in kept if one.used_from <= moment and (one.kept_until is None or one.kept_until > moment)]
        added = Kept(new, moment + overlap, None)
        last = begun[-1]
        leaving = Kept(last.value, last.used_from, None if life is None else added.used_from + life)
        _write(path, [*begun[:-1], leaving, added])
    return added


def forget_earlier(path: Path) -> int:
    """Accept nothing but the secret in use from now on; how many others that ended."""
    with _writing(path):
        kept = secrets_in(path)
        if not kept:
            return 0
        current = in_use(kept)
        _write(path, [one for one in kept if one.value == current])
        return len(kept) - 1


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """One rotation at a time on this machine."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(f".{path.name}.lock").open("w", encoding="utf-8") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _write(path: Path, kept: list[Kept]) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump([asdict(one) for one in kept], file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
