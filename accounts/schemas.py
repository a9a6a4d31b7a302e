"""What the authentication endpoints take and give."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from accounts.principal import Principal
from accounts.roles import Role
from accounts.scopes import SCOPES, Scope
from accounts.service import TokenPair
from orgportal.conventions.schemas import OMITTABLE, Input, Problem


class Login(Input):
    """An email and a password; `org` where the account has several organizations."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.org", "password": "correct horse battery staple"}]}
    )

    email: str = Field(max_length=1000, description="The account's address, in any case.")
    password: str = Field(max_length=1000, description="At most 128 characters can be right.")
    org: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=100, description="The slug of the organization to work in."
    )
    otp: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=100, description="A code of the second factor, or a recovery code.", examples=["492039"]
    )


class Refresh(Input):
    """A refresh token, which works once."""

    refresh_token: str = Field(max_length=4096)


class Tokens(BaseModel):
    """A pair of tokens for one organization."""

    access_token: str = Field(description="Send it as `Authorization: Bearer …`.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[900])
    refresh_token: str = Field(description="For `POST /auth/refresh`, once.")
    admin_id: str = Field(description="The account's id.", examples=["66f0c0ffee0123456789abcd"])
    org_id: str = Field(examples=["66f0c0ffee0123456789abce"])
    org_name: str = Field(description="The organization's slug.", examples=["acme"])

    @classmethod
    def of(cls, pair: TokenPair) -> "Tokens":
        """The answer for a pair."""
        return cls(
            access_token=pair.access_token,
            expires_in=pair.expires_in,
            refresh_token=pair.refresh_token,
            admin_id=str(pair.account_id),
            org_id=str(pair.org_id),
            org_name=pair.org_name,
        )


class Account(BaseModel):
    """An account."""

    id: str = Field(examples=["66f0c0ffee0123456789abcd"])
    email: str = Field(examples=["ada@example.org"])


class OrganizationName(BaseModel):
    """Which organization."""

    id: str = Field(examples=["66f0c0ffee0123456789abce"])
    organization_name: str = Field(examples=["Acme Inc."])
    slug: str = Field(examples=["acme"])


class Me(BaseModel):
    """Who is calling."""

    account: Account
    organization: OrganizationName | None = Field(
        description="What the credential is for; null for a browser session that has still to choose."
    )
    role: Role | None = Field(description="The account's role in that organization.")
    method: Literal["session", "token", "key"] = Field(description="How the caller authenticated.")
    scopes: list[Scope] = Field(description="What the credential is good for: an API key may lack some.")

    @classmethod
    def of(cls, principal: Principal) -> "Me":
        """The answer for a principal."""
        found = principal.organization
        return cls(
            account=Account(id=str(principal.account_id), email=principal.email),
            organization=OrganizationName(id=str(found.id), organization_name=found.name, slug=found.slug)
            if found
            else None,
            role=principal.role,
            method=principal.method,
            scopes=[scope for scope in SCOPES if scope in principal.scopes],
        )


class Choice(BaseModel):
    """An organization to choose."""

    slug: str
    organization_name: str
    role: Role


class ChooseOrganization(Problem):
    """409 `choose_organization` lists where the account is a member; 409 `request_in_progress` does not."""

    organizations: list[Choice] | None = None
