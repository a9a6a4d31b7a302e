"""What an organization may keep about itself: a flat JSON object, checked before it is stored."""

import math
from collections.abc import Mapping

from orgportal.errors import InputError, PortalError

KEYS = 50
KEY_LENGTH = 64
TEXT_LENGTH = 1000
INT64 = 2**63
RESERVED_KEYS = frozenset({"_cls", "_ref"})

MetadataValue = str | int | float | bool | None


def clean_metadata(metadata: Mapping[str, object]) -> dict[str, MetadataValue]:
    """The metadata as it is kept: at most 50 keys, values texts, 64-bit integers, finite numbers, booleans, null.

    Raises PortalError 422 with the path `metadata.<key>` of everything that is not acceptable.
    """
    if not isinstance(metadata, Mapping):
        raise PortalError(
            "invalid_input", 422, "The metadata is no object.", errors=[InputError("metadata", "Use an object.")]
        )
    errors = [InputError("metadata", f"Use at most {KEYS} keys.")] if len(metadata) > KEYS else []
    cleaned: dict[str, MetadataValue] = {}
    for key, value in list(metadata.items())[: KEYS + 1]:
        problem = _key_problem(key) or _value_problem(value)
        if problem:
            errors.append(InputError(f"metadata.{str(key)[:KEY_LENGTH]}", problem))
        elif isinstance(value, str | int | float | None):
            cleaned[key] = value
    if errors:
        raise PortalError("invalid_input", 422, "Some of the metadata is not acceptable.", errors=errors)
    return cleaned


def _key_problem(key: object) -> str:
    if not isinstance(key, str) or not key or len(key) > KEY_LENGTH:
        return f"Use a name of 1 to {KEY_LENGTH} characters."
    if key.startswith("$") or "." in key or "\0" in key or key in RESERVED_KEYS or not _is_unicode(key):
        return "This name cannot be used: no leading $, no dot, no NUL, not _cls or _ref."
    return ""


def _value_problem(value: object) -> str:
    if isinstance(value, str):
        if not _is_unicode(value) or "\0" in value:
            return "Use text without NUL."
        return f"Use at most {TEXT_LENGTH} characters." if len(value) > TEXT_LENGTH else ""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return "" if -INT64 <= value < INT64 else "Use an integer of at most 64 bits."
    if isinstance(value, float):
        return "" if math.isfinite(value) else "Use a finite number."
    return "Use a text, a number, true, false or null."


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
