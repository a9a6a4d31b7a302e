"""What the endpoints of API keys take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from accounts.api_keys.service import MAX_DAYS, MAX_NAME_LENGTH, NewKey
from accounts.api_keys.service import ApiKey as ListedKey
from accounts.roles import Role
from accounts.scopes import SCOPES, Scope
from orgportal.conventions.schemas import OMITTABLE, Input


class NewApiKey(Input):
    """What the key is for, and what it may do."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Nightly import", "scopes": ["records:write"], "days": 90}]}
    )

    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, description="What uses it, for people.")
    scopes: list[Scope] = Field(min_length=1, max_length=len(SCOPES), description="What it may be used for.")
    role: Annotated[Literal["viewer", "editor", "admin", "owner"] | None, OMITTABLE] = Field(
        None, description="At most one's own, and that when left out."
    )
    days: Annotated[int | None, OMITTABLE] = Field(
        None, ge=1, le=MAX_DAYS, description="Until it expires. Left out: it is good until it is revoked."
    )


class ApiKey(BaseModel):
    """A key, without its secret part."""

    id: str = Field(examples=["66f0c0ffee0123456789abd0"])
    name: str = Field(examples=["Nightly import"])
    prefix: str = Field(description="How it begins.", examples=["orgp_live_ab12"])
    scopes: list[Scope]
    role: Role = Field(description="What it may do now: never more than the member who made it.")
    made_by: str = Field(description="The address of who made it, empty when the account is gone.")
    state: Literal["active", "expired", "dead"] = Field(
        description="`dead`: who made it has left, or has a new password or second factor since."
    )
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="To the minute; null when it was never used.")

    @classmethod
    def of(cls, key: ListedKey) -> "ApiKey":
        """The answer for a key."""
        return cls(
            id=str(key.id),
            name=key.name,
            prefix=key.prefix,
            scopes=list(key.scopes),
            role=key.role,
            made_by=key.made_by,
            state=key.state,
            created_at=key.created_at,
            expires_at=key.expires_at,
            used_at=key.used_at,
        )


class MadeApiKey(ApiKey):
    """A new key. Nobody can show `key` again."""

    key: str = Field(description="Send it as `Authorization: Bearer …`.")

    @classmethod
    def made(cls, new: NewKey) -> "MadeApiKey":
        """The answer for a new key."""
        return cls(**ApiKey.of(new.key).model_dump(), key=new.text)


class ApiKeyList(BaseModel):
    """One page of keys."""

    items: list[ApiKey]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")
