"""Opaque cursors of keyset lists: signed, so that a caller can hand back only what the portal gave out."""

from bson import ObjectId
from django.core import signing

from orgportal.errors import PortalError, invalid

MAX_LENGTH = 200


def cursor_after(last: ObjectId, *, listing: str) -> str:
    """The cursor that goes on behind `last` in the named listing."""
    return _written(str(last), listing)


def read_cursor(cursor: str | None, *, listing: str) -> ObjectId | None:
    """Where the cursor says to go on. Raises PortalError 422 for one that this listing did not give out."""
    return None if cursor is None else ObjectId(_read(cursor, listing))


def place_before(place: int, *, listing: str) -> str:
    """The cursor that goes on in front of a numbered place of the named listing."""
    return _written(str(place), listing)


def read_place(cursor: str | None, *, listing: str) -> int | None:
    """In front of which place the cursor says to go on. Raises as `read_cursor`."""
    return None if cursor is None else int(_read(cursor, listing))


def _written(value: str, listing: str) -> str:
    return signing.Signer(salt=f"orgportal.cursor.{listing}").sign(value).replace(":", "~")


def _read(cursor: str, listing: str) -> str:
    try:
        if len(cursor) > MAX_LENGTH:
            raise _unknown()
        return signing.Signer(salt=f"orgportal.cursor.{listing}").unsign(cursor.replace("~", ":"))
    except signing.BadSignature:
        raise _unknown() from None


def _unknown() -> PortalError:
    return invalid("cursor", "Use the next_cursor of an earlier answer of this list.")
