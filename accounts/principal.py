"""Who is calling: the verified identity that `accounts` hands upward."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bson import ObjectId

from accounts.directory import OrganizationFacts
from accounts.roles import Role
from accounts.scopes import Scope


@dataclass(frozen=True)
class Membership:
    """An account's role in one organization."""

    org_id: ObjectId
    role: Role


@dataclass(frozen=True)
class Principal:
    """A caller whose credential was verified against the master database in this request.

    `organization` and `role` are those that the session or token is for; both are None for a session
    whose account has still to choose among several organizations. Of an API key (`method` "key", `key_id`) the
    account is its maker's, the role the lesser of the key's and the maker's, and `session_id` is empty; sessions
    and tokens have all scopes. Never build one by hand outside
    `accounts.authentication` and the operator's commands: to hold one is to be let in. `read_at` (monotonic
    seconds) is when the verifying query was sent: all of this was true then, and may not be for long. Until
    `sudo_until` the password counts as entered a moment ago (see `accounts.sudo`).
    """

    account_id: ObjectId
    email: str
    memberships: tuple[Membership, ...]
    session_id: str
    method: Literal["session", "token", "key"]
    organization: OrganizationFacts | None
    role: Role | None
    read_at: float
    scopes: frozenset[Scope] = frozenset()
    key_id: ObjectId | None = None
    has_second_factor: bool = False
    sudo_until: datetime | None = None
    email_verified: bool = True

    @property
    def org_id(self) -> ObjectId | None:
        return self.organization.id if self.organization else None
