"""`Idempotency-Key` on POST: the same key and body give the first answer again for 24 hours.

The key itself is never stored. A record's id is an HMAC of key, caller, method and path; the body is kept
as an HMAC; the answer, which may hold tokens, is sealed with a key that is derived from the client's own.
Insertion under the unique id is the lock, so any number of processes agree on who runs.
"""

import base64
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import wraps
from typing import Any

import structlog
from bson import Binary
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from pymongo import ASCENDING, IndexModel
from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError

from accounts.authentication import principal_of
from orgportal import database
from orgportal.errors import PortalError, invalid

INDEXES: dict[str, list[IndexModel]] = {
    "idempotency_keys": [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)]
}

LIFETIME = timedelta(hours=24)
ATTEMPTS = 3
MAX_STORED_BYTES = 256 * 1024
REPLAYED = "Idempotent-Replayed"
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Retry-After", "WWW-Authenticate")
# Answers that say nothing about the request itself: the next try may well succeed.
_PASSING = frozenset({401, 429})
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

View = Callable[..., HttpResponse]
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Claim:
    """One request's place in the book: `holder` tells it from another request with the same key."""

    record_id: str
    fingerprint: str
    holder: str
    sealing_key: bytes


def idempotent(view: View) -> View:
    """Give a POST view the `Idempotency-Key` of api.md. Wraps the whole operation, checks included."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = key_of(request)
        if key is None:
            return view(request, *args, **kwargs)
        claim = _claim_for(request, key)
        answered = _answered_under_another_secret(request, key) or _take(claim)
        if answered is not None:
            return answered
        request.idempotency_origin = _origin(claim)  # type: ignore[attr-defined]
        return _run(claim, lambda: view(request, *args, **kwargs))

    return guarded


def key_of(request: HttpRequest) -> str | None:
    """The request's `Idempotency-Key`, if any. Raises PortalError 422 for one that cannot be."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise invalid("Idempotency-Key", "Use 1 to 255 visible ASCII characters, best a random UUID.")
    return key


def origin_of(request: HttpRequest) -> str | None:
    """A digest of the request's key, caller and body that services keep with what they create, else None.

    It lets them find the first result when the portal crashed before the answer was stored.
    """
    return getattr(request, "idempotency_origin", None)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _lease() -> timedelta:
    """Longer than any request may take, so that only a dead holder is overtaken."""
    return timedelta(seconds=max(settings.LEASE_SECONDS, 2 * settings.DATABASE_DEADLINE))


def _derived_key(secret: str, purpose: str, salt: bytes = b"") -> bytes:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=f"orgportal idempotency {purpose}".encode())
    return derivation.derive(secret.encode())


def _origin(claim: Claim) -> str:
    return _digest(settings.SECRET_KEY, "origin", claim.record_id, claim.fingerprint)


def _digest(secret: str, purpose: str, *parts: str | bytes) -> str:
    mac = hmac.new(_derived_key(secret, purpose), digestmod="sha256")
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        mac.update(len(raw).to_bytes(8, "big") + raw)
    return mac.hexdigest()


def _claim_for(request: HttpRequest, key: str, secret: str | None = None) -> Claim:
    """The claim under SECRET_KEY, or under another secret that is accepted."""
    secret = secret or settings.SECRET_KEY
    principal = principal_of(request)
    caller = str(principal.key_id or principal.account_id) if principal else "anonymous"
    record_id = _digest(secret, "record", key, caller, request.method or "", request.path)
    return Claim(
        record_id=record_id,
        fingerprint=_digest(secret, "body", request.body),
        holder=secrets.token_hex(16),
        sealing_key=_derived_key(secret, "seal", salt=key.encode() + record_id.encode()),
    )


