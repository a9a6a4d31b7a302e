"""Cursors of record lists: a position in the order, signed, for one organization, filter and sort only."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId
from bson.codec_options import CodecOptions
from django.core import signing

from orgportal.errors import PortalError, invalid

MAX_LENGTH = 4000
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)


@dataclass(frozen=True)
class Position:
    """Where a page ended: at the record `id`, with the values that its place depends on."""

    values: tuple[Any, ...]
    id: str


@dataclass(frozen=True)
class Listing:
    """What a cursor is good for: the list of one organization with one filter and one sort."""

    org_id: ObjectId
    filter: Any
    sort: str

    def _signer(self) -> signing.Signer:
        asked = json.dumps([str(self.org_id), self.filter, self.sort], sort_keys=True)
        return signing.Signer(salt=f"orgportal.cursor.records.{hashlib.sha256(asked.encode()).hexdigest()}")

    def cursor_after(self, position: Position) -> str:
        """The cursor that goes on behind the position."""
        packed = bson.encode({"v": list(position.values), "i": position.id})
        text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return self._signer().sign(text).replace(":", "~")

    def position_of(self, cursor: str | None) -> Position | None:
        """Where the cursor says to go on. Raises PortalError 422 for one that another list gave out."""
        if cursor is None:
            return None
        if len(cursor) > MAX_LENGTH:
            raise _unknown()
        try:
            text = self._signer().unsign(cursor.replace("~", ":"))
        except signing.BadSignature:
            raise _unknown() from None
        row = bson.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), _OPTIONS)
        return Position(tuple(row["v"]), row["i"])


def stamp_of(position: Position) -> datetime:
    """When the record was created at which a page in the default order ended."""
    stamp = position.values[0]
    if not isinstance(stamp, datetime):
        raise _unknown()
    return stamp


def _unknown() -> PortalError:
    return invalid("cursor", "Use the next_cursor of an earlier answer of this list.")
