"""The one error that services raise and that pages and the API turn into an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class InputError:
    """One thing wrong with the input: `path` is where (`metadata.colour`), `message` what."""

    path: str
    message: str


class PortalError(Exception):
    """A refusal or failure that a caller is told about.

    `code` is stable snake_case, `status` the HTTP status, `message` a sentence for people, `errors` what
    is wrong with which field, `retry_after` seconds, `data` further members of the problem document.
    Pages show it as an error page or beside the field, the API as RFC 9457 problem+json.
    """

    def __init__(
        self,
        code: str,
        status: int,
        message: str,
        *,
        errors: Sequence[InputError] = (),
        retry_after: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.data = dict(data or {})


def invalid(path: str, message: str) -> PortalError:
    """422 for one field of the input."""
    return PortalError("invalid_input", 422, "Some of the input is not acceptable.", errors=[InputError(path, message)])


def not_found() -> PortalError:
    """404: the same words for what does not exist and for what the caller may not know of."""
    return PortalError("not_found", 404, "There is nothing here, or nothing that you may see.")


def forbidden() -> PortalError:
    """403: the caller is a member, but the role is not enough."""
    return PortalError("forbidden", 403, "Your role does not allow this.")


def unauthenticated() -> PortalError:
    """401: no credential, or one that does not count; never says which."""
    return PortalError("unauthenticated", 401, "Log in, or send a valid access token.")


def database_unavailable() -> PortalError:
    """503: the database gave no answer in time. An unfinished write may have happened or not."""
    return PortalError("database_unavailable", 503, "The database does not answer. Try again shortly.", retry_after=2)


def organization_busy(seconds: int = 2) -> PortalError:
    """503: the organization is being renamed, moved or set up at this moment."""
    return PortalError(
        "organization_busy", 503, "The organization is being changed right now. Try again shortly.", retry_after=seconds
    )
