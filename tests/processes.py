"""What the operating system says about processes."""

import os
from pathlib import Path


def _state_and_parent(pid: int | str) -> tuple[str, int]:
    """The letter of a process's state and its parent; X and 0 when it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0
    return state, int(parent)


def is_alive(pid: int) -> bool:
    """Whether the process runs: one that ended but was not waited for does not."""
    return _state_and_parent(pid)[0] not in "ZX"


def descendants(pid: int) -> dict[int, str]:
    """The command lines of all processes that descend from one, by process id."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            state, parent = _state_and_parent(name)
            if state not in "ZX":
                parents.setdefault(parent, []).append(int(name))
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found[child] = command_line(child)
            waiting.append(child)
    return found


def command_line(pid: int) -> str:
    """The words of a process's command line, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill_if_alive(pid: int, signal_number: int) -> None:
    """Send a signal to a process that may have ended already."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return
