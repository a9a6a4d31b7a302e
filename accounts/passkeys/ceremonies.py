"""The two ceremonies of Web Authentication: what a browser is asked for, and whether what it answers is right.

The signatures and formats are the library's to judge; what it leaves to its caller is checked here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
import webauthn
from bson import ObjectId
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.options_to_json_dict import options_to_json_dict
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.passkeys.challenges import LIFETIME
from accounts.passkeys.relying_party import NAME, relying_party
from orgportal.database import Document

# WebAuthn, 7.1, step 25: longer ids are refused. In base64url.
MAX_CREDENTIAL_ID = 1364
# Whole groups of four, and what is left of two or three: one alone is no byte (RFC 4648, 4).
BASE64URL = "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?"
_BASE64URL = re.compile(BASE64URL, re.ASCII)
# ES256, EdDSA and RS256, as recommended (WebAuthn, 5.4.1): what authenticators have.
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
# No attestation is asked for. What may come all the same is "none", or one that the authenticator signed itself
# (WebAuthn, 5.1.3, step on attestation "none").
FORMATS = {AttestationFormat.NONE, AttestationFormat.PACKED}
TRANSPORTS = tuple(one.value for one in AuthenticatorTransport)
TIMEOUT_MILLISECONDS = int(LIFETIME.total_seconds()) * 1000

log = structlog.get_logger(__name__)


class Refused(Exception):
    """What the browser answered is not right. The text is for logs."""


@dataclass(frozen=True)
class Attestation:
    """What `navigator.credentials.create()` came to, decoded."""

    credential: str
    client_data: bytes = field(repr=False)
    attestation: bytes = field(repr=False)
    transports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assertion:
    """What `navigator.credentials.get()` came to, decoded."""

    credential: str
    client_data: bytes = field(repr=False)
    authenticator_data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    user_handle: bytes | None = None


@dataclass(frozen=True)
class NewCredential:
    """A key pair that an authenticator has made: its id, the public half, and what it says about itself."""

    credential: str
    public_key: bytes = field(repr=False)
    count: int
    can_sync: bool
    synced: bool


@dataclass(frozen=True)
class Shown:
    """A credential that was shown: how often it says it was, and whether it is copied to other devices."""

    count: int
    synced: bool


def user_handle_of(account_id: ObjectId) -> bytes:
    """What an authenticator knows an account by: its id, which tells nothing about the person (WebAuthn, 14.6.1)."""
    return account_id.binary


def creation_options(*, challenge: bytes, account_id: ObjectId, email: str, present: Sequence[Document]) -> Document:
    """What `navigator.credentials.create()` is given: a passkey that knows its user, and none that is there already.

    Raises PortalError 409 `passkeys_unavailable`.
    """
    options = webauthn.generate_registration_options(
        rp_id=relying_party().id,
        rp_name=NAME,
        user_id=user_handle_of(account_id),
        user_name=email,
        user_display_name=email,
        challenge=challenge,
        timeout=TIMEOUT_MILLISECONDS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(present),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def request_options(*, challenge: bytes, present: Sequence[Document], verify_user: bool) -> Document:
    """What `navigator.credentials.get()` is given. Without any `present`, the user picks one that the device knows.

    Raises PortalError 409 `passkeys_unavailable`.
    """
    options = webauthn.generate_authentication_options(
        rp_id=relying_party().id,
        challenge=challenge,
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=_descriptors(present),
        user_verification=UserVerificationRequirement.REQUIRED
        if verify_user
        else UserVerificationRequirement.PREFERRED,
    )
    return options_to_json_dict(options)


def check_attestation(shown: Attestation, *, challenge: bytes) -> NewCredential:
    """The new credential, once everything about it is right (WebAuthn, 7.1). Raises Refused."""
    identity = _raw_id(shown.credential)
    party = relying_party()
    credential = RegistrationCredential(
        id=shown.credential,
        raw_id=identity,
        response=AuthenticatorAttestationResponse(
            client_data_json=shown.client_data, attestation_object=shown.attestation
        ),
    )
    try:
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except Exception as error:
        raise _refused(error) from error
    if found.fmt not in FORMATS:
        raise Refused("an attestation that nobody asked for")
    if found.credential_id != identity:
        raise Refused("the id is not that of the attested credential")
    return NewCredential(
        credential=shown.credential,
        public_key=found.credential_public_key,
        count=found.sign_count,
        can_sync=found.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        synced=found.credential_backed_up,
    )


def check_assertion(
    shown: Assertion, *, challenge: bytes, passkey: Mapping[str, Any], account_id: ObjectId, verify_user: bool
) -> Shown:
    """How the passkey stands, once its signature and all that it signed are right (WebAuthn, 7.2). Raises Refused.

    The counter is not judged here: see `accounts.passkeys.login`. `verify_user`: who holds it must have been verified
    by the authenticator, and must be told by it.
    """
    if shown.user_handle is None and verify_user:
        raise Refused("no user handle")
    if shown.user_handle is not None and shown.user_handle != user_handle_of(account_id):
        raise Refused("the user handle of another account")
    party = relying_party()
    credential = AuthenticationCredential(
        id=shown.credential,
        raw_id=_raw_id(shown.credential),
        response=AuthenticatorAssertionResponse(
            client_data_json=shown.client_data,
            authenticator_data=shown.authenticator_data,
            signature=shown.signature,
            user_handle=shown.user_handle,
        ),
    )
    try:
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=bytes(passkey["public_key"]),
            credential_current_sign_count=0,
            require_user_verification=verify_user,
        )
    except Exception as error:
        raise _refused(error) from error
    if (found.credential_device_type == CredentialDeviceType.MULTI_DEVICE) != passkey["can_sync"]:
        raise Refused("it was no credential that can be backed up, and is one now, or the reverse")
    return Shown(found.new_sign_count, found.credential_backed_up)


def is_credential_id(text: object) -> bool:
    """Whether it can be a credential's id: checked before any query."""
    return isinstance(text, str) and 0 < len(text) <= MAX_CREDENTIAL_ID and _BASE64URL.fullmatch(text) is not None


def _raw_id(text: str) -> bytes:
    if not is_credential_id(text):
        raise Refused("no id of a credential")
    return base64url_to_bytes(text)


def _refused(error: Exception) -> Refused:
    """What the library raises over bytes of a stranger's making: its own errors, and those of the parsers in it."""
    log.info("passkey_refused", error=type(error).__name__)
    return Refused(type(error).__name__)


def _descriptors(passkeys: Sequence[Document]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one["credential"]),
            transports=[AuthenticatorTransport(name) for name in one["transports"]],
        )
        for one in passkeys
    ]
