"""What would become of an organization's name, said before it is final."""

from dataclasses import dataclass

from orgportal import database
from orgportal.errors import PortalError
from tenants.manager import collection_name
from tenants.names import clean_name, clean_slug, slug_from

FREE = "free"
TAKEN = "taken"
REFUSED = "refused"


@dataclass(frozen=True)
class NamePreview:
    """The slug and collection that a name leads to, whether they can be had, and if not the reason."""

    state: str
    slug: str = ""
    collection: str = ""
    reason: str = ""


def preview_name(*, organization_name: str, slug: str = "") -> NamePreview:
    """What `sign_up` would make of the name and the chosen slug at this moment; one indexed query at the most.

    Reserves nothing: only the unique index decides, when the organization is created.
    """
    try:
        clean_name(organization_name)
        wanted = clean_slug(slug) if slug else slug_from(organization_name)
    except PortalError as error:
        return NamePreview(state=REFUSED, reason=" ".join(part.message for part in error.errors))
    taken = database.collection("organizations").find_one({"names": wanted}, {"_id": 1}) is not None
    reason = "This short name is taken." if taken else ""
    return NamePreview(
        state=TAKEN if taken else FREE, slug=wanted, collection=collection_name(wanted), reason=reason
    )
