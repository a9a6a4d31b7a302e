"""`manage.py listorgs`: every organization, one a line."""

import json
from typing import Any

from django.core.management.base import CommandParser

from orgportal import embedded
from orgportal.management.base import PortalCommand
from tenants import service


class Command(PortalCommand):
    """Prints slug, status, collection, cluster and name, tab-separated, or JSON lines."""

    help = "List the organizations: slug, status, collection, cluster, name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        with embedded.available():
            for organization in service.all_organizations():
                row = {
                    "slug": organization.slug,
                    "status": organization.status,
                    "collection": organization.placement.collection,
                    "cluster": organization.placement.cluster,
                    "organization_name": organization.name,
                    "id": str(organization.id),
                    "created_at": organization.created_at.isoformat(),
                }
                keys = ("slug", "status", "collection", "cluster", "organization_name")
                line = json.dumps(row, ensure_ascii=False) if options["json"] else "\t".join(row[key] for key in keys)
                self.stdout.write(line)
