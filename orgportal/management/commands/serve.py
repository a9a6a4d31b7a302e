"""`manage.py serve`: the whole portal on one machine, as `make run` starts it."""

import sys
from typing import Any

from django.core.management.base import CommandError

from orgportal import supervisor
from orgportal.management.base import PortalCommand


class Command(PortalCommand):
    """Embedded database (unless MONGODB_URI is set), web server and worker, until Ctrl-C."""

    help = "Run the whole portal: database, web server, worker. Ctrl-C or SIGTERM stops all of it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            supervisor.serve(self._say)
        except CommandError as error:
            sys.exit(f"orgportal cannot run. {error}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
