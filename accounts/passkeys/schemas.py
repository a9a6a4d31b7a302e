"""What the endpoints of passkeys take and give. Credentials are as browsers write them in JSON (WebAuthn, 5.1)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from webauthn.helpers import base64url_to_bytes

from accounts.passkeys.ceremonies import BASE64URL, MAX_CREDENTIAL_ID, Assertion, Attestation
from accounts.passkeys.service import MAX_NAME_LENGTH
from accounts.passkeys.service import Passkey as Kept
from orgportal.conventions.schemas import OMITTABLE, Input

ENCODED = f"^{BASE64URL}$"
# Larger than any that are made: the longest are attestations with a chain of certificates.
MAX_ENCODED = 20_000

CredentialId = Annotated[str, Field(min_length=2, max_length=MAX_CREDENTIAL_ID, pattern=ENCODED)]
Encoded = Annotated[str, Field(min_length=2, max_length=MAX_ENCODED, pattern=ENCODED)]
Name = Annotated[str, Field(max_length=MAX_NAME_LENGTH, description="Which device it is on.", examples=["My phone"])]


class _Credential(Input):
    """What all of them have. What the portal does not go by may come along, as `toJSON()` of a browser gives it."""

    id: CredentialId
    rawId: CredentialId
    type: Literal["public-key"]
    authenticatorAttachment: Literal["platform", "cross-platform"] | None = None
    clientExtensionResults: dict[str, Any] = Field(default_factory=dict, max_length=50)

    @model_validator(mode="after")
    def _one_id(self) -> "_Credential":
        if self.id != self.rawId:
            raise ValueError("id and rawId are not the same.")
        return self


class AttestationResponse(Input):
    """What an authenticator says of a new key pair."""

    clientDataJSON: Encoded
    attestationObject: Encoded
    transports: Annotated[list[Annotated[str, Field(max_length=50)]] | None, OMITTABLE, Field(max_length=20)] = None
    authenticatorData: Annotated[Encoded | None, OMITTABLE] = None
    publicKey: Annotated[str, Field(max_length=MAX_ENCODED)] | None = None
    publicKeyAlgorithm: Annotated[int | None, OMITTABLE] = None


class NewCredential(_Credential):
    """What `navigator.credentials.create()` came to."""

    response: AttestationResponse

    def decoded(self) -> Attestation:
        """The same for the service."""
        return Attestation(
            credential=self.id,
            client_data=base64url_to_bytes(self.response.clientDataJSON),
            attestation=base64url_to_bytes(self.response.attestationObject),
            transports=tuple(self.response.transports or ()),
        )


class AssertionResponse(Input):
    """What an authenticator has signed."""

    clientDataJSON: Encoded
    authenticatorData: Encoded
    signature: Encoded
    userHandle: Annotated[str, Field(min_length=2, max_length=100, pattern=ENCODED)] | None = None


class ShownCredential(_Credential):
    """What `navigator.credentials.get()` came to."""

    response: AssertionResponse

    def decoded(self) -> Assertion:
        """The same for the service."""
        handle = self.response.userHandle
        return Assertion(
            credential=self.id,
            client_data=base64url_to_bytes(self.response.clientDataJSON),
            authenticator_data=base64url_to_bytes(self.response.authenticatorData),
            signature=base64url_to_bytes(self.response.signature),
            user_handle=base64url_to_bytes(handle) if handle else None,
        )


class PasskeyOptions(BaseModel):
    """What the browser is given, for `PublicKeyCredential.parse…OptionsFromJSON()`."""

    publicKey: dict[str, Any] = Field(
        description="The options in the JSON of Web Authentication. Their challenge is good once, for five minutes."
    )


class NewPasskey(Input):
    """A name, and the answer to the options."""

    name: Name
    credential: NewCredential


class PasskeyName(Input):
    """Another name."""

    name: Name


class Passkey(BaseModel):
    """A passkey of one's own account."""

    id: str = Field(examples=["66f0c0ffee0123456789abcd"])
    name: str = Field(examples=["My phone"])
    added_at: datetime
    used_at: datetime | None = Field(description="When it was shown last; null before the first time.")
    is_synced: bool = Field(description="Whether the device says that there are copies of it.")

    @classmethod
    def of(cls, kept: Kept) -> "Passkey":
        """The answer for a passkey."""
        return cls(
            id=str(kept.id),
            name=kept.name,
            added_at=kept.added_at,
            used_at=kept.used_at,
            is_synced=kept.is_synced,
        )


class PasskeyList(BaseModel):
    """All of them: ten at most."""

    items: list[Passkey]
    next_cursor: None = None


class AddedPasskey(Passkey):
    """A new passkey."""

    recovery_codes: list[str] = Field(
        description="Ten, this once, with the account's first second factor; else none, and earlier ones stay good."
    )


class PasskeyLoginBegin(Input):
    """Nothing, for a passkey alone; or the email and password whose second factor it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{}, {"email": "ada@example.org", "password": "correct horse battery staple"}],
            "dependentRequired": {"email": ["password"], "password": ["email"]},
        }
    )

    email: Annotated[str | None, OMITTABLE] = Field(None, max_length=1000)
    password: Annotated[str | None, OMITTABLE] = Field(None, max_length=1000)

    @model_validator(mode="after")
    def _both_or_none(self) -> "PasskeyLoginBegin":
        if (self.email is None) != (self.password is None):
            raise ValueError("Send both email and password, or neither.")
        return self


class PasskeyLogin(Input):
    """The answer to the options; `org` where the account has several organizations."""

    credential: ShownCredential
    org: Annotated[str | None, OMITTABLE] = Field(
        None, max_length=100, description="The slug of the organization to work in."
    )


class PasskeyConfirmation(Input):
    """The answer to the options."""

    credential: ShownCredential
