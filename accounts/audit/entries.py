"""One entry of a chain: how it is stored, how it is written for people and programs, and what its hash covers.

The hash is SHA-256 over the canonical JSON of everything in the entry, its place and the previous hash
included. It needs no secret, so an export can be checked by anybody. The `mac` over the hash needs the
portal's key, so nobody else can write an entry or a whole new chain that fits.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final, Literal

from bson import ObjectId
from pymongo import ASCENDING, IndexModel

from accounts.audit import keys
from accounts.audit.actions import PHRASES
from accounts.audit.actors import Actor
from orgportal import circumstances
from orgportal.database import Document

ENTRIES = "audit"
HEADS = "audit_heads"
TALLIES = "audit_tallies"

INDEXES: dict[str, list[IndexModel]] = {
    ENTRIES: [IndexModel([("org_id", ASCENDING), ("seq", ASCENDING)], name="org_id_seq", unique=True)],
    TALLIES: [IndexModel([("org_ids", ASCENDING)], name="org_ids")],
}

# The chain of what belongs to no organization.
PORTAL: Final = None
Chain = ObjectId | None
Result = Literal["done", "failed", "refused"]
RESULTS: tuple[Result, ...] = ("done", "failed", "refused")

GENESIS = "0" * 64
LONGEST_TEXT = 300
LONGEST_DETAILS = 4096
_DETAIL_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


def instant() -> datetime:
    """This instant in UTC, at the millisecond that MongoDB keeps."""
    moment = datetime.now(timezone.utc)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Draft:
    """An entry before it has its place in a chain."""

    action: str
    result: Result
    actor: Actor
    target: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    at: datetime = field(default_factory=instant)
    address: str = field(default_factory=lambda: circumstances.current().address)
    agent: str = field(default_factory=lambda: circumstances.current().agent)
    request_id: str = field(default_factory=lambda: circumstances.current().request_id)

    def __post_init__(self) -> None:
        if self.action not in PHRASES:
            raise ValueError(f"{self.action!r} is not declared in accounts.audit.actions")
        _check_details(self.details, "details")
        if len(json.dumps(dict(self.details))) > LONGEST_DETAILS:
            raise ValueError(f"the details of {self.action} are too long for an entry")


def chain_name(chain: Chain) -> str:
    """How a chain is called in ids and exports: the organization's id, or `portal`."""
    return "portal" if chain is None else str(chain)


def entry_id(chain: Chain, seq: int) -> str:
    """The `_id` of the entry at a place: unique, so that two writers never share one."""
    return f"{chain_name(chain)}:{seq}"


def placed(draft: Draft, chain: Chain, seq: int, previous: str) -> Document:
    """The document to store at that place of the chain, hashed and sealed."""
    document: Document = {
        "_id": entry_id(chain, seq),
        "org_id": chain,
        "seq": seq,
        "id": draft.id,
        "at": draft.at,
        "action": draft.action,
        "result": draft.result,
        "actor": {name: _text(value) for name, value in draft.actor.as_document().items()},
        "target": _text(draft.target),
        "details": _cleaned(draft.details),
        "address": _text(draft.address),
        "agent": _text(draft.agent),
        "request_id": _text(draft.request_id),
        "previous": previous,
        "key": keys.current_key(),
    }
    digest = hash_of(document)
    return {**document, "hash": digest, "mac": keys.seal(f"entry:{digest}")}


def exported(document: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as JSON: what the export holds, and what the hash was made of (without `hash` and `mac`).

    Raises ValueError for a document that no entry can be.
    """
    fields = {name: value for name, value in document.items() if name not in {"_id", "org_id"}}
    if document.get("_id") != f"{chain_name(document.get('org_id'))}:{document.get('seq')}":
        raise ValueError("its id and its place differ")
    at = fields.get("at")
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError("its time is none")
    return {"chain": chain_name(document["org_id"]), **fields, "at": at.isoformat(timespec="milliseconds")}


def hash_of(document: Mapping[str, Any]) -> str:
    """The hash of a stored entry, whatever it says itself. Raises ValueError for what cannot be an entry."""
    content = {name: value for name, value in exported(document).items() if name not in {"hash", "mac"}}
    return hashlib.sha256(canonical(content)).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one way to write an entry: JSON in ASCII with sorted names and no spaces.

    Raises ValueError for values that JSON does not have.
    """
    try:
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except TypeError as error:
        raise ValueError("a value in it is not JSON") from error


def _text(value: str) -> str:
    """At most 300 characters that every encoding holds."""
    return value.encode("utf-8", "backslashreplace").decode()[:LONGEST_TEXT]


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _check_details(value: Any, path: str) -> None:
    """Only what reads back as it was written: no fractions, no dates, no names that a database could trip over."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str) or not _DETAIL_NAME.fullmatch(name):
                raise ValueError(f"{path}: {name!r} is no name for a detail")
            _check_details(inner, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_details(inner, path)
    elif value is not None and not isinstance(value, (str, bool, int)):
        raise ValueError(f"{path}: {type(value).__name__} is not kept in an entry")
