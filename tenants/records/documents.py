"""A record as it is stored in the organization's collection, and as services hand it around."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from accounts.principal import Principal
from orgportal.database import Document
from orgportal.errors import PortalError, invalid
from tenants.documents import now
from tenants.records import wrappers

ID_PATTERN = "^[A-Za-z0-9._~:@-]{1,128}$"
# Addresses of their own beside the records'.
_RESERVED_IDS = frozenset({"count", "delete-matching"})
_ID = re.compile(ID_PATTERN.removesuffix("$"), re.ASCII)


@dataclass(frozen=True)
class Record:
    """A record as it was when it was read. `data` holds BSON values; `created_by` is an account's id or `key:<id>`."""

    id: str
    data: Document
    rev: int
    created_at: datetime
    updated_at: datetime
    created_by: str

    @property
    def version(self) -> str:
        """Names this state of this record: a deleted one that was made again has other versions."""
        return f"{self.rev}-{wrappers.milliseconds_of(self.created_at):x}"


def record_from(row: Mapping[str, Any]) -> Record:
    """The picture of a stored record, or of the part of it that was asked for."""
    return Record(
        id=row["_id"],
        data=row.get("data", {}),
        rev=row["rev"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        created_by=row["created_by"],
    )


def new_row(*, id: str, data: Document, created_by: str) -> Document:
    """What is stored for a new record."""
    moment = now()
    return {
        "_id": id,
        "data": data,
        "rev": 1,
        "created_at": moment,
        "updated_at": moment,
        "created_by": created_by,
    }


def new_id() -> str:
    """An id for a record whose author chose none: 24 hexadecimal digits."""
    return str(ObjectId())


def is_id(text: object) -> bool:
    """Whether a record can have this id."""
    if not isinstance(text, str) or _ID.fullmatch(text) is None:
        return False
    return text.strip(".") != "" and text not in _RESERVED_IDS


def check_id(text: object, *, path: str = "id") -> str:
    """The id itself. Raises PortalError 422 for one that no record can have."""
    if not isinstance(text, str) or not is_id(text):
        message = "Use 1 to 128 of A-Z, a-z, 0-9 and . _ ~ : @ -, not dots alone, not count or delete-matching."
        raise invalid(path, message)
    return text


def author_of(principal: Principal) -> str:
    """What `created_by` keeps of whoever writes."""
    return f"key:{principal.key_id}" if principal.method == "key" else str(principal.account_id)


def record_exists(id: str) -> PortalError:
    """409: the id that was chosen is taken."""
    return PortalError("record_exists", 409, f"There is a record with the id {id} already.")


def stale() -> PortalError:
    """412: the caller decided on a state that is no longer there."""
    return PortalError("stale", 412, "Somebody changed the record since you read it. Read it again.")
