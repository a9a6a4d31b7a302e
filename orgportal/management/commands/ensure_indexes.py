"""`manage.py ensure_indexes`: a step of every release."""

from typing import Any

from orgportal import embedded, indexes
from orgportal.management.base import PortalCommand


class Command(PortalCommand):
    """Creates the indexes of the master database that are not there yet."""

    help = "Create the master database's indexes. Safe to repeat; run it at each release before the web starts."

    def handle(self, *args: Any, **options: Any) -> None:
        with embedded.available():
            names = indexes.ensure_indexes()
        for name in names:
            self.stdout.write(name)
        self.stdout.write(self.style.SUCCESS(f"{len(names)} indexes are in place."))
