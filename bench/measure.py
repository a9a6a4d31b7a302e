"""Timing, and figures that mean something on any machine: ratios against a baseline in the same run."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """One figure in seconds beside the baseline that was measured between it."""

    title: str
    measured: float
    against: str
    baseline: float
    rounds: int

    def __str__(self) -> str:
        ratio = self.measured / self.baseline
        figures = f"{self.measured * 1000:.1f} ms to {self.baseline * 1000:.1f} ms"
        return f"{self.title} / {self.against}: {ratio:.2f}  ({figures}, {self.rounds} rounds)"


def seconds_of(work: Work) -> float:
    """How long it takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    title: str, work: Work, against: str, baseline: Work, *, seconds: float, warm_up: int = 1, least: int = 3
) -> Comparison:
    """Medians of both, taken in turns so that whatever else the machine does hits them alike."""
    for _ in range(warm_up):
        work()
        baseline()
    taken: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while len(taken) < least or time.perf_counter() < until:
        taken.append((seconds_of(work), seconds_of(baseline)))
    measured, base = (median(column) for column in zip(*taken, strict=True))
    return Comparison(title, measured, against, base, len(taken))


def latencies(makers: Sequence[Callable[[], Work]], *, seconds: float) -> list[list[float]]:
    """For each maker the times of what it made, repeated in a thread of its own for so long, all at once."""
    until = time.perf_counter() + seconds

    def repeat(make: Callable[[], Work]) -> list[float]:
        work, taken = make(), []
        while time.perf_counter() < until:
            taken.append(seconds_of(work))
        return taken

    with ThreadPoolExecutor(len(makers)) as pool:
        return list(pool.map(repeat, makers))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
