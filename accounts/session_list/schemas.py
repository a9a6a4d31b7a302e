"""What the endpoints of one's own sessions give."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from accounts.session_list.service import OwnSession


class Session(BaseModel):
    """Somewhere that the account is logged in."""

    id: str = Field(examples=["0198f2c4a1b0c0ffee012345"])
    kind: Literal["session", "token"] = Field(description="A browser's session, or tokens of a program.")
    organization: str = Field(description="Its name; empty while none is chosen.", examples=["Acme Inc."])
    device: str = Field(examples=["Firefox on Linux"])
    address: str = Field(description="Where it was used from last.", examples=["203.0.113.7"])
    created_at: datetime
    seen_at: datetime = Field(description="When it was used last, to the minute; of tokens: when they were refreshed.")
    is_current: bool = Field(description="Whether it is the one that calls.")
    is_remembered: bool = Field(description="Whether the browser keeps it when it is closed.")

    @classmethod
    def of(cls, session: OwnSession) -> "Session":
        """The answer for a session."""
        return cls(
            id=str(session.id),
            kind=session.kind,
            organization=session.organization,
            device=session.device,
            address=session.address,
            created_at=session.created_at,
            seen_at=session.seen_at,
            is_current=session.is_current,
            is_remembered=session.is_remembered,
        )


class SessionList(BaseModel):
    """One page of sessions."""

    items: list[Session]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")


class Ended(BaseModel):
    """How many sessions there were."""

    ended: int = Field(ge=0, examples=[3])
