"""`manage.py deleteorg`: delete an organization for good."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from orgportal import embedded
from orgportal.errors import PortalError
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Deletes an organization as its owner could, after the slug was typed again or with --yes."""

    help = "Delete an organization with its data, its logins and the accounts that belong to nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the organization's short name")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        if not options["yes"]:
            if not sys.stdin.isatty():
                raise CommandError("Nobody to ask: add --yes to delete without a question.")
            if input(f"Everything of {slug} will be gone. Type its short name to go on: ") != slug:
                raise CommandError("Nothing was deleted.")
        try:
            with embedded.available():
                service.delete_as_operator(slug=slug)
        except PortalError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{slug} is deleted: its data, its logins, its name.")
