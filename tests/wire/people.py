"""Sign-ups and logins through the services, for tests that look below HTTP."""

from django.test import RequestFactory

from accounts import service as accounts
from accounts.authentication import principal_of
from accounts.principal import Principal
from tenants import service
from tenants.access import Access, organization_access
from tenants.service import SignedUp
from tests.remembered import recall

PASSWORD = "a long walk on the beach"


def sign_up(name: str, *, slug: str | None = None, email: str | None = None, origin: str | None = None) -> SignedUp:
    """An organization; its owner's address is made of its name when none is given."""
    address = email or f"owner@{(slug or name).lower().replace(' ', '-').replace('_', '-')}.example"

    def create() -> SignedUp:
        return service.sign_up(organization_name=name, slug=slug, email=address, password=PASSWORD, origin=origin)

    return recall(("sign up by service", name, slug, address, origin), create)


def token_of(email: str, *, slug: str | None = None) -> str:
    """A fresh access token."""
    return accounts.issue_tokens(logged_in=accounts.log_in(email=email, password=PASSWORD, org_slug=slug)).access_token


def principal_with(token: str) -> Principal:
    """The principal that a request with this token has; raises PortalError 401 as the request would."""
    principal = principal_of(RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}"))
    assert principal is not None
    return principal


def access_of(email: str, *, slug: str | None = None) -> Access:
    """Access to the organization that the account logs in to, as the database has it now."""
    token = recall(("log in by service", email, slug), lambda: token_of(email, slug=slug))
    return organization_access(principal=principal_with(token))
