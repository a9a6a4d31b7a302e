"""Owners at work below HTTP, for whom logging in is only how it begins."""

from tenants.access import Access, organization_access
from tests.remembered import recall
from tests.wire.people import principal_with, token_of


def access_of(email: str, *, slug: str | None = None) -> Access:
    """Access to the organization that the account logs in to, as the database has it now."""
    token = recall(("log in by service", email, slug), lambda: token_of(email, slug=slug))
    return organization_access(principal=principal_with(token))
