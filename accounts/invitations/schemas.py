"""What the invitation endpoints take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from accounts.invitations.acceptance import Accepted as AcceptedInvitation
from accounts.invitations.documents import Invitation as StoredInvitation
from accounts.recovery_schemas import TOKEN
from accounts.roles import Role
from orgportal.conventions.schemas import OMITTABLE, Input

# Checked by the lookup, not here: what cannot exist is as unknown as anything else (404).
OrganizationSlug = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}$", "examples": ["acme"]})
]
InvitationId = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{24}$", "examples": ["66f0c0ffee0123456789abcf"]})
]


class NewInvitation(Input):
    """Whom to invite, and as what."""

    email: str = Field(max_length=254, description="The invited address.", json_schema_extra={"format": "email"})
    role: Literal["viewer", "editor", "admin", "owner"] = Field(description="At most one's own.")


class Invitation(BaseModel):
    """An invitation that nobody has accepted yet."""

    id: str = Field(examples=["66f0c0ffee0123456789abcf"])
    email: str = Field(examples=["grace@example.org"])
    role: Role
    status: Literal["open", "expired"]
    invited_by: str = Field(description="The id of the account that sent it.", examples=["66f0c0ffee0123456789abcd"])
    created_at: datetime
    sent_at: datetime = Field(description="When it was sent the last time.")
    expires_at: datetime

    @classmethod
    def of(cls, invitation: StoredInvitation) -> "Invitation":
        """The answer for an invitation."""
        return cls(
            id=str(invitation.id),
            email=invitation.email,
            role=invitation.role,
            status="expired" if invitation.is_expired else "open",
            invited_by=str(invitation.invited_by),
            created_at=invitation.created_at,
            sent_at=invitation.sent_at,
            expires_at=invitation.expires_at,
        )


class InvitationList(BaseModel):
    """One page of invitations."""

    items: list[Invitation]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")


class Acceptance(Input):
    """A link's token; a new account's password and name, where nobody is logged in."""

    token: str = Field(pattern=TOKEN, description="What stands behind `/invitations/` in the mail.")
    password: Annotated[str | None, OMITTABLE] = Field(
        None, min_length=8, max_length=128, description="The new account's password."
    )
    name: Annotated[str | None, OMITTABLE] = Field(None, max_length=200, description="The new account's name.")


class Joined(BaseModel):
    """Who joined what, as what."""

    admin_id: str = Field(description="The account's id.", examples=["66f0c0ffee0123456789abcd"])
    email: str = Field(examples=["grace@example.org"])
    org_id: str = Field(examples=["66f0c0ffee0123456789abce"])
    org_name: str = Field(description="The organization's slug.", examples=["acme"])
    role: Role

    @classmethod
    def of(cls, accepted: AcceptedInvitation) -> "Joined":
        """The answer for an accepted invitation."""
        return cls(
            admin_id=str(accepted.account_id),
            email=accepted.email,
            org_id=str(accepted.organization.id),
            org_name=accepted.organization.slug,
            role=accepted.role,
        )
