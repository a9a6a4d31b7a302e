"""The tabs on top of every page, each for those who may use what is behind it."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.principal import Principal
from accounts.roles import Role


@dataclass(frozen=True)
class Entry:
    """A tab: the name of its address, what it says, its icon, and the role that it takes."""

    url_name: str
    label: str
    icon: str
    needs: Role = Role.VIEWER
    is_current: bool = False


ENTRIES = (
    Entry("dashboard", "Dashboard", "building-community"),
    Entry("records", "Records", "table"),
    Entry("members", "Members", "users"),
    Entry("organization_settings", "Settings", "settings", needs=Role.ADMIN),
    Entry("account", "Account", "user"),
)


def navigation_for(viewer: Principal | None, path: str) -> list[Entry]:
    """The tabs that the viewer's role reaches; the current one is that whose address `path` begins with."""
    role = viewer.role if viewer else None
    if role is None:
        return []
    return [
        Entry(entry.url_name, entry.label, entry.icon, entry.needs, is_current=_leads_to(entry, path))
        for entry in ENTRIES
        if role.covers(entry.needs)
    ]


def _leads_to(entry: Entry, path: str) -> bool:
    address = reverse(entry.url_name)
    return path == address or path.startswith(f"{address}/")
