"""The benchmarks' arithmetic, and that each of them still runs."""

import threading

import pytest

from bench import measure


def test_a_comparison_is_a_ratio_of_what_was_measured_to_its_baseline() -> None:
    shown = str(measure.Comparison("a read", 0.006, "a ping", 0.004, 50))
    assert shown == "a read / a ping: 1.50  (6.0 ms to 4.0 ms, 50 pairs)"


def test_both_are_run_in_turns_and_as_often() -> None:
    calls: list[str] = []
    result = measure.compare(
        "a", lambda: calls.append("a"), "b", lambda: calls.append("b"), seconds=0, warm_up=2, least=5
    )
    # Each goes first in turn, once they are warm.
    assert "".join(calls) == "abab" + "abbaabbaab"
    assert result.pairs == 5


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert measure.percentile(list(range(100, 0, -1)), share) == value


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert measure.percentile([0.25], 0.99) == 0.25


def test_all_clients_run_at_once_each_in_a_thread_of_its_own() -> None:
    together = threading.Barrier(3)
    threads: set[int] = set()

    def make() -> measure.Work:
        together.wait(timeout=30)
        threads.add(threading.get_ident())
        return lambda: None

    found = measure.latencies([make] * 3, seconds=0.01)
    assert len(threads) == len(found) == 3


def test_what_fails_in_a_benchmark_fails_the_benchmark() -> None:
    def make() -> measure.Work:
        return lambda: 1 / 0

    with pytest.raises(ZeroDivisionError):
        measure.latencies([make], seconds=1)
