"""Finish or undo what a crash left, and sweep what has waited long enough. Run by the worker, safe anywhere."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

import structlog
from pymongo.errors import PyMongoError

from accounts import audit
from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, placement
from tenants.documents import Organization, now, organization_from
from tenants.lifecycle import create, delete, operation, rename

log = structlog.get_logger(__name__)

RESUME = {"create": create.resume, "rename": rename.resume, "delete": delete.resume}

# Both bounds, because the embedded database scans the collection for a range with only one.
LONG_AGO = datetime(2000, 1, 1, tzinfo=now().tzinfo)
BATCH = 100


def _audited(organization: Organization) -> AbstractContextManager[object]:
    """Written to the organization's chain; of a deletion to the portal's, as long as there is something to delete."""
    work = organization.work
    if work.op == "delete" and work.step == "stripped":
        return nullcontext()
    return audit.act(
        action="organization.operation_resumed",
        org_ids=[audit.PORTAL if work.op == "delete" else organization.id],
        actor=audit.SYSTEM,
        target=f"organization:{organization.id}",
        details={"operation": work.op, "step": work.step},
    )


def run_due(*, at: datetime | None = None, limit: int = BATCH) -> int:
    """Advance every organization whose work is due at `at` (default: now); how many were advanced.

    One indexed query when nothing is due. A failure of one is logged, and it is tried again later.
    """
    at = at or now()
    query = {"due_at": {"$gte": LONG_AGO, "$lte": at}}
    rows = list(database.collection("organizations").find(query).sort("due_at", 1).limit(limit))
    return sum(_advance(organization_from(row), at) for row in rows)


def run_all(*, at: datetime | None = None) -> int:
    """`run_due` until nothing is due any more, and a fresh count of the clusters; how many steps were made."""
    steps = 0
    while advanced := run_due(at=at):
        steps += advanced
    placement.recount()
    return steps


def _advance(organization: Organization, at: datetime) -> bool:
    context = {"org_id": str(organization.id), "slug": organization.slug}
    op = organization.pending.op if organization.pending else "sweep"
    try:
        take = operation.claim if organization.pending else rename.begin_sweep
        holder = take(organization, at)
        with operation.kept_alive(organization, holder):
            if op == "sweep":
                rename.sweep(organization, holder, at)
            else:
                with _audited(organization):
                    RESUME[op](organization, holder)
    except operation.TakenOver:
        return False
    except (PortalError, PyMongoError, manager.ForeignCollection) as error:
        # Its lease passes by itself, and then somebody tries again.
        log.warning("operation_not_advanced", op=op, error=type(error).__name__, detail=str(error), **context)
        return False
    except Exception:
        log.exception("operation_failed", op=op, **context)
        return False
    log.info("operation_advanced", op=op, **context)
    return True
