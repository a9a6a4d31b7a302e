"""`manage.py suspendorg`: closes an organization without removing anything."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from orgportal import embedded
from orgportal.errors import PortalError
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Closes an organization without removing anything."""

    help = "Close an organization: nothing of it authenticates, its data stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the organization's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        try:
            with embedded.available():
                service.suspend_as_operator(slug=slug)
        except PortalError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{slug} is suspended: nobody gets in, nothing is removed.")
