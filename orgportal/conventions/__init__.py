"""The conventions that all of the API keeps: entity tags, idempotency keys, cursors."""

from orgportal.conventions.cursors import cursor_after, read_cursor
from orgportal.conventions.etags import etag_of, expected_rev, expected_tags, is_known
from orgportal.conventions.idempotency import INDEXES, idempotent, origin_of

__all__ = [
    "INDEXES",
    "cursor_after",
    "etag_of",
    "expected_rev",
    "expected_tags",
    "idempotent",
    "is_known",
    "origin_of",
    "read_cursor",
]
