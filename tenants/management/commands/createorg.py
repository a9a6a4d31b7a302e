"""`manage.py createorg`: sign an organization up from the command line."""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts import audit
from orgportal import embedded
from orgportal.errors import PortalError
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Creates an organization with a new account as its owner, as the sign-up page does."""

    help = "Create an organization and its owner. The password is asked for, or read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization_name", help="the name as people write it")
        parser.add_argument("email", help="the owner's address")
        parser.add_argument("--slug", default=None, help="short name; derived from the name when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        try:
            with embedded.available():
                created = service.sign_up(
                    organization_name=options["organization_name"],
                    slug=options["slug"],
                    email=options["email"],
                    password=password,
                    actor=audit.OPERATOR,
                )
        except PortalError as error:
            details = "".join(f"\n  {entry.path}: {entry.message}" for entry in error.errors)
            raise CommandError(f"{error.message}{details}") from error
        organization = created.organization
        self.stdout.write(f"{organization.slug}\t{organization.placement.collection}\t{created.email}")
