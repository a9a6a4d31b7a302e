"""`manage.py roles`: who may do what, as docs/roles.md shows it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from accounts.roles import ACTIONS, Action, Role
from accounts.scopes import MEANINGS

HEAD = """# Who may do what

Every member of an organization has one role in it; each role may do what the ones before it may. An API key has a
role as well, at most that of the member who made it, and does only what its scopes name. Nobody gives a role above
their own, nobody raises their own, an admin changes no owner, and an organization always has an owner.

This page is made by `manage.py roles --write-docs` from the table in `accounts/roles.py`. The same table is what the
authorization test (`tests/wire/test_authorization.py`) holds every page and every endpoint against.
"""


class Command(BaseCommand):
    """Prints the page, or writes it."""

    help = "Print the table of roles, actions and scopes."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write-docs", action="store_true", help="write it to docs/roles.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["write_docs"]:
            (Path(settings.BASE_DIR) / "docs" / "roles.md").write_text(page(), encoding="utf-8")
        else:
            self.stdout.write(page())


def page() -> str:
    """The page in Markdown."""
    roles = " | ".join(role.value for role in Role)
    rows = [f"| what | action | {roles} | API key with scope |", f"|---|---|{':-:|' * len(Role)}---|"]
    rows += [_row(action) for action in ACTIONS]
    scopes = ["| scope | an API key with it may |", "|---|---|"]
    scopes += [f"| `{scope}` | {meaning} |" for scope, meaning in MEANINGS.items()]
    return "\n".join([HEAD, "## Actions", "", *rows, "", "## Scopes", "", *scopes, ""])


def _row(action: Action) -> str:
    cells = " | ".join("yes" if role.covers(action.needs) else "" for role in Role)
    scope = f"`{action.scope}`" if action.scope else "never"
    return f"| {action.phrase} | `{action.name}` | {cells} | {scope} |"
