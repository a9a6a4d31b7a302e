"""The order of the tests: none is lost, modules stay together, and each worker begins with what takes long."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from tests import order


class _Test:
    """As much of a collected test as the order looks at."""

    def __init__(self, module: str, number: int) -> None:
        self.path = Path(module)
        self.name = f"{module}::{number}"
        self.fixturenames = ["live_portal"] if module.startswith("portal") and number == 1 else []

    def get_closest_marker(self, name: str) -> object:
        return self.path.name.startswith({"chaos": "longest", "fuzz": "long"}.get(name, "nothing")) or None


def _collected(*modules: tuple[str, int]) -> list[pytest.Item]:
    tests = [_Test(name, number) for name, count in modules for number in range(count)]
    return cast("list[pytest.Item]", tests)


def _modules(tests: Sequence[pytest.Item]) -> list[str]:
    """Their modules, each once a run of it."""
    names = [str(test.path) for test in tests]
    return [name for before, name in zip(["", *names], names, strict=False) if name != before]


MANY = [("short1", 30), ("portal1", 3), ("long1", 5), ("portal2", 2), ("short2", 41), ("portal3", 4), ("longest1", 1)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 200])
def test_every_test_is_there_once_and_long_modules_stay_together(workers: int) -> None:
    tests = _collected(*MANY)

    ordered = order.dealt(tests, workers)

    assert sorted(test.name for test in ordered) == sorted(test.name for test in tests)
    whole = [name for name in _modules(ordered) if not name.startswith("short")]
    assert len(whole) == len(set(whole)) == 5


def test_each_worker_begins_with_long_ones_and_two_have_all_that_needs_a_portal() -> None:
    ordered = order.dealt(_collected(*MANY, ("long2", 2), ("longest2", 2), ("short3", 30)), 4)

    quarter = len(ordered) // 4
    first, second, third, fourth = (ordered[start : start + quarter] for start in range(0, 4 * quarter, quarter))
    assert _modules(first)[:3] == ["portal1", "portal3", "long2"]
    assert _modules(second)[:2] == ["portal2", "long1"]
    assert (_modules(third)[0], _modules(fourth)[0]) == ("longest2", "longest1")
    for stretch in (first, second, third, fourth):
        assert _modules(stretch)[-1].startswith("short")
