"""`manage.py reseal`: what an earlier SECRET_KEY had sealed is sealed with the one in use."""

from typing import Any

from accounts import audit
from accounts.factors import codes
from orgportal import embedded
from orgportal.management.base import PortalCommand


class Command(PortalCommand):
    """Afterwards no second factor needs an earlier key any more."""

    help = "Seal second factors with the SECRET_KEY in use, before an earlier one is taken out of the fallbacks."

    def handle(self, *args: Any, **options: Any) -> None:
        with (
            embedded.available(),
            audit.act(
                action="keys.resealed", org_ids=[audit.PORTAL], actor=audit.OPERATOR, target="setting:SECRET_KEY"
            ),
        ):
            count = codes.reseal_all()
        self.stdout.write(f"{count} second factors were sealed anew.")
