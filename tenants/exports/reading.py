"""Reading ahead: the database looks for the next batch while the last one is written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, the next one fetched in another thread while the caller is busy with one; raises what they do."""
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="export") as pool:
        upcoming = pool.submit(next, items, end)
        while (item := upcoming.result()) is not end:
            upcoming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
