"""What a request must be before any view sees it: decodable, uncompressed, and of a bounded size."""

import io
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from gunicorn.http.errors import ParseException

from orgportal.answers import bad_request, body_too_large
from orgportal.errors import PortalError, not_found

DISCARD_BYTES = 67_108_864
DISCARD_SECONDS = 5.0
_CHUNK = 64 * 1024
_PIECE = 256 * 1024
_STREAMED = re.compile(r"/api/v1/orgs/[^/]+/imports")
# Forms with a file, which goes to disk, or with a record as text, which is longer than the record.
_ROOMY = re.compile(r"/records/(import|new|id/[^/]+)")


def check(request: HttpRequest) -> None:
    """Raise the PortalError that a broken request deserves."""
    _check_path(request)
    _check_query(request)
    _check_encoding(request)
    _check_length(request)
    if is_chunked(request) and not is_streamed(request):
        _read_chunked(request)


def _check_length(request: HttpRequest) -> None:
    if is_streamed(request) or _ROOMY.fullmatch(request.path):
        return
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > settings.MAX_BODY_BYTES:
        raise body_too_large()


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes without a length."""
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def is_streamed(request: HttpRequest) -> bool:
    """Whether the body is a file that its view reads piece by piece, with bounds of its own."""
    return request.method == "POST" and _STREAMED.fullmatch(request.path) is not None


def body_pieces(request: HttpRequest) -> Iterator[bytes]:
    """The body of a streamed request, piece by piece. Raises PortalError 400 when it breaks off, 411 without an end."""
    if is_chunked(request):
        yield from _chunked_pieces(request)
        return
    missing = int(request.META.get("CONTENT_LENGTH") or 0)
    while missing:
        piece = request.read(_PIECE)
        if not piece:
            raise _incomplete()
        missing -= len(piece)
        yield piece


def discard(pieces: Iterator[bytes]) -> None:
    """Take what is left of a refused body, up to a bound: who is still sending does not read the answer."""
    size, until = 0, time.monotonic() + DISCARD_SECONDS
    with suppress(PortalError, UnreadablePostError):
        for piece in pieces:
            size += len(piece)
            if size > DISCARD_BYTES or time.monotonic() > until:
                return


def _chunked_pieces(request: HttpRequest) -> Iterator[bytes]:
    if not request.META.get("wsgi.input_terminated"):
        raise PortalError("length_required", 411, "Send the body with a Content-Length.")
    try:
        while piece := request.META["wsgi.input"].read(_CHUNK):
            yield piece
    except (OSError, ParseException):
        raise _incomplete() from None


def _incomplete() -> PortalError:
    return bad_request("incomplete_body", "The body of the request is broken, or ended too early.")


def _check_path(request: HttpRequest) -> None:
    # What is not UTF-8 Django has escaped again by now; no name of ours has a percent sign.
    if "\0" in request.path:
        raise not_found()


def _check_query(request: HttpRequest) -> None:
    raw = unquote_to_bytes(request.META.get("QUERY_STRING", ""))
    if b"\0" in raw or not _is_utf8(raw):
        raise bad_request("bad_query", "The query string is not valid UTF-8.")


def _check_encoding(request: HttpRequest) -> None:
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise PortalError("unsupported_encoding", 415, "Send the body uncompressed.")
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise PortalError("unsupported_charset", 415, "Send the body in UTF-8.")


def _read_chunked(request: HttpRequest) -> None:
    """Take a body that comes without a length: Django would not see it, and nothing would bound it."""
    body = bytearray()
    for piece in _chunked_pieces(request):
        body += piece
        if len(body) > settings.MAX_BODY_BYTES:
            raise body_too_large()
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
