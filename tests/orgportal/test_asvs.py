"""The table of ASVS 5.0 in the documents: complete, counted right, and everything that it names exists."""

import ast
import re
from collections import Counter
from itertools import groupby

import pytest

from tests.portals import ROOT

TEXT = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]
STATES = {"met", "does not apply", "operator", "partly", "missed"}
# How many requirements of levels 1 and 2 each section of the standard (5.0.0) has.
SECTIONS = """
    1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4
    5.1:1 5.2:3 5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 8.1:2
    8.2:3 8.3:1 8.4:1 9.1:3 9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 11.4:4
    11.5:1 11.6:1 12.1:3 12.2:2 12.3:4 13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7
    16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2
"""
NAME = re.compile(r"`((?:[\w.-]+/)+[\w.-]+(?:::\w+)?)`")
NAMED = sorted({name for row in ROWS for cell in row[4:] for name in NAME.findall(cell)})


def test_every_requirement_of_levels_1_and_2_has_its_line_once_and_in_order() -> None:
    ids = [tuple(map(int, row[0].split("."))) for row in ROWS]
    assert ids == sorted(set(ids))
    expected = {name: int(count) for name, _, count in (word.partition(":") for word in SECTIONS.split())}
    assert {f"{a}.{b}": len(list(rows)) for (a, b), rows in groupby(ids, lambda one: one[:2])} == expected
    assert {row[1] for row in ROWS} == {"1", "2"}


def test_every_line_says_how_it_stands_and_why() -> None:
    for number, _, short, state, where, shown in ROWS:
        assert state in STATES, number
        assert short, number
        assert where, number
        assert state != "met" or shown or number in {"1.4.1", "6.4.2"}, f"{number} is met, and no test shows it"


def test_the_summary_counts_right() -> None:
    counts = Counter(row[3] for row in ROWS)
    said = " ".join(TEXT.partition("\n## ")[0].split())
    expected = (
        f"Of {len(ROWS)} requirements {counts['met']} are met, {counts['does not apply']} do not apply, "
        f"{counts['operator']} are met by whoever runs the portal (it can only help), "
        f"{counts['partly']} are met in part, and {counts['missed']} are missed."
    )
    assert expected in said
    for state, word in (("missed", "Missed:"), ("partly", "In part:")):
        listed = said.partition(word)[2].partition("In part:")[0]
        assert all(row[0] in listed for row in ROWS if row[3] == state)


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).exists() or any(ROOT.glob(f"*/{path}")), name
    if function:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, name


def test_tests_and_modules_are_named() -> None:
    assert sum(name.startswith("tests/") for name in NAMED) > 50
    assert sum(not name.startswith("tests/") for name in NAMED) > 50
