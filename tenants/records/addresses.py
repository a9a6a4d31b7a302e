"""Where the API has the records of an organization."""

from django.conf import settings

from tenants.access import Access


def api_address(access: Access) -> str:
    """The address to call from outside, without a slash at its end."""
    return f"{settings.SITE_URL}/api/v1/orgs/{access.organization.slug}/records"
