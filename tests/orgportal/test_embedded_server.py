"""The embedded database's sweeper lets go of what it read: nothing is kept from being forgotten until its next time."""

import pytest

from orgportal.embedded_server import without_a_standing_cursor


class _Storage:
    def __init__(self) -> None:
        self.let_go = 0

    def release_thread_snapshot(self) -> None:
        self.let_go += 1


def test_it_lets_go_after_each_sweep_and_says_what_that_said() -> None:
    storage = _Storage()
    sweep = without_a_standing_cursor(lambda storage, *, now: int(now))

    assert sweep(storage, now=7) == 7
    assert storage.let_go == 1


def test_it_lets_go_after_a_sweep_that_failed() -> None:
    def failing(storage: object) -> int:
        raise OSError("disk")

    storage = _Storage()

    with pytest.raises(OSError, match="disk"):
        without_a_standing_cursor(failing)(storage)
    assert storage.let_go == 1
