"""What a request must be before any view sees it: decodable, uncompressed, and of a bounded size."""

import io
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest
from gunicorn.http.errors import ParseException

from orgportal.answers import bad_request, body_too_large
from orgportal.errors import PortalError, not_found

_CHUNK = 64 * 1024


def check(request: HttpRequest) -> None:
    """Raise the PortalError that a broken request deserves."""
    _check_path(request)
    _check_query(request)
    _check_encoding(request)
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        _read_chunked(request)


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
    if not request.META.get("wsgi.input_terminated"):
        raise PortalError("length_required", 411, "Send the body with a Content-Length.")
    body = bytearray()
    try:
        while chunk := request.META["wsgi.input"].read(_CHUNK):
            body += chunk
            if len(body) > settings.MAX_BODY_BYTES:
                raise body_too_large()
    except (OSError, ParseException):
        raise bad_request("incomplete_body", "The body of the request is broken.") from None
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
