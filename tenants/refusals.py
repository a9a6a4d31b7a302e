"""What the database refuses about a record by the rules that its organization made: unique indexes, its schema."""

from collections.abc import Mapping
from typing import Any

from orgportal.errors import InputError, PortalError

DUPLICATE_KEY = 11000
DOCUMENT_VALIDATION_FAILURE = 121
CANNOT_INDEX_PARALLEL_ARRAYS = 171


def refusal_of(error: Mapping[str, Any]) -> PortalError | None:
    """What a caller is told about a write error (`WriteError.details`, or one of a BulkWriteError's `writeErrors`).

    409 `not_unique` names the fields of the unique index, 422 `schema_violation` what the database's copy of the
    schema refused. None for everything else, an `_id` that is there already among it.
    """
    code = error.get("code")
    if code == DUPLICATE_KEY:
        paths = list(error.get("keyPattern") or {})
        return not_unique(paths) if paths and paths != ["_id"] else None
    if code == DOCUMENT_VALIDATION_FAILURE:
        return schema_violation([InputError("data", "The organization's schema does not allow this.")])
    if code == CANNOT_INDEX_PARALLEL_ARRAYS:
        message = "Two of the fields that one index is over hold lists; at most one may."
        return PortalError("invalid_input", 422, message, errors=[InputError("data", message)])
    return None


def not_unique(paths: list[str]) -> PortalError:
    """409: another record has the same values in fields that an index keeps unique; `paths` as `data.email`."""
    fields = " and ".join(f"“{path.removeprefix('data.')}”" for path in paths)
    together = "these values together" if len(paths) > 1 else "this value"
    errors = [InputError(path, f"Another record has {together}.") for path in paths]
    return PortalError("not_unique", 409, f"Another record has the same {fields}, which must be unique.", errors=errors)


def schema_violation(errors: list[InputError]) -> PortalError:
    """422: the data is not as the organization's schema says."""
    return PortalError("schema_violation", 422, "The data does not fit the organization's schema.", errors=errors)
