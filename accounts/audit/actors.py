"""Who acts: an account, a key of an organization, the operator, the portal itself, or somebody unknown."""

import getpass
from dataclasses import dataclass
from typing import Literal

from bson import ObjectId

from accounts.principal import Principal

Kind = Literal["account", "key", "operator", "system", "anonymous"]


@dataclass(frozen=True)
class Actor:
    """`id` is immutable where there is one (an account's or a key's); `name` is how people know the actor."""

    kind: Kind
    id: str = ""
    name: str = ""
    method: str = ""

    def as_document(self) -> dict[str, str]:
        """How an entry holds it."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "method": self.method}


SYSTEM = Actor("system")
# Whoever runs a command; `named` adds the name of the user on that machine.
OPERATOR = Actor("operator")


def account(account_id: ObjectId, email: str, method: str = "") -> Actor:
    """An account that is not a `Principal` yet, or is not any more."""
    return Actor("account", str(account_id), email, method)


def anonymous(email: str = "") -> Actor:
    """Somebody who is not known, with the address that was typed, if any."""
    return Actor("anonymous", name=email if isinstance(email, str) else "")


def actor_of(who: Actor | Principal) -> Actor:
    """The actor that a principal is; the operator gets the name of the system's user."""
    if isinstance(who, Principal):
        if who.key_id is not None:
            return Actor("key", str(who.key_id), who.email, who.method)
        return Actor("account", str(who.account_id), who.email, who.method)
    if who == OPERATOR:
        return Actor("operator", name=_system_user())
    return who


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return ""
