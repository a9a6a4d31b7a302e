"""What an organization demands of its members: how long passwords are, how long sessions last, a second factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from orgportal.errors import PortalError

SECOND_FACTOR_REQUIRED = "second_factor_required"


@dataclass(frozen=True)
class Policy:
    """None means: as the portal has it. `second_factor_from` is when the grace ends; before it nothing is refused."""

    min_password_length: int | None = None
    session_seconds: int | None = None
    second_factor_from: datetime | None = None

    @property
    def demands_second_factor(self) -> bool:
        """Whether members without a second factor are kept out at this moment."""
        return self.second_factor_from is not None and datetime.now(timezone.utc) >= self.second_factor_from


NO_POLICY = Policy()


def policy_from(row: Mapping[str, Any] | None) -> Policy:
    """The policy in an organization's document; the portal's own rules when there is none."""
    return Policy(**row) if row else NO_POLICY


def second_factor_required() -> PortalError:
    """403: the organization lets nobody in without a second factor, and the account has none."""
    return PortalError(
        SECOND_FACTOR_REQUIRED, 403, "This organization wants a second factor of all members. Set yours up first."
    )
