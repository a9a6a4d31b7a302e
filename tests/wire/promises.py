"""What each caller is promised on each route: worked out from the table of actions, never written down by hand."""

from accounts.roles import ACTION, Action, Role
from tests.wire.callers import CALLERS, KEY_CALLERS, Credential
from tests.wire.routes import DEAD, Route

BOTH, NO_CSRF = "both, the token bad", "csrf token missing"
PEOPLE = ("viewer", "editor", "admin", "owner")


def promised(route: Route, who: str) -> str:
    """The outcome of the call: a status, or the first letters of the page that a redirect leads to."""
    if who in KEY_CALLERS:
        return _for_key(route, KEY_CALLERS[who])
    if who in route.but:
        return route.but[who]
    unasked = route.is_api and route.allows == "everybody"
    if who in {BOTH, NO_CSRF} and not unasked:
        return "401" if who == BOTH else route.ok if route.is_safe else "403"
    if route.allows in {"everybody", "visitors"}:
        return route.ok
    if who == "anonymous" or who in DEAD:
        return "401" if route.is_api else "logi"
    return route.ok if route.allows == "accounts" else _for_member(route, ACTION[route.allows], who)


def _for_member(route: Route, action: Action, who: str) -> str:
    if who in PEOPLE:
        return route.ok if Role(who).covers(action.needs) else "403"
    if who == "undecided":
        return "404" if route.is_api else "choo"
    if who == "stranger" and route.is_api:
        return "404"
    # What is left are owners: a page takes the organization from the session, so a stranger works in their own.
    return route.ok


def _for_key(route: Route, key: Credential) -> str:
    if route.allows == "everybody":
        # Where an operation takes no credential, a key is not looked at.
        return route.ok if "keys" not in route.but else route.but["keys"] if key.counts else "401"
    if not key.counts:
        return "401"
    if route.allows == "accounts":
        allowed = route.keys is True or route.keys in key.scopes
        return route.ok if allowed else "403"
    action = ACTION[route.allows]
    if key.is_stranger and action.scope is not None:
        return "404"
    return route.ok if action.scope in key.scopes and key.role.covers(action.needs) else "403"


def table(routes: tuple[Route, ...]) -> str:
    """The whole table as text, for people: a row for each route, a column for each caller."""
    names = list(CALLERS)
    width = max(len(route.name) for route in routes)
    head = " ".join(f"{name[:4]:4}" for name in names)
    rows = [f"{route.name:{width}} " + " ".join(f"{promised(route, who):4}" for who in names) for route in routes]
    return "\n".join([f"{'':{width}} {head}", *rows])
