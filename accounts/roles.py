"""What a member of an organization may do, as an ordered list of roles."""

from enum import Enum


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
