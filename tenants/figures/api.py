"""Endpoints of figures."""

from django.http import HttpRequest
from ninja import Router

from accounts.authentication import require_principal
from accounts.roles import ACTION
from orgportal.conventions.callers import WITH_KEYS
from orgportal.conventions.schemas import problems
from tenants.access import Access, organization_access
from tenants.figures import service
from tenants.figures.schemas import Distribution, DistributionParameters, Growth
from tenants.schemas import Slug

router = Router(tags=["Figures"])


def _access(request: HttpRequest, org: str, action: str) -> Access:
    allowed = ACTION[action]
    return organization_access(principal=require_principal(request), slug=org, needs=allowed.needs, scope=allowed.scope)


@router.get(
    "/{org}/figures",
    operation_id="get_figures",
    summary="See how the data grows",
    auth=WITH_KEYS,
    response={200: Growth, **problems(401, 403, 404)},
)
def get_figures(request: HttpRequest, org: Slug) -> Growth:
    """Records and bytes over the last eight weeks: a sample a day, and what there is now."""
    return Growth.of(service.growth(access=_access(request, org, "organization.see")))


@router.get(
    "/{org}/figures/distribution",
    operation_id="get_distribution",
    summary="See how a field is spread",
    auth=WITH_KEYS,
    response={200: Distribution, **problems(401, 403, 404, 422)},
)
def get_distribution(request: HttpRequest, query: DistributionParameters, org: Slug) -> Distribution:
    """Numbers in at most 20 ranges, texts by the 12 most frequent, dates by day, month or year.

    At most 5,000 records are looked at, a random sample where there are more.
    """
    found = service.distribution(access=_access(request, org, "records.read"), field=query.field)
    return Distribution.of(found)
