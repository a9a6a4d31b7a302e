"""Which tests each of xdist's workers begins with.

`--dist=worksteal` gives each worker an equal stretch of the list, and lets whoever is done take from the end of
another's. So a stretch begins with what takes long, that nobody waits for one test at the end of the run. Two workers
have all that needs a portal and a browser, which take seconds to start.
"""

import itertools
from collections.abc import Sequence

import pytest

WITH_PORTAL = 2


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests, those of a module still together, as stretches for so many workers."""
    kinds: dict[str, list[list[pytest.Item]]] = {"portal": [], "longest": [], "long": [], "short": []}
    for _, module in itertools.groupby(items, lambda item: item.path):
        tests = list(module)
        kinds[_kind(tests)].append(tests)
    stretches: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for turn, tests in enumerate(kinds["portal"]):
        stretches[turn % min(WITH_PORTAL, workers)] += tests
    for turn, tests in enumerate(kinds["longest"] + kinds["long"]):
        stretches[-1 - turn % workers] += tests
    short = list(itertools.chain.from_iterable(kinds["short"]))
    remaining = len(items)
    for index, stretch in enumerate(stretches):
        # As xdist divides what is left among the workers that are left.
        wanted = max(0, remaining // (workers - index) - len(stretch))
        stretch.extend(short[:wanted])
        del short[:wanted]
        remaining -= len(stretch)
    return list(itertools.chain.from_iterable([*stretches, short]))


def _kind(tests: Sequence[pytest.Item]) -> str:
    if any(_needs_portal(test) for test in tests):
        return "portal"
    if _is_marked(tests, "chaos"):
        return "longest"
    return "long" if _is_marked(tests, "fuzz", "shortened") else "short"


def _needs_portal(test: pytest.Item) -> bool:
    return "live_portal" in getattr(test, "fixturenames", ())


def _is_marked(tests: Sequence[pytest.Item], *names: str) -> bool:
    return any(test.get_closest_marker(name) for test in tests for name in names)
