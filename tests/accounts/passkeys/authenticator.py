"""A software authenticator with a browser around it: makes key pairs (ES256), signs, and lies where it is told to."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORIGIN = "http://testserver"
PRESENT, VERIFIED, CAN_SYNC, SYNCED, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40

Json = dict[str, Any]


def to_text(raw: bytes) -> str:
    """Base64url, as browsers write bytes in JSON."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Lies:
    """What an answer says in place of the truth."""

    origin: str = ORIGIN
    rp_id: str | None = None
    type: str | None = None
    challenge: str | None = None
    cross_origin: object = False
    verified: bool = True
    present: bool = True
    count: int | None = None
    user_handle: bytes | None = None
    no_handle: bool = False
    can_sync: bool | None = None
    tampered: bool = False
    signed_by_maker: bool = False
    signed_by_itself: bool = False


HONEST = Lies()


@dataclass
class Held:
    """A credential in the authenticator."""

    id: bytes
    key: EllipticCurvePrivateKey
    rp_id: str
    user_handle: bytes
    count: int = 0


@dataclass
class Authenticator:
    """Keeps passkeys. `counts`: whether it has a counter; `synced`: whether it copies them to other devices.

    `next_id` is the id of the next one that it makes, in place of a random one.
    """

    counts: bool = True
    synced: bool = False
    next_id: bytes = b""
    held: list[Held] = field(default_factory=list)

    def create(self, options: Mapping[str, Any], lies: Lies = HONEST) -> Json:
        """What `navigator.credentials.create()` gives, as JSON."""
        key = generate_private_key(SECP256R1())
        made = Held(self.next_id or secrets.token_bytes(32), key, options["rp"]["id"], to_bytes(options["user"]["id"]))
        self.held.append(made)
        attested = bytes(16) + len(made.id).to_bytes(2, "big") + made.id + _cose(key)
        data = self._data(made, lies, extra=ATTESTED) + attested
        client = _client_data("webauthn.create", options["challenge"], lies)
        statement = {"fmt": "none", "attStmt": {}}
        if lies.signed_by_maker:
            statement = _statement_of_maker(made, client)
        if lies.signed_by_itself:
            statement = _statement_of_itself(made, data, client)
        attestation = cbor2.dumps({**statement, "authData": data})
        response = {
            "clientDataJSON": to_text(client),
            "attestationObject": to_text(attestation),
            "transports": ["internal"],
        }
        return _credential(made, response)

    def get(self, options: Mapping[str, Any], lies: Lies = HONEST, *, held: Held | None = None) -> Json:
        """What `navigator.credentials.get()` gives, as JSON: with the first credential that is allowed, or `held`."""
        allowed = [to_bytes(one["id"]) for one in options.get("allowCredentials", [])]
        used = held or next(one for one in self.held if not allowed or one.id in allowed)
        if self.counts:
            used.count += 1
        data = self._data(used, lies)
        client = _client_data("webauthn.get", options["challenge"], lies)
        signature = used.key.sign(data + hashlib.sha256(client).digest(), ECDSA(hashes.SHA256()))
        if lies.tampered:
            data = data[:-1] + bytes([data[-1] ^ 1])
        response = {
            "clientDataJSON": to_text(client),
            "authenticatorData": to_text(data),
            "signature": to_text(signature),
        }
        if not lies.no_handle:
            response["userHandle"] = to_text(lies.user_handle or used.user_handle)
        return _credential(used, response)

    def _data(self, used: Held, lies: Lies, *, extra: int = 0) -> bytes:
        can_sync = self.synced if lies.can_sync is None else lies.can_sync
        flags = extra | (PRESENT if lies.present else 0) | (VERIFIED if lies.verified else 0)
        flags |= (CAN_SYNC | SYNCED) if can_sync else 0
        count = used.count if lies.count is None else lies.count
        rp_id = used.rp_id if lies.rp_id is None else lies.rp_id
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")


def lying(**what: Any) -> Lies:
    """Honest but for this."""
    return replace(HONEST, **what)


def _client_data(kind: str, challenge: str, lies: Lies) -> bytes:
    fields = {
        "type": lies.type or kind,
        "challenge": challenge if lies.challenge is None else lies.challenge,
        "origin": lies.origin,
        "crossOrigin": lies.cross_origin,
    }
    return json.dumps(fields).encode()


def _credential(used: Held, response: Json) -> Json:
    identity = to_text(used.id)
    return {"id": identity, "rawId": identity, "type": "public-key", "response": response, "clientExtensionResults": {}}


def _statement_of_maker(made: Held, client: bytes) -> Json:
    """What says who made the authenticator, in the format "fido-u2f" (WebAuthn, 8.6)."""
    maker = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Maker")])
    moment = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, maker.public_key(), x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
        .sign(maker, hashes.SHA256())
    )
    point = made.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    client_digest = hashlib.sha256(client).digest()
    signed = b"\0" + hashlib.sha256(made.rp_id.encode()).digest() + client_digest + made.id + point
    signature = maker.sign(signed, ECDSA(hashes.SHA256()))
    return {"fmt": "fido-u2f", "attStmt": {"x5c": [certificate.public_bytes(Encoding.DER)], "sig": signature}}


def _statement_of_itself(made: Held, data: bytes, client: bytes) -> Json:
    """What the new key itself has signed, in the format "packed" (WebAuthn, 8.2): it says of nobody who made it."""
    signature = made.key.sign(data + hashlib.sha256(client).digest(), ECDSA(hashes.SHA256()))
    return {"fmt": "packed", "attStmt": {"alg": -7, "sig": signature}}


def _cose(key: EllipticCurvePrivateKey) -> bytes:
    """The public key as COSE writes it (RFC 9053, 7.1.1)."""
    numbers = key.public_key().public_numbers()
    return bytes(
        cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
    )
