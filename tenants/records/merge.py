"""JSON merge patch (RFC 7396) over BSON values."""

from typing import Any


def merged(target: Any, patch: Any) -> Any:
    """`target` with `patch` applied: objects are merged, null removes, anything else replaces.

    Dates and other wrapped values are values here, not objects. Neither argument is changed.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), change)
    return result
