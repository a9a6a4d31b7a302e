"""Ties a process to its parent: when the parent dies, even by kill -9, the process dies too.

As a program: `python lifeline.py PARENT_PID COMMAND [ARGUMENT…]` becomes COMMAND after tying itself to
PARENT_PID, so that there is no moment in which it could be left behind. Imports nothing of Django.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends.

    Exits at once when `parent` is gone already. Where the kernel cannot (not Linux), nothing is tied.
    The tie survives exec (prctl(2)), and it is to the parent's *thread*: start children from one that lives on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def tied(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` tied to the calling process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command line is our own
