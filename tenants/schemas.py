"""What the organization endpoints take and give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from accounts.roles import Role
from orgportal.conventions.schemas import OMITTABLE, Input
from tenants.service import Description, SignedUp

SLUG_PATTERN = "^[a-z][a-z0-9_]{1,39}$"

# Checked by the lookup, not here: a slug that cannot exist is as unknown as any other (404).
Slug = Annotated[str, WithJsonSchema({"type": "string", "pattern": SLUG_PATTERN, "examples": ["acme"]})]
Integer = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, Field(max_length=1000)]
Metadata = Annotated[
    dict[str, bool | Integer | float | Text | None],
    Field(
        max_length=50,
        description="Notes of your own: at most 50 keys; texts, numbers, booleans, null.",
        json_schema_extra={"propertyNames": {"minLength": 1, "maxLength": 64, "pattern": r"^[^$.\u0000][^.\u0000]*$"}},
        examples=[{"country": "SE", "seats": 12}],
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=200, description="The display name.", examples=["Acme Inc."])]
ChosenSlug = Annotated[
    str,
    Field(
        min_length=2,
        max_length=40,
        pattern=SLUG_PATTERN,
        description="The short name; it names the collection.",
        examples=["acme"],
    ),
]


class NewOrganization(Input):
    """An organization and its first account; a caller who is logged in leaves `email` and `password` out."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"email": ["password"], "password": ["email"]},
            "examples": [
                {
                    "organization_name": "Acme Inc.",
                    "email": "ada@example.org",
                    "password": "correct horse battery staple",
                    "metadata": {"country": "SE"},
                }
            ],
        }
    )

    organization_name: Name
    email: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=254, description="The new account.", json_schema_extra={"format": "email"}
    )
    password: Annotated[str | None, OMITTABLE] = Field(
        None, min_length=15, max_length=128, description="15 to 128 characters, not a common one."
    )
    slug: Annotated[ChosenSlug | None, OMITTABLE] = Field(None, description="Made from the name when left out.")
    metadata: Annotated[Metadata | None, OMITTABLE] = None


class OrganizationChanges(Input):
    """What to change; what is left out stays."""

    organization_name: Annotated[Name | None, OMITTABLE] = None
    slug: Annotated[ChosenSlug | None, OMITTABLE] = Field(None, description="Renames the collection, data intact.")
    metadata: Annotated[Metadata | None, OMITTABLE] = Field(None, description="Replaces all metadata.")


class Pictured(Protocol):
    """An organization as a service hands it out."""

    @property
    def id(self) -> ObjectId: ...
    @property
    def name(self) -> str: ...
    @property
    def slug(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def placement(self) -> Any: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...


class Organization(BaseModel):
    """An organization, and the caller's role in it."""

    id: str = Field(examples=["66f0c0ffee0123456789abce"])
    organization_name: str = Field(examples=["Acme Inc."])
    slug: str = Field(examples=["acme"])
    collection: str = Field(description="Where its records are.", examples=["org_acme"])
    status: Literal["provisioning", "active", "renaming", "deleting"]
    metadata: dict[str, bool | int | float | str | None]
    created_at: datetime
    updated_at: datetime
    role: Role

    @classmethod
    def of(cls, organization: Pictured, role: Role) -> "Organization":
        """The answer for an organization and a role in it."""
        return cls(**_members(organization, role))


class OrganizationDetails(Organization):
    """An organization with the size of its data."""

    records: int = Field(description="How many records it has.", examples=[1200])
    storage_bytes: int = Field(description="How much storage they take.", examples=[482000])

    @classmethod
    def described(cls, description: Description) -> "OrganizationDetails":
        """The answer for a described organization."""
        return cls(
            **_members(description.organization, description.role),
            records=description.records,
            storage_bytes=description.storage_bytes,
        )


def _members(organization: Pictured, role: Role) -> dict[str, Any]:
    return {
        "id": str(organization.id),
        "organization_name": organization.name,
        "slug": organization.slug,
        "collection": organization.placement.collection,
        "status": organization.status,
        "metadata": dict(organization.metadata),
        "created_at": organization.created_at,
        "updated_at": organization.updated_at,
        "role": role,
    }


class Admin(BaseModel):
    """The account that owns a new organization."""

    id: str = Field(examples=["66f0c0ffee0123456789abcd"])
    email: str = Field(examples=["ada@example.org"])


class NewOrganizationAnswer(BaseModel):
    """The new organization and its owner."""

    organization: Organization
    admin: Admin

    @classmethod
    def of(cls, signed_up: SignedUp) -> "NewOrganizationAnswer":
        """The answer for what was created."""
        return cls(
            organization=Organization.of(signed_up.organization, Role.OWNER),
            admin=Admin(id=str(signed_up.account_id), email=signed_up.email),
        )


class OrganizationList(BaseModel):
    """One page of organizations."""

    items: list[Organization]
    next_cursor: str | None = Field(description="For `?cursor=`; null on the last page.")


class Deleting(BaseModel):
    """The deletion goes on; nothing of the organization authenticates any more."""

    status: Literal["deleting"] = "deleting"
