"""What an API key may be used for; sessions and access tokens may be used for everything."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from orgportal.errors import PortalError

if TYPE_CHECKING:
    from accounts.principal import Principal

Scope = Literal["records:read", "records:write", "members", "organization"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
ALL_SCOPES: frozenset[Scope] = frozenset(SCOPES)

MEANINGS: dict[Scope, str] = {
    "records:read": "Read, count and export records",
    "records:write": "Change, import and read records",
    "members": "See and manage members and invitations",
    "organization": "Read and change the organization itself",
}


def effective(granted: Iterable[str]) -> frozenset[Scope]:
    """The scopes that a key has: those granted that exist. Writing includes reading, for a change shows the record."""
    names = set(granted)
    if "records:write" in names:
        names.add("records:read")
    return frozenset(scope for scope in SCOPES if scope in names)


def require_scope(principal: "Principal", scope: Scope | None) -> None:
    """Raises PortalError 403: `scope_missing`, or `not_for_keys` where `scope` is None and a key calls."""
    if scope is None:
        require_person(principal)
    elif scope not in principal.scopes:
        raise PortalError("scope_missing", 403, f"This API key lacks the scope {scope}.", data={"scope": scope})


def require_person(principal: "Principal") -> None:
    """Raises PortalError 403 `not_for_keys` for an API key: some things only an account may do that is logged in."""
    if principal.method == "key":
        raise PortalError("not_for_keys", 403, "An API key cannot do this. Log in instead.")
