"""The table of settings, which the README shows and `manage.py settings` makes."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from orgportal.env import VARIABLES
from orgportal.management.commands.settings import BEGIN, END, table, with_table


def test_the_table_has_a_row_for_every_variable() -> None:
    output = StringIO()

    call_command("settings", stdout=output)

    rows = output.getvalue().splitlines()
    assert rows[:2] == ["| variable | type | default | what it does |", "|---|---|---|---|"]
    assert [row.split("`")[1] for row in rows[2:]] == [variable.name for variable in VARIABLES]
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


@pytest.mark.parametrize(
    "row",
    [
        "| `PORT` | number | `8000` | ",
        "| `DEBUG` | true/false | `false` | ",
        "| `TRUSTED_PROXIES` | number | `0` | ",
        "| `DATABASE_DEADLINE` | seconds | `4.5` | ",
        "| `REFRESH_ABSOLUTE_SECONDS` | seconds | `2592000` | ",
        "| `SECRET_KEY` | text |  | ",
        "| `CLUSTERS` | JSON object |  | ",
        "| `ALLOWED_HOSTS` | list |  | ",
    ],
)
def test_a_default_is_written_as_one_would_set_it(row: str) -> None:
    assert row in table()


def test_the_readme_shows_the_present_table() -> None:
    call_command("settings", "--check-readme")


def test_an_old_table_is_told_and_written_anew(tmp_path: Path, settings: Settings) -> None:
    settings.BASE_DIR = tmp_path
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    with pytest.raises(CommandError, match="settings --write-readme"):
        call_command("settings", "--check-readme")
    call_command("settings", "--write-readme")

    call_command("settings", "--check-readme")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n| variable |")
    assert text.endswith(f"|\n{END}\nafter\n")
    assert "old" not in text.splitlines()


def test_a_readme_without_the_markers_is_refused() -> None:
    with pytest.raises(CommandError, match=r"README\.md needs the lines"):
        with_table("no markers")
