"""What `accounts` needs to know about organizations, said as a protocol.

`accounts` imports nothing from `tenants`; the setting ORGANIZATION_DIRECTORY names the class that
answers, so that one aggregation can read a session, its account and its organization in one round trip.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from bson import ObjectId
from django.conf import settings
from django.utils.module_loading import import_string

from accounts.policies import Policy


class OrganizationFacts(Protocol):
    """An organization as it was at one instant."""

    @property
    def id(self) -> ObjectId: ...

    @property
    def name(self) -> str: ...

    @property
    def slug(self) -> str: ...

    @property
    def policy(self) -> Policy:
        """What it demands of its members."""

    @property
    def is_open(self) -> bool:
        """Whether its members may log in and its credentials count (not while it is set up or deleted)."""


class OrganizationDirectory(Protocol):
    """Answers about organizations; every call is at most one round trip."""

    def join(self, local_field: str, into: str) -> list[dict[str, Any]]:
        """Aggregation stages that put the organization's document (or nothing) as a list under `into`."""

    def from_join(self, rows: Iterable[Mapping[str, Any]]) -> OrganizationFacts | None:
        """The organization among what `join` put there."""

    def open_ones(self, ids: Iterable[ObjectId]) -> list[OrganizationFacts]:
        """Those of the given organizations that are open, by name. The ids are one account's memberships."""


@lru_cache(maxsize=1)
def directory() -> OrganizationDirectory:
    """The directory that the settings name."""
    found: OrganizationDirectory = import_string(settings.ORGANIZATION_DIRECTORY)()
    return found
