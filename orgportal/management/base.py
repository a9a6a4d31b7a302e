"""What the portal's management commands have in common."""

from django.core.management.base import BaseCommand


class PortalCommand(BaseCommand):
    """A command that looks at the portal's own checks before it starts, and at no others.

    Those of Django concern addresses and templates, which commands have no part in, and importing them is a quarter
    of a command's start. `manage.py check`, which a release runs, makes them all.
    """

    requires_system_checks = ("orgportal",)
