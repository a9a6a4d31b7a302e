"""`manage.py doctor`: is every promise about organizations kept?"""

from typing import Any

from django.core.management.base import CommandError

from orgportal import embedded
from orgportal.management.base import PortalCommand
from tenants.lifecycle.doctor import examine


class Command(PortalCommand):
    """Prints every broken invariant and exits with 1, or says that all is well."""

    help = "Check every organization, collection, account and session; exit 1 when something is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        with embedded.available():
            for finding in examine():
                broken += 1
                place = f"invariant {finding.invariant}" if finding.invariant else "installation"
                self.stdout.write(self.style.ERROR(f"{place}: {finding.subject}: {finding.problem}"))
        if broken:
            raise CommandError(f"{broken} found to be wrong.")
        self.stdout.write(self.style.SUCCESS("All is well: nothing is broken, missing or left over."))
