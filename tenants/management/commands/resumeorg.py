"""`manage.py resumeorg`: opens a suspended organization again."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from orgportal import embedded
from orgportal.errors import PortalError
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Opens a suspended organization again."""

    help = "Open a suspended organization again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the organization's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        try:
            with embedded.available():
                service.resume_as_operator(slug=slug)
        except PortalError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{slug} is open again.")
