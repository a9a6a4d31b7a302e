"""`manage.py verify_audit`: is the audit what the portal wrote?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.audit.verification import Report, verify
from orgportal import embedded
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Checks every chain of entries from its beginning to its head, and exits with 1 when one is broken."""

    help = "Check the audit: every entry, its place, its seal; prints a line per chain, exits 1 when one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="this organization's chain and the portal's only")
        parser.add_argument(
            "--witness",
            metavar="FILE",
            action="append",
            default=[],
            help="a log of the portal, or an earlier export: what it saw must still be there",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        with embedded.available():
            slugs = {str(organization.id): organization.slug for organization in service.all_organizations()}
            only = [organization for organization, slug in slugs.items() if slug == options["organization"]]
            if options["organization"] and not only:
                raise CommandError(f"There is no organization {options['organization']}.")
            witnesses = [seen for name in options["witness"] for seen in _seen(Path(name))]
            for report in verify(only=only[0] if only else None, witnesses=witnesses):
                broken += report.broken is not None
                self.stdout.write(self._line(report, slugs.get(report.chain, report.chain)))
        if broken:
            raise CommandError(f"{broken} {'chain is' if broken == 1 else 'chains are'} broken.")

    def _line(self, report: Report, name: str) -> str:
        if report.broken is None:
            return self.style.SUCCESS(f"{name}: {report.entries} entries, whole")
        place = f"entry {report.broken.seq} " if report.broken.seq else ""
        return self.style.ERROR(
            f"{name}: {report.entries} entries are whole, then broken: {place}{report.broken.problem}"
        )


def _seen(path: Path) -> Iterator[tuple[str, int, str]]:
    """What a file of JSON lines says of entries: their chain, place and hash; other lines are passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if isinstance(said, dict) and {"chain", "seq", "hash"} <= set(said):
                    yield str(said["chain"]), int(said["seq"]), str(said["hash"])
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
