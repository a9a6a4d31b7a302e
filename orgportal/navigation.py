"""The tabs on top of every page, each for those who may use what is behind it."""

from dataclasses import dataclass, replace

from django.urls import reverse

from accounts.principal import Principal
from accounts.roles import Role


@dataclass(frozen=True)
class Entry:
    """A tab: the name of its address, what it says, its icon, the role that it takes, the pages it leads to."""

    url_name: str
    label: str
    icon: str
    needs: Role = Role.VIEWER
    leads_to: tuple[str, ...] = ()
    is_current: bool = False


ENTRIES = (
    Entry("dashboard", "Dashboard", "building-community"),
    Entry("records", "Records", "table"),
    Entry("members", "Members", "users"),
    Entry(
        "organization_settings",
        "Settings",
        "settings",
        needs=Role.ADMIN,
        leads_to=("organization_security", "audit", "keys"),
    ),
    Entry("account", "Account", "user"),
)


def navigation_for(viewer: Principal | None, path: str) -> list[Entry]:
    """The tabs that the viewer's role reaches; the current one is that whose page, or one behind it, `path` is."""
    role = viewer.role if viewer else None
    if role is None:
        return []
    return [replace(entry, is_current=_is_at(entry, path)) for entry in ENTRIES if role.covers(entry.needs)]


def _is_at(entry: Entry, path: str) -> bool:
    addresses = [reverse(name) for name in (entry.url_name, *entry.leads_to)]
    return any(path == address or path.startswith(f"{address}/") for address in addresses)
