"""The one guarded lookup that every route to an organization goes through."""

from dataclasses import dataclass

from accounts.policies import second_factor_required
from accounts.principal import Principal
from accounts.roles import Role
from accounts.scopes import Scope, require_scope
from orgportal.errors import forbidden, not_found
from tenants.documents import Organization


@dataclass(frozen=True)
class Access:
    """A verified caller, and the organization that the credential is for, as read with the credential.

    `read_at` (monotonic seconds) is when: nothing is read or written on a picture that is too old.
    """

    principal: Principal
    organization: Organization
    role: Role
    read_at: float


def organization_access(
    *, principal: Principal, slug: str | None = None, needs: Role = Role.VIEWER, scope: Scope | None = None
) -> Access:
    """Access to the organization that the principal's session, token or API key is for.

    `slug` is what a URL names, None where the page takes it from the session. No query: the organization
    was read together with the credential. Raises PortalError 404 when the principal has no organization
    or `slug` is another one (as for one that does not exist), 403 when the role is below `needs`, or an API key
    lacks `scope`; None means that no key may do this, however it is scoped; 403 `second_factor_required` when the
    organization wants one of all members and the account has none.
    """
    organization = principal.organization
    if not isinstance(organization, Organization) or principal.role is None:
        raise not_found()
    if slug is not None and slug != organization.slug:
        raise not_found()
    require_scope(principal, scope)
    if organization.policy.demands_second_factor and not principal.has_second_factor:
        raise second_factor_required()
    if not principal.role.covers(needs):
        raise forbidden()
    return Access(principal=principal, organization=organization, role=principal.role, read_at=principal.read_at)
