"""All indexes of the master database, created by one command at release and never on the way."""

from collections.abc import Iterator

from django.utils.module_loading import import_string
from pymongo import IndexModel

from orgportal import database

DECLARED_IN = (
    "accounts.documents.INDEXES",
    "accounts.throttle.INDEXES",
    "accounts.devices.INDEXES",
    "accounts.factors.pending.INDEXES",
    "accounts.passkeys.challenges.INDEXES",
    "accounts.mail.queue.INDEXES",
    "accounts.links.INDEXES",
    "accounts.invitations.documents.INDEXES",
    "accounts.audit.entries.INDEXES",
    "tenants.documents.INDEXES",
    "tenants.records.marks.INDEXES",
    "tenants.records.sort_marks.INDEXES",
    "tenants.rules.documents.INDEXES",
    "tenants.record_indexes.documents.INDEXES",
    "tenants.figures.documents.INDEXES",
    "tenants.sizes.INDEXES",
    "tenants.imports.documents.INDEXES",
    "orgportal.conventions.INDEXES",
)


def declared() -> Iterator[tuple[str, list[IndexModel]]]:
    """Every master collection with the indexes that it must have."""
    for path in DECLARED_IN:
        yield from import_string(path).items()


def ensure_indexes() -> list[str]:
    """Create what is missing; says `collection.index` of every declared index. Safe to repeat."""
    names: list[str] = []
    for name, models in declared():
        created = database.collection(name).create_indexes(models)
        names += [f"{name}.{index}" for index in created]
    return names


def missing_indexes() -> list[str]:
    """The declared indexes that the master database does not have, as `collection.index`."""
    missing: list[str] = []
    for name, models in declared():
        present = database.collection(name).index_information()
        missing += [f"{name}.{model.document['name']}" for model in models if model.document["name"] not in present]
    return missing
