"""The tenant manager: the only module that names `org_` collections.

It makes and removes them, and it turns a verified `Access` into the one collection that its organization
may touch. Every collection made here is stamped with its organization's id, in the name of its index: the
stamp moves with a rename, comes back with a backup, and is read without listing the database. A collection
with data and no stamp, or another's, was never ours, and is neither adopted nor dropped by a sign-up.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from django.conf import settings
from pymongo import ASCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from orgportal import database
from orgportal.database import Document
from tenants.access import Access
from tenants.bound import TenantCollection
from tenants.documents import Placement

PREFIX = "org_"
STAMP = "organization_"
COPY_BATCH = 1000
SAMPLE = 100
NAMESPACE_NOT_FOUND = 26
NAMESPACE_EXISTS = 48
# Customers' dates may lie outside of what Python's datetime can say.
RECORDS: CodecOptions[Document] = CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)


class Ownership(Enum):
    """Whose a collection is, by its stamp."""

    ABSENT = "absent"
    OWN = "own"
    UNSTAMPED = "unstamped"
    ANOTHERS = "another's"


class ForeignCollection(Exception):
    """A collection of that name exists and is not this organization's."""


def collection_name(slug: str) -> str:
    """The name of an organization's collection: the only place where it is computed."""
    return PREFIX + slug


def stamp_of(org_id: ObjectId) -> IndexModel:
    """The index that marks a collection as that organization's, and serves lists by age.

    The only one besides `_id`: MongoDB advises to keep collections and indexes few.
    """
    return IndexModel([("created_at", ASCENDING), ("_id", ASCENDING)], name=f"{STAMP}{org_id}")


def _database(placement: Placement) -> "Database[Document]":
    return database.client(placement.cluster)[placement.database]


def _collection(placement: Placement) -> "Collection[Document]":
    return _database(placement)[placement.collection]


def ownership(placement: Placement, org_id: ObjectId) -> Ownership:
    """Whose collection stands at that placement now."""
    # Not by listing collections: on the embedded database a listing that overlaps the drop of any collection
    # brings that one back, empty.
    indexes = [index["name"] for index in _collection(placement).list_indexes()]
    stamps = [name.removeprefix(STAMP) for name in indexes if name.startswith(STAMP)]
    if not indexes:
        return Ownership.ABSENT
    if not stamps:
        return Ownership.UNSTAMPED
    return Ownership.OWN if stamps == [str(org_id)] else Ownership.ANOTHERS


def _is_empty(placement: Placement) -> bool:
    return _collection(placement).find_one({}, {"_id": 1}) is None


def drop_ghost(placement: Placement, org_id: ObjectId) -> bool:
    """Remove what the embedded database brought back: a collection with nothing in it, not even a stamp.

    Whether the placement is free now. On a real MongoDB such a collection is somebody's, and stays.
    """
    whose = ownership(placement, org_id)
    is_ghost = whose is Ownership.UNSTAMPED and database.copies_on_rename(placement.cluster) and _is_empty(placement)
    if is_ghost:
        _collection(placement).drop()
    return is_ghost or whose is Ownership.ABSENT


def create(placement: Placement, org_id: ObjectId) -> None:
    """Make the organization's collection with its stamp; safe to repeat.

    Raises ForeignCollection when a collection of that name is there and not stamped as this organization's.
    """
    if ownership(placement, org_id) is Ownership.OWN:
        return
    # Asked before, because the server does not refuse to create what is there already with the same options.
    if not drop_ghost(placement, org_id):
        raise ForeignCollection(placement.collection)
    _database(placement).create_collection(placement.collection, check_exists=False)
    _collection(placement).create_indexes([stamp_of(org_id)])


def drop(placement: Placement, org_id: ObjectId) -> None:
    """Remove an organization's collection with all its data; fine when it is not there.

    One without a stamp goes too: it is at the organization's own placement, so a late write or a restored
    backup made it. Raises ForeignCollection for one that is stamped as another's.
    """
    if ownership(placement, org_id) is Ownership.ANOTHERS:
        raise ForeignCollection(placement.collection)
    with database.deadline(settings.DDL_DEADLINE):
        if database.copies_on_rename(placement.cluster):
            # The embedded database serves nobody while it drops, half a second for every thousand records (measured).
            # While it deletes them it does, in a quarter of the time; then there is nothing left to drop.
            _collection(placement).delete_many({})
        _collection(placement).drop()


def drop_unfinished(placement: Placement, org_id: ObjectId) -> None:
    """Remove what this organization's own unfinished creation or copy left; nothing with anybody else's data.

    A creation that was cut short leaves a collection that is empty and not yet stamped.
    """
    whose = ownership(placement, org_id)
    if whose is Ownership.OWN or (whose is Ownership.UNSTAMPED and _is_empty(placement)):
        drop(placement, org_id)


