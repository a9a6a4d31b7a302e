"""What a member of an organization may do: the roles in their order, and the least role for every action.

`ACTIONS` is where this is decided. docs/roles.md is made from it by `manage.py roles --write-docs`, and the
authorization test holds every route of the portal against it.
"""

from dataclasses import dataclass
from enum import Enum

from accounts.scopes import Scope


class Role(str, Enum):
    """Roles from least to most: each may do what the earlier ones may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)

    def at_most(self, other: "Role") -> "Role":
        """The lesser of the two."""
        return self if other.covers(self) else other


@dataclass(frozen=True)
class Action:
    """What may be done, the least role that may, and the scope that lets an API key do it (None: no key may)."""

    name: str
    phrase: str
    needs: Role
    scope: Scope | None = None


ACTIONS: tuple[Action, ...] = (
    Action("organization.see", "See the organization, its figures and its metadata", Role.VIEWER, "organization"),
    Action("organization.change", "Change its name, short name and metadata", Role.ADMIN, "organization"),
    Action("organization.delete", "Delete the organization with everything in it", Role.OWNER),
    Action("organization.transfer", "Hand the ownership over to another member", Role.OWNER),
    Action("policy.see", "See what is demanded of members", Role.VIEWER),
    Action("policy.change", "Change what is demanded of members: passwords, sessions, second factor", Role.ADMIN),
    Action("records.read", "Find, count, read and export records", Role.VIEWER, "records:read"),
    Action("records.write", "Create, change, delete and import records", Role.EDITOR, "records:write"),
    Action(
        "schema.see", "See the schema that records are held to, and what its check found", Role.VIEWER, "records:read"
    ),
    Action("schema.change", "Set, try and switch off the schema", Role.ADMIN, "organization"),
    Action("indexes.see", "See the indexes", Role.VIEWER, "records:read"),
    Action("indexes.change", "Add and remove indexes", Role.ADMIN, "organization"),
    Action("members.see", "See who the members are", Role.VIEWER, "members"),
    Action("members.change", "Change roles up to one's own, and remove members", Role.ADMIN, "members"),
    Action("invitations.manage", "Invite people up to one's own role, and manage invitations", Role.ADMIN, "members"),
    Action("members.leave", "Leave the organization", Role.VIEWER),
    Action("audit.see", "See the audit, and export it", Role.ADMIN, "organization"),
    Action("keys.see", "See the API keys", Role.ADMIN),
    Action("keys.make", "Make API keys that may do at most what one may do oneself", Role.ADMIN),
    Action("keys.revoke", "Revoke API keys", Role.ADMIN),
)

ACTION: dict[str, Action] = {action.name: action for action in ACTIONS}
