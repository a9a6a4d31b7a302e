"""Timing, and figures that mean something on any machine: ratios against a baseline in the same run."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """One figure in seconds beside the baseline that was measured between it."""

    title: str
    measured: float
    against: str
    baseline: float
    pairs: int
    median_ratio: float | None = None

    @property
    def ratio(self) -> float:
        """The median of the pairs' own ratios where they are known: it stands a load that comes and goes."""
        return self.measured / self.baseline if self.median_ratio is None else self.median_ratio

    def __str__(self) -> str:
        figures = f"{self.measured * 1000:.1f} ms to {self.baseline * 1000:.1f} ms"
        return f"{self.title} / {self.against}: {self.ratio:.2f}  ({figures}, {self.pairs} pairs)"


def seconds_of(work: Work) -> float:
    """How long it takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    title: str, work: Work, against: str, baseline: Work, *, seconds: float, warm_up: int = 1, least: int = 3
) -> Comparison:
    """Medians of both, taken in pairs, now the one first and now the other, so that whatever else the machine does hits
    them alike."""
    for _ in range(warm_up):
        work()
        baseline()
    taken: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while len(taken) < least or time.perf_counter() < until:
        if len(taken) % 2:
            base = seconds_of(baseline)
            taken.append((seconds_of(work), base))
        else:
            taken.append((seconds_of(work), seconds_of(baseline)))
    measured, base = (median(column) for column in zip(*taken, strict=True))
    ratio = median(one / other for one, other in taken)
    return Comparison(title, measured, against, base, len(taken), ratio)


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used so far (Linux): unlike the clock, nearly the same on a busy machine."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


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
