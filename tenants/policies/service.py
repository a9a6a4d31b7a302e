"""The policy of an organization: read with it, changed by its admins, in force from the next request on."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from django.conf import settings

from accounts import audit, sudo
from accounts.passwords import MIN_LENGTH_WITH_FACTOR
from accounts.policies import Policy
from orgportal.errors import PortalError, invalid, organization_busy, unauthenticated
from tenants.access import Access
from tenants.documents import ACTIVE, DELETING, Organization, now
from tenants.lifecycle import operation, rename

SHORTEST_SESSION_SECONDS = 900
LONGEST_MINIMUM = 64
LONGEST_GRACE_DAYS = 90
DEFAULT_GRACE_DAYS = 7


def change_policy(*, access: Access, changes: Mapping[str, Any], expected_rev: int | None = None) -> Organization:
    """Change what the members named in `changes` say; returns the organization with its new policy.

    `min_password_length` and `session_seconds`: None means as the portal has it. `second_factor_required`, with
    `second_factor_grace_days` from now; while it is required already, only a given grace moves the date. Raises
    PortalError 403 `sudo_required`, 422 for the input, 412 `stale`, 503 `organization_busy`.
    """
    organization = access.organization
    policy = _changed(organization.policy, changes)
    sudo.require_recent(access.principal)
    if expected_rev is not None and expected_rev != organization.rev:
        raise PortalError("stale", 412, "Somebody changed the organization meanwhile. Look at it again, then repeat.")
    if organization.status != ACTIVE:
        raise organization_busy()
    if policy == organization.policy:
        return organization
    with audit.act(
        action="organization.policy_changed",
        org_ids=[organization.id],
        actor=access.principal,
        target=f"organization:{organization.id}",
        details=_described(policy),
    ):
        return _store(organization, policy)


def _changed(policy: Policy, changes: Mapping[str, Any]) -> Policy:
    changed = policy
    if "min_password_length" in changes:
        changed = replace(changed, min_password_length=_length(changes["min_password_length"]))
    if "session_seconds" in changes:
        changed = replace(changed, session_seconds=_session(changes["session_seconds"]))
    grace = _grace(changes.get("second_factor_grace_days"))
    required = changes.get("second_factor_required", policy.second_factor_from is not None)
    if not isinstance(required, bool):
        raise invalid("second_factor_required", "Use true or false.")
    if not required:
        return replace(changed, second_factor_from=None)
    if policy.second_factor_from is None or grace is not None:
        days = DEFAULT_GRACE_DAYS if grace is None else grace
        return replace(changed, second_factor_from=now() + timedelta(days=days))
    return changed


def _length(value: Any) -> int | None:
    return _within("min_password_length", value, MIN_LENGTH_WITH_FACTOR, LONGEST_MINIMUM)


def _session(value: Any) -> int | None:
    return _within("session_seconds", value, SHORTEST_SESSION_SECONDS, int(settings.SESSION_ABSOLUTE_SECONDS))


def _grace(value: Any) -> int | None:
    return _within("second_factor_grace_days", value, 0, LONGEST_GRACE_DAYS)


def _within(path: str, value: Any, least: int, most: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise invalid(path, f"Use a whole number from {least} to {most}.")
    return value


def _store(organization: Organization, policy: Policy) -> Organization:
    update = {"$set": {"policy": asdict(policy), "updated_at": now()}, "$inc": {"rev": 1}}
    done = operation.change(organization, update, status=ACTIVE, rev=organization.rev)
    current = operation.load(organization.id)
    if current is None or current.status == DELETING:
        raise unauthenticated()
    if not done:
        raise rename.refusal(current)
    return current


def _described(policy: Policy) -> dict[str, Any]:
    """The policy as the audit keeps it: texts and numbers, empty for what is as the portal has it."""
    since = policy.second_factor_from
    return {
        "min_password_length": policy.min_password_length or "",
        "session_seconds": policy.session_seconds or "",
        "second_factor_from": since.isoformat() if since else "",
    }
