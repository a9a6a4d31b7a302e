"""One owner per data folder: an exclusive lock that the kernel gives back when its holder dies."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK_NAME = "owner.lock"


class AlreadyOwned(Exception):
    """Another live process owns the data folder: `pid`, what it is `doing`, and whether it is a portal
    that runs until somebody stops it (`lasts`) or a command that ends by itself."""

    def __init__(self, data_dir: Path, pid: int, doing: str, lasts: bool) -> None:
        who = f"process {pid} ({doing})" if pid else "a process that is just starting"
        super().__init__(f"{data_dir} is in use by {who}.")
        self.pid = pid
        self.doing = doing
        self.lasts = lasts


def _holder(lock: IO[str]) -> tuple[int, str, bool]:
    lock.seek(0)
    try:
        note = json.loads(lock.read())
        return int(note["pid"]), str(note["doing"]), bool(note["lasts"])
    except (ValueError, KeyError, TypeError):
        return 0, "", False


def _acquire(lock: IO[str], patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)


@contextmanager
def owning(data_dir: Path, doing: str, *, lasts: bool, patience: float = 0.0) -> Iterator[None]:
    """Own the data folder inside; `doing` tells others what for (an address, a command).

    Raises AlreadyOwned when another process has it and keeps it for `patience` seconds. The lock is on
    an open file that no child inherits, so it ends with this process however it ends.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as lock:
        if not _acquire(lock, patience):
            raise AlreadyOwned(data_dir, *_holder(lock))
        lock.seek(0)
        lock.truncate()
        lock.write(json.dumps({"pid": os.getpid(), "doing": doing, "lasts": lasts}))
        lock.flush()
        try:
            yield
        finally:
            lock.seek(0)
            lock.truncate()
