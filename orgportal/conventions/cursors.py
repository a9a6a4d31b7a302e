"""Opaque cursors of keyset lists: signed, so that a caller can hand back only what the portal gave out."""

from bson import ObjectId
from django.core import signing

from orgportal.errors import PortalError, invalid

MAX_LENGTH = 200


def cursor_after(last: ObjectId, *, listing: str) -> str:
    """The cursor that goes on behind `last` in the named listing."""
    return signing.Signer(salt=f"orgportal.cursor.{listing}").sign(str(last)).replace(":", "~")


def read_cursor(cursor: str | None, *, listing: str) -> ObjectId | None:
    """Where the cursor says to go on. Raises PortalError 422 for one that this listing did not give out."""
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_LENGTH:
            raise _unknown()
        value = signing.Signer(salt=f"orgportal.cursor.{listing}").unsign(cursor.replace("~", ":"))
    except signing.BadSignature:
        raise _unknown() from None
    return ObjectId(value)


def _unknown() -> PortalError:
    return invalid("cursor", "Use the next_cursor of an earlier answer of this list.")
