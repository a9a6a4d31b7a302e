"""`manage.py settings`: the table of every setting, as the README shows it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orgportal.env import VARIABLES, Variable

BEGIN = "<!-- settings: made by `manage.py settings --write-readme` -->"
END = "<!-- /settings -->"


class Command(BaseCommand):
    """Prints the table; checks it or writes it between the two markers in README.md."""

    help = "Print a Markdown table of every environment variable that the portal reads."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check-readme", action="store_true", help="exit 1 unless README.md has this table")
        parser.add_argument("--write-readme", action="store_true", help="put this table into README.md")

    def handle(self, *args: Any, **options: Any) -> None:
        readme = Path(settings.BASE_DIR) / "README.md"
        if options["write_readme"]:
            readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
        elif options["check_readme"]:
            text = readme.read_text(encoding="utf-8")
            if with_table(text) != text:
                raise CommandError("README.md has not the present settings: run `manage.py settings --write-readme`.")
        else:
            self.stdout.write(table())


def table() -> str:
    """Every variable with its type, default and description, in Markdown."""
    rows = ["| variable | type | default | what it does |", "|---|---|---|---|"]
    rows += [f"| `{v.name}` | {v.kind} | {_default(v)} | {_cell(v.description)} |" for v in VARIABLES]
    return "\n".join(rows)


def with_table(text: str) -> str:
    """The text with the present table between its markers. Raises CommandError when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CommandError(f"README.md needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(variable: Variable) -> str:
    value = variable.default
    if value in ("", (), {}) and not isinstance(value, int):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and value.is_integer():
        return f"`{int(value)}`"
    return f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
