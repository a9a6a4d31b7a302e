"""Figures are drawn so that they can be read."""

import pytest

from tenants.figures.drawing import column_figure
from tenants.figures.spread import Bar


def labels(*texts: str) -> list[str]:
    figure = column_figure([Bar(text, 1) for text in texts], str, between=False)
    return [tick.label for tick in figure.columns]


def test_short_labels_stand_below_every_column() -> None:
    assert labels("2021", "2022", "2023", "2024") == ["2021", "2022", "2023", "2024"]


def test_labels_that_would_run_into_each_other_are_thinned_out() -> None:
    months = [f"2024-0{month}" for month in range(1, 7)]
    assert labels(*months) == ["2024-01", "2024-03", "2024-06"]


@pytest.mark.parametrize("number", [1, 2])
def test_few_long_labels_are_shown_once_each(number: int) -> None:
    texts = ["a label too long" * 9 for _ in range(number)]
    assert len(labels(*texts)) == number
