"""What is done to many records at once, or takes them away, as the audit writes it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from accounts import audit
from tenants.access import Access


def acting(
    access: Access, action: str, details: Mapping[str, Any], *, target: str = ""
) -> AbstractContextManager[None]:
    """Written to the organization's chain before the body runs; raises as `audit.act`."""
    organization = access.organization
    return audit.act(
        action=action,
        org_ids=[organization.id],
        actor=access.principal,
        target=target or f"organization:{organization.id}",
        details=details,
    )


def exported(access: Access, details: Mapping[str, Any]) -> None:
    """Records are about to leave as a file; raises as `audit.act`."""
    with acting(access, "records.exported", details):
        return
