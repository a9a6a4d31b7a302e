"""Two texts line by line: what one has and the other has not. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT = 3
# Beyond so many pairs of lines that differ, comparing them all takes seconds.
MAX_PAIRS = 1_000_000
MAX_SHOWN = 2_000

SAME, REMOVED, ADDED, GAP = "same", "removed", "added", "gap"
_SIGNS = {SAME: " ", REMOVED: "-", ADDED: "+", GAP: "…"}


@dataclass(frozen=True)
class Line:
    """One line of a difference; `kind` is same, removed, added or gap, whose text says how much is left out."""

    kind: str
    text: str

    @property
    def sign(self) -> str:
        return _SIGNS[self.kind]


def difference(theirs: str, mine: str) -> list[Line]:
    """What changes when `theirs` is replaced by `mine`, with three lines around each change; empty when nothing does.

    At most 2,000 lines. Texts that differ nearly everywhere are shown as one removed and one added block.
    """
    before, after = theirs.splitlines(), mine.splitlines()
    if before == after:
        return []
    head, tail = _shared_ends(before, after)
    middle = _changes(before[head : len(before) - tail], after[head : len(after) - tail])
    lines = [*_kept(before[:head]), *middle, *_kept(before[len(before) - tail :])]
    return _bounded(list(_with_gaps(lines)))


def _shared_ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return head, tail


def _changes(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    if len(before) * len(after) > MAX_PAIRS:
        return [*(Line(REMOVED, text) for text in before), *(Line(ADDED, text) for text in after)]
    lines: list[Line] = []
    for tag, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += _kept(before[start:end])
        else:
            lines += [Line(REMOVED, text) for text in before[start:end]]
            lines += [Line(ADDED, text) for text in after[new_start:new_end]]
    return lines


def _kept(lines: Sequence[str]) -> list[Line]:
    return [Line(SAME, text) for text in lines]


def _with_gaps(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines, with runs of unchanged ones cut down to what stands around a change."""
    changed = [number for number, line in enumerate(lines) if line.kind != SAME]
    near = {at for number in changed for at in range(number - CONTEXT, number + CONTEXT + 1)}
    left_out = 0
    for number, line in enumerate(lines):
        if number in near:
            if left_out:
                yield _gap(left_out)
            left_out = 0
            yield line
        else:
            left_out += 1
    if left_out:
        yield _gap(left_out)


def _gap(count: int) -> Line:
    return Line(GAP, f"{count:,} unchanged line{'' if count == 1 else 's'}")


def _bounded(lines: list[Line]) -> list[Line]:
    if len(lines) <= MAX_SHOWN:
        return lines
    return [*lines[:MAX_SHOWN], Line(GAP, f"{len(lines) - MAX_SHOWN:,} more lines of difference")]
