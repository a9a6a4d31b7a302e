"""What the endpoints around links in mails take."""

from pydantic import Field

from orgportal.conventions.schemas import Input

TOKEN = "^[A-Za-z0-9_-]{43}$"  # noqa: S105 - a pattern


class Forgot(Input):
    """Whose password is forgotten."""

    email: str = Field(max_length=254, description="The account's address.", json_schema_extra={"format": "email"})


class Reset(Input):
    """A link's token and the new password."""

    token: str = Field(pattern=TOKEN, description="What stands behind `/password/reset/` in the mail.")
    password: str = Field(min_length=8, max_length=128, description="Not a common one.")


class LinkToken(Input):
    """A link's token."""

    token: str = Field(pattern=TOKEN, description="What stands behind the last `/` of the link in the mail.")
