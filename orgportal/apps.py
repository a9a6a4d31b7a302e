"""The wiring as a Django app."""

from django.apps import AppConfig


class OrgportalConfig(AppConfig):
    name = "orgportal"

    def ready(self) -> None:
        from orgportal import (
            checks,  # noqa: F401 - importing it registers the checks
            secret_keys,
        )

        secret_keys.refresh()
