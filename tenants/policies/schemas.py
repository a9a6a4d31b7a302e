"""What the endpoints of an organization's policy take and give."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.policies import Policy as Stored
from orgportal.conventions.schemas import OMITTABLE, Input
from tenants.policies.service import LONGEST_GRACE_DAYS, LONGEST_MINIMUM, SHORTEST_SESSION_SECONDS


class Policy(BaseModel):
    """What the organization demands of its members; null: as the portal has it."""

    min_password_length: int | None = Field(description="For passwords that are set from now on.", examples=[20])
    session_seconds: int | None = Field(description="After how long a session or login ends at the latest.")
    second_factor_required: bool
    second_factor_from: datetime | None = Field(description="From when on nobody works here without one.")

    @classmethod
    def of(cls, policy: Stored) -> "Policy":
        """The answer for a policy."""
        return cls(
            min_password_length=policy.min_password_length,
            session_seconds=policy.session_seconds,
            second_factor_required=policy.second_factor_from is not None,
            second_factor_from=policy.second_factor_from,
        )


class PolicyChanges(Input):
    """What to change; what is left out stays."""

    min_password_length: int | None = Field(
        None, ge=8, le=LONGEST_MINIMUM, description="The portal's own minimum stays where it is higher."
    )
    session_seconds: int | None = Field(
        None, ge=SHORTEST_SESSION_SECONDS, le=2**31, description="At most what the portal allows."
    )
    second_factor_required: Annotated[bool | None, OMITTABLE] = None
    second_factor_grace_days: Annotated[int | None, OMITTABLE] = Field(
        None, ge=0, le=LONGEST_GRACE_DAYS, description="From now; 7 when it becomes required without saying."
    )
