#!/usr/bin/env python
"""Django's command line for orgportal: `python manage.py help`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orgportal.settings")
    if sys.argv[1:2] == ["serve"]:
        # Started by hand on one machine, also against a MongoDB of one's own: the portal makes its secrets itself.
        os.environ.setdefault("ORGPORTAL_ENV", "local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"orgportal cannot start. {error}")


if __name__ == "__main__":
    main()
