"""Acts, refusals and events, as services report them.

An act is written before it happens, so that nothing happens unwritten. An act that then fails gets a second
entry; one without it was done, or the process died in the middle of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from accounts.audit import tallies
from accounts.audit.actors import Actor, actor_of
from accounts.audit.chain import append
from accounts.audit.entries import PORTAL, Chain, Draft, Result
from accounts.principal import Principal
from orgportal import embedded
from orgportal.errors import PortalError

# An account of very many organizations writes to so many of their chains, and to the portal's for the rest.
MOST_CHAINS = 10

log = structlog.get_logger(__name__)


@contextmanager
def act(
    *,
    action: str,
    org_ids: Sequence[Chain],
    actor: Actor | Principal,
    target: str = "",
    details: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Write the act to the chain of each organization (none: the portal's), then let it happen.

    Check the input first, so that only acts are written that should succeed. Never a secret in `details`
    (texts, whole numbers, booleans, lists). Raises PortalError 503 `audit_unavailable` when it cannot be
    written; then the body does not run. When the body raises, an entry with the result `failed` follows.
    """
    written = happened(action=action, org_ids=org_ids, actor=actor, target=target, details=details)
    try:
        yield
    except Exception as error:
        _failed(written, error)
        raise


def happened(
    *,
    action: str,
    org_ids: Sequence[Chain],
    actor: Actor | Principal,
    target: str = "",
    details: Mapping[str, Any] | None = None,
    result: Result = "done",
) -> list[tuple[Chain, Draft]]:
    """Write at once what was found to have happened, and is not for the caller to do or not to do.

    Raises as `act`.
    """
    who = actor_of(actor)
    written = []
    for chain in chains(org_ids):
        draft = Draft(action, result, who, target, details or {})
        append(chain, draft)
        written.append((chain, draft))
    return written


def note(
    *,
    action: str,
    org_ids: Sequence[Chain],
    actor: Actor | Principal,
    target: str = "",
    details: Mapping[str, Any] | None = None,
    result: Result = "refused",
) -> None:
    """Count a refusal. Equal ones within a minute become one entry that says how many they were.

    So a flood of them stays small, and it costs one write, whoever is refused. Raises as `act`.
    """
    tallies.count(chains(org_ids), Draft(action, result, actor_of(actor), target, details or {}))


def chains(org_ids: Sequence[Chain]) -> list[Chain]:
    """The chains to write to, each once."""
    wanted = list(dict.fromkeys(org_ids)) or [PORTAL]
    return wanted if len(wanted) <= MOST_CHAINS else [*wanted[:MOST_CHAINS], PORTAL]


def _failed(written: list[tuple[Chain, Draft]], error: Exception) -> None:
    code = error.code if isinstance(error, PortalError) else "error"
    for chain, draft in written:
        details = {"entry": draft.id, "code": code}
        try:
            append(chain, Draft(draft.action, "failed", draft.actor, draft.target, details))
        except (PortalError, PyMongoError, embedded.NotRunning) as unwritten:
            # What failed is told to the caller; that the chain lacks it, to the operator.
            log.error("audit_failure_unwritten", action=draft.action, entry=draft.id, error=type(unwritten).__name__)
