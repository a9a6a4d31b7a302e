"""What the endpoints of members take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from accounts.membership import service
from accounts.roles import Role
from orgportal.conventions.schemas import Input

AccountId = Annotated[
    str,
    Field(min_length=24, max_length=24, pattern="^[0-9a-f]{24}$", examples=["66f0c0ffee0123456789abcd"]),
]


class RoleChange(Input):
    """The role to give."""

    role: Literal["viewer", "editor", "admin", "owner"] = Field(description="At most one's own.")


class Transfer(Input):
    """Whom to hand the ownership to; the caller's password says that it is really the caller."""

    account_id: AccountId
    password: str = Field(max_length=1000, description="The caller's own.")


class Member(BaseModel):
    """A member of the organization."""

    id: str = Field(description="The account's id.", examples=["66f0c0ffee0123456789abcd"])
    email: str = Field(examples=["ada@example.org"])
    name: str = Field(description="Empty when none was given.", examples=["Ada Lovelace"])
    role: Role
    joined_at: datetime
    has_second_factor: bool = Field(description="Whether the account asks for a second factor.")

    @classmethod
    def of(cls, member: service.Member) -> "Member":
        """The answer for a member."""
        return cls(
            id=str(member.id),
            email=member.email,
            name=member.name,
            role=member.role,
            joined_at=member.joined_at,
            has_second_factor=member.has_second_factor,
        )


class MemberList(BaseModel):
    """One page of members."""

    items: list[Member]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")
