"""`manage.py reconcile`: what the worker does all the time, once."""

from typing import Any

from orgportal import embedded
from orgportal.management.base import PortalCommand
from tenants.lifecycle import reconcile


class Command(PortalCommand):
    """Finishes or undoes every operation whose lease has passed, and sweeps names whose time has come."""

    help = "Finish or undo what a crash left behind, now instead of when the worker comes to it."

    def handle(self, *args: Any, **options: Any) -> None:
        with embedded.available():
            steps = reconcile.run_all()
        self.stdout.write(f"{steps} {'step was' if steps == 1 else 'steps were'} made.")
