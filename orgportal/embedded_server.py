"""The embedded database's own process: SecantusDB as its command starts it, without one fault of its sweeper.

Once a minute a thread of it removes what has expired. Then it waited for the next time with a cursor left standing, and
WiredTiger keeps every version of a document that a standing cursor might still read. So whatever was changed or deleted
was walked over by all reads for up to a minute: where much is deleted they took three to seven times as long.
Imports nothing of the portal, and is started by its path: `python -I embedded_server.py OPTION…`.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from secantus.cli import main
from secantus.storage import Storage


def without_a_standing_cursor(sweep: Callable[..., int]) -> Callable[..., int]:
    """The same sweep, after which its thread keeps nothing from being forgotten, also where it fails."""

    @wraps(sweep)
    def and_let_go(storage: Any, **options: Any) -> int:
        try:
            return sweep(storage, **options)
        finally:
            storage.release_thread_snapshot()

    return and_let_go


def run() -> int:
    """Be the server that the options of the command line describe, until a signal ends it."""
    Storage.prune_ttl_all_collections = without_a_standing_cursor(Storage.prune_ttl_all_collections)
    return int(main())


if __name__ == "__main__":
    sys.exit(run())