def _answered_under_another_secret(request: HttpRequest, key: str) -> HttpResponse | None:
    """The first answer to a request that came before SECRET_KEY was rotated, or to a process that has it already.

    Nothing is asked while there is no other secret. Raises as `_take`.
    """
    if not settings.SECRET_KEY_FALLBACKS:
        return None
    other = [_claim_for(request, key, secret) for secret in settings.SECRET_KEY_FALLBACKS]
    claims = {claim.record_id: claim for claim in other}
    for found in database.collection("idempotency_keys").find({"_id": {"$in": list(claims)}}):
        if found["expires_at"] > _now():
            claim = claims[found["_id"]]
            _check_body(claim, found)
            if "answer" in found:
                return _unseal(claim, found["answer"])
            if found["lease_until"] > _now():
                raise _in_progress()
    return None


def _check_body(claim: Claim, found: Mapping[str, Any]) -> None:
    if not hmac.compare_digest(found["fingerprint"], claim.fingerprint):
        raise PortalError("idempotency_key_reused", 422, "This Idempotency-Key was used with another body.")


def _in_progress() -> PortalError:
    return PortalError(
        "request_in_progress", 409, "The first request with this Idempotency-Key still runs.", retry_after=1
    )


def _take(claim: Claim) -> HttpResponse | None:
    """None when the claim is ours to run, else the first answer. Raises PortalError 409 or 422."""
    for _ in range(ATTEMPTS):
        if _insert(claim):
            return None
        found = database.collection("idempotency_keys").find_one({"_id": claim.record_id})
        if found is None:
            continue
        if found["holder"] == claim.holder:
            return None
        if found["expires_at"] <= _now():
            _forget(claim.record_id, found["holder"])
            continue
        _check_body(claim, found)
        if "answer" in found:
            return _unseal(claim, found["answer"])
        if found["lease_until"] <= _now() and _overtake(claim, found["holder"]):
            return None
    raise _in_progress()


def _insert(claim: Claim) -> bool:
    """Whether the record is new and ours. After a lost reply the outcome is unknown: the reader looks at `holder`."""
    now = _now()
    record = {
        "_id": claim.record_id,
        "fingerprint": claim.fingerprint,
        "holder": claim.holder,
        "lease_until": now + _lease(),
        "expires_at": now + LIFETIME,
    }
    try:
        database.collection("idempotency_keys").insert_one(record)
    except (DuplicateKeyError, AutoReconnect):
        return False
    return True


def _overtake(claim: Claim, dead: str) -> bool:
    taken = database.collection("idempotency_keys").update_one(
        {"_id": claim.record_id, "holder": dead, "answer": {"$exists": False}},
        {"$set": {"holder": claim.holder, "lease_until": _now() + _lease()}},
    )
    return taken.modified_count == 1


def _forget(record_id: str, holder: str) -> None:
    database.collection("idempotency_keys").delete_one({"_id": record_id, "holder": holder})


def _run(claim: Claim, view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        response = view()
    except BaseException:
        _settle(claim, None)
        raise
    _settle(claim, response)
    return response


def _settle(claim: Claim, response: HttpResponse | None) -> None:
    """Store the answer, or free the key. Failing at it costs no answer: the lease ends by itself."""
    try:
        if response is None or response.status_code >= 500 or response.status_code in _PASSING:
            _forget(claim.record_id, claim.holder)
        else:
            database.collection("idempotency_keys").update_one(
                {"_id": claim.record_id, "holder": claim.holder},
                {"$set": {"answer": Binary(_seal(claim, response))}},
            )
    except PyMongoError as error:
        log.warning("idempotency_not_settled", error=type(error).__name__)


def _seal(claim: Claim, response: HttpResponse) -> bytes:
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    answer = {
        "status": response.status_code,
        "headers": kept,
        "body": base64.b64encode(response.content).decode(),
    }
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(claim.sealing_key).encrypt(nonce, json.dumps(answer).encode(), claim.record_id.encode())


def _unseal(claim: Claim, sealed: bytes) -> HttpResponse:
    try:
        opened = AESGCM(claim.sealing_key).decrypt(sealed[:12], sealed[12:], claim.record_id.encode())
    except InvalidTag:
        raise PortalError("idempotency_key_reused", 422, "The first answer cannot be read any more.") from None
    answer = json.loads(opened)
    response = HttpResponse(base64.b64decode(answer["body"]), status=answer["status"], headers=answer["headers"])
    response[REPLAYED] = "true"
    return response
