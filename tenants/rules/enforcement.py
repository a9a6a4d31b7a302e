"""What every write passes through: the data is held to the schemas that its organization's picture names."""

from collections.abc import Iterator
from functools import partial

from bson import ObjectId

from orgportal.database import Document
from orgportal.errors import InputError, organization_busy
from tenants.access import Access
from tenants.documents import Organization
from tenants.refusals import schema_violation
from tenants.rules import compiled, documents


def check(*, access: Access, data: Document, path: str = "data") -> None:
    """Hold a record's data (BSON values) to its organization's schemas.

    No query, but for the first time that this process meets a schema. Raises PortalError 422 `schema_violation` with
    a path for everything wrong. Whoever writes afterwards through `manager.bind(access)` with the same access is
    stopped when another schema has come into force meanwhile.
    """
    if not access.organization.schema.held_to:
        return
    errors = list(_errors(access.organization, data, path))
    if errors:
        raise schema_violation(errors)


def _errors(organization: Organization, data: Document, path: str) -> Iterator[InputError]:
    for schema_id in organization.schema.held_to:
        yield from compiled.kept(schema_id, partial(_text_of, schema_id)).errors(data, path=path)


def _text_of(schema_id: ObjectId) -> str:
    kept = documents.load(schema_id)
    if kept is None:
        # It was replaced or switched off since the organization was read.
        raise organization_busy()
    return kept.text
