"""What the endpoints of the second factor take and give."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from accounts.factors.codes import MAX_TYPED
from accounts.factors.service import Setup, Status
from orgportal.conventions.schemas import OMITTABLE, Input

Code = Annotated[
    str,
    Field(max_length=MAX_TYPED, description="A code of the app, or a recovery code.", examples=["492039"]),
]


class SecondFactor(BaseModel):
    """Whether the account has a second factor, and of which kinds."""

    enabled: bool
    since: datetime | None = Field(description="Since when; null without one.")
    totp: bool = Field(description="Whether one is an authenticator app.")
    passkeys: int = Field(description="How many are passkeys.", examples=[2])
    recovery_codes_left: int = Field(description="How many of the ten have not been used.", examples=[10])

    @classmethod
    def of(cls, status: Status) -> "SecondFactor":
        """The answer for a status."""
        return cls(
            enabled=status.is_on,
            since=status.since,
            totp=status.has_app,
            passkeys=status.passkeys,
            recovery_codes_left=status.recovery_codes_left,
        )


class NewSecondFactor(BaseModel):
    """What the authenticator app has to know. It counts once a code of it is confirmed."""

    secret: str = Field(description="The key in base 32, to type in.", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    otpauth_uri: str = Field(description="The same as an address, for a QR code.")

    @classmethod
    def of(cls, setup: Setup) -> "NewSecondFactor":
        """The answer for a set-up."""
        return cls(secret=setup.secret, otpauth_uri=setup.address)


class Confirmation(Input):
    """The first code of the new authenticator app."""

    otp: str = Field(max_length=MAX_TYPED, description="Six digits.", examples=["492039"])


class RecoveryCodes(BaseModel):
    """Ten codes, each good once in place of the second factor; none beside a passkey, whose own stay good."""

    recovery_codes: list[str] = Field(examples=[["k3x9-7q2m-zz40-a8rt-5nd1-cw6p"]])


class PasswordAgain(Input):
    """The account's password, and a code where there is a second factor."""

    password: str = Field(max_length=1000)
    otp: Annotated[Code | None, OMITTABLE] = None


class SudoUntil(BaseModel):
    """Until when the password counts as just entered."""

    sudo_until: datetime
