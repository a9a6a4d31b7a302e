"""Which fields of `data` a list shows: `a,b.c`."""

from orgportal.errors import invalid
from tenants.records.filters import field_of

MAX_FIELDS = 100
MAX_TEXT = 1500
# What every record is shown with, and needs to be placed in a list.
FACTS = ("_id", "rev", "created_at", "updated_at", "created_by")


def parse_fields(text: str | None) -> tuple[str, ...]:
    """The paths of `?fields=`; none means all. Raises PortalError 422."""
    if text is None or not text.strip():
        return ()
    if len(text) > MAX_TEXT:
        raise invalid("fields", f"Use at most {MAX_TEXT:,} characters.")
    paths = [part.strip() for part in text.split(",")]
    if len(paths) > MAX_FIELDS:
        raise invalid("fields", f"Name at most {MAX_FIELDS} fields.")
    for path in paths:
        field_of(path, "fields")
    return tuple(paths)


def projection_of(paths: tuple[str, ...]) -> dict[str, int] | None:
    """What to ask the database for; None for whole records."""
    if not paths:
        return None
    return dict.fromkeys([*FACTS, *(f"data.{path}" for path in outermost(paths))], 1)


def outermost(paths: tuple[str, ...]) -> list[str]:
    """The paths without those that lie within another: a database refuses to be asked for both."""
    chosen = set(paths)
    return [path for path in dict.fromkeys(paths) if not any(path.startswith(f"{outer}.") for outer in chosen)]