def move(source: Placement, target: Placement, org_id: ObjectId) -> None:
    """Bring the data from one placement to another; safe to repeat at any point of an earlier try.

    The caller has fenced the organization's writes. Where renaming is atomic the collection is renamed; on
    the embedded database, which would lose documents if killed in the middle, it is copied, and the source
    stays whole until the caller drops it. Raises ForeignCollection when the target is not ours.
    """
    if ownership(source, org_id) is Ownership.ABSENT:
        # An earlier try has renamed, or there never was anything.
        create(target, org_id)
        return
    with database.deadline(settings.DDL_DEADLINE):
        if copies(source, target):
            _copy(source, target, org_id)
        elif ownership(target, org_id) is not Ownership.OWN:
            _rename(source, target)
        # Else an earlier try has renamed, and what stands at the source came back with a late write.


def copies(source: Placement, target: Placement) -> bool:
    """Whether a move between the two takes time in proportion to the data."""
    same = (source.cluster, source.database) == (target.cluster, target.database)
    return not same or database.copies_on_rename(source.cluster)


def _rename(source: Placement, target: Placement) -> None:
    try:
        database.client(source.cluster).admin.command(
            "renameCollection",
            f"{source.database}.{source.collection}",
            to=f"{target.database}.{target.collection}",
        )
    except OperationFailure as error:
        if error.code == NAMESPACE_EXISTS:
            raise ForeignCollection(target.collection) from error
        raise


def _copy(source: Placement, target: Placement, org_id: ObjectId) -> None:
    drop_unfinished(target, org_id)
    create(target, org_id)
    # Raw BSON: the bytes of every document arrive as they left.
    raw: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
    origin = _collection(source).with_options(codec_options=raw)
    destination = _collection(target).with_options(codec_options=raw)
    indexes = [_index_model(info) for info in _collection(source).list_indexes() if info["name"] != "_id_"]
    if indexes:
        destination.create_indexes(indexes)
    batch: list[Any] = []
    for document in origin.find(batch_size=COPY_BATCH):
        batch.append(document)
        if len(batch) == COPY_BATCH:
            destination.insert_many(batch, ordered=False)
            batch = []
    if batch:
        destination.insert_many(batch, ordered=False)


def _index_model(info: Mapping[str, Any]) -> IndexModel:
    options = {key: value for key, value in info.items() if key not in {"v", "key", "ns"}}
    return IndexModel(list(info["key"].items()), **options)


def stamp(placement: Placement, org_id: ObjectId) -> None:
    """Mark an active organization's collection as its own where it was restored without its indexes."""
    if ownership(placement, org_id) is Ownership.UNSTAMPED:
        _collection(placement).create_indexes([stamp_of(org_id)])


def measure(placement: Placement) -> tuple[int, int]:
    """Number of records and bytes of storage, as the server keeps count of them (one round trip).

    The embedded database keeps no count of bytes: there the average of the first records stands for all.
    (0, 0) when the collection is not there.
    """
    try:
        for stats in _collection(placement).aggregate([{"$collStats": {"storageStats": {}}}]):
            storage = stats["storageStats"]
            records = int(storage.get("count", 0))
            return records, int(storage.get("storageSize", 0)) or _estimated_bytes(placement, records)
    except OperationFailure as error:
        if error.code != NAMESPACE_NOT_FOUND:
            raise
    return 0, 0


def _estimated_bytes(placement: Placement, records: int) -> int:
    if not records:
        return 0
    sample: list[Document] = [{"$limit": SAMPLE}, {"$group": {"_id": None, "size": {"$avg": {"$bsonSize": "$$ROOT"}}}}]
    for row in _collection(placement).aggregate(sample):
        return int(row["size"] * records)
    return 0


def count(placement: Placement) -> int:
    """The exact number of records, counted now."""
    return _collection(placement).count_documents({})


def collections(cluster: str) -> Iterator[Placement]:
    """Where the portal's database on a cluster has `org_` collections; see `drop_ghost` for what a listing does."""
    listed = database.client(cluster)[settings.MONGODB_DATABASE].list_collections(
        filter={"name": {"$regex": f"^{PREFIX}"}}, nameOnly=True
    )
    for info in listed:
        yield Placement(cluster, settings.MONGODB_DATABASE, info["name"])


def bind(access: Access) -> TenantCollection:
    """The collection of the caller's organization, and of no other."""
    return TenantCollection(access, _records)


def _records(placement: Placement) -> "Collection[Document]":
    return _collection(placement).with_options(codec_options=RECORDS)
