"""What is done to records picked out by hand."""

from collections.abc import Sequence

from orgportal.errors import PortalError, invalid
from tenants import manager
from tenants.access import Access
from tenants.audit.records import acting
from tenants.records import sort_marks
from tenants.records.documents import is_id

MAX_PICKED = 500
# So many ids the audit keeps; each has up to 128 characters.
SHOWN = 20


def count_picked(*, access: Access, ids: Sequence[str]) -> int:
    """How many of the records are there. Raises PortalError 422 for over 500, or for what is no id."""
    return manager.bind(access).count({"_id": {"$in": _checked(ids)}})


def delete_picked(*, access: Access, ids: Sequence[str], expected_count: int) -> int:
    """Remove the records when as many of them are there as the caller expects; how many that were.

    Raises PortalError 409 `count_changed` when they are not, else as `count_picked`.
    """
    checked, records = _checked(ids), manager.bind(access)
    there = records.count({"_id": {"$in": checked}})
    if there != expected_count:
        message = f"There were {expected_count:,}, and now there are {there:,}. Nothing was deleted."
        raise PortalError("count_changed", 409, message, data={"count": there})
    told = {"records": there, "ids": checked[:SHOWN]}
    with acting(access, "records.deleted", told), sort_marks.outdated(records, checked):
        return records.delete_many({"_id": {"$in": checked}}).deleted_count


def _checked(ids: Sequence[str]) -> list[str]:
    if len(ids) > MAX_PICKED:
        raise invalid("id", f"Pick at most {MAX_PICKED} records.")
    if not all(is_id(id) for id in ids):
        raise invalid("id", "This is not the id of a record.")
    return list(dict.fromkeys(ids))
