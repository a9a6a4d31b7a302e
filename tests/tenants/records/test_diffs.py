"""Differences between two texts, as lines for people."""

import difflib
import random

from tenants.records.diffs import MAX_SHOWN, difference


def shown(theirs: str, mine: str) -> str:
    return "\n".join(f"{line.sign}{line.text}" for line in difference(theirs, mine))


def test_equal_texts_have_no_difference() -> None:
    assert difference("a\nb", "a\nb\n") == []


def test_a_change_is_shown_with_what_stands_around_it() -> None:
    theirs = "\n".join(f"line {number}" for number in range(1, 21))
    mine = theirs.replace("line 10\n", "line ten\n")
    assert shown(theirs, mine).splitlines() == [
        "…6 unchanged lines", " line 7", " line 8", " line 9", "-line 10", "+line ten",
        " line 11", " line 12", " line 13", "…7 unchanged lines",
    ]  # fmt: skip


def test_something_new_and_something_gone() -> None:
    assert shown("{\n}", '{\n  "a": 1\n}') == ' {\n+  "a": 1\n }'
    assert shown('{\n  "a": 1\n}', "{\n}") == ' {\n-  "a": 1\n }'


def test_the_difference_leads_from_one_text_to_the_other() -> None:
    dice = random.Random(3)
    for _ in range(200):
        before = [dice.choice("abc") for _ in range(dice.randrange(12))]
        after = [dice.choice("abc") for _ in range(dice.randrange(12))]
        lines = difference("\n".join(before), "\n".join(after))
        # Only whole runs of unchanged lines may be left out.
        if not any(line.kind == "gap" for line in lines) and lines:
            assert [line.text for line in lines if line.kind != "added"] == before
            assert [line.text for line in lines if line.kind != "removed"] == after
        reference = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
        changed = [line for line in lines if line.kind in {"added", "removed"}]
        assert bool(reference) == bool(changed)


def test_huge_differences_end_in_time_and_are_cut() -> None:
    theirs = "\n".join(f"old {number % 7}" for number in range(40_000))
    mine = "\n".join(f"new {number % 7}" for number in range(40_000))
    lines = difference(theirs, mine)
    assert len(lines) == MAX_SHOWN + 1
    assert lines[-1].text == "78,000 more lines of difference"
