"""Suspend an organization: everything stays, nothing of it authenticates; and let it back in.

The epoch is raised as by every change of status, so a write that was under way is not acknowledged. Sessions
and tokens are left: those that have not run out meanwhile count again afterwards.
"""

from orgportal.errors import PortalError, not_found
from tenants.documents import ACTIVE, SUSPENDED, Organization, now
from tenants.lifecycle import operation


def suspend(organization: Organization) -> None:
    """Close an active organization; repeating it changes nothing.

    Raises PortalError 404 when it is gone, 503 `organization_busy` during another operation.
    """
    _change_status(organization, ACTIVE, SUSPENDED)


def resume(organization: Organization) -> None:
    """Open a suspended organization again; raises as `suspend` does."""
    _change_status(organization, SUSPENDED, ACTIVE)


def _change_status(organization: Organization, before: str, after: str) -> None:
    update = {"$set": {"status": after, "updated_at": now()}, "$inc": {"epoch": 1, "rev": 1}}
    if operation.change(organization, update, status=before):
        return
    current = operation.load(organization.id)
    if current is None:
        raise not_found()
    if current.status != after:
        raise _busy(current)


def _busy(current: Organization) -> PortalError:
    return PortalError(
        "organization_busy", 503, f"{current.slug} is {current.status}: try again shortly.", retry_after=5
    )
