"""What the master database holds about accounts: their documents and the indexes over them.

The documents declare and validate what is written first; afterwards everything changes by updates
with a filter, never by `.save()`, which would bring a deleted document back.
"""

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)
from pymongo import ASCENDING, IndexModel

from accounts.roles import Role
from accounts.scopes import SCOPES

ACCOUNTS = "accounts"
SESSIONS = "sessions"
API_KEYS = "api_keys"

INDEXES: dict[str, list[IndexModel]] = {
    ACCOUNTS: [
        IndexModel([("email", ASCENDING)], name="email", unique=True),
        # Sparse, as most accounts have none; by it a login with a passkey alone finds its account. The last one that is
        # removed takes the list with it: an empty one is indexed, too.
        IndexModel([("secrets.passkeys.credential", ASCENDING)], name="passkeys_credential", unique=True, sparse=True),
        # With the id, so that a page of an organization's members is read in order.
        IndexModel([("memberships.org_id", ASCENDING), ("_id", ASCENDING)], name="memberships_org_id_id"),
    ],
    SESSIONS: [
        IndexModel([("account_id", ASCENDING)], name="account_id"),
        IndexModel([("org_id", ASCENDING)], name="org_id"),
        IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
    ],
    API_KEYS: [
        IndexModel([("org_id", ASCENDING), ("key_id", ASCENDING)], name="org_id_key_id", unique=True),
        IndexModel([("account_id", ASCENDING)], name="account_id"),
        IndexModel([("forget_at", ASCENDING)], name="forget_at", expireAfterSeconds=0),
    ],
}


class MembershipDocument(EmbeddedDocument):
    """An account's place in one organization. `leaving` marks an owner's departure (see `accounts.ownership`)."""

    org_id = ObjectIdField(required=True)
    role = StringField(required=True, choices=[role.value for role in Role])
    joined_at = DateTimeField(required=True)
    leaving = StringField()


class AccountDocument(Document):
    """Somebody who can log in. `generation` grows with everything that ends all sessions and tokens."""

    meta = {"collection": ACCOUNTS, "auto_create_index": False}  # noqa: RUF012 - MongoEngine reads it from the class

    id = ObjectIdField(required=True, primary_key=True)
    email = StringField(required=True, max_length=254)
    name = StringField(max_length=200)
    password = StringField(required=True)
    email_verified_at = DateTimeField()
    generation = IntField(required=True, min_value=0)
    memberships = EmbeddedDocumentListField(MembershipDocument, required=True)
    created_at = DateTimeField(required=True)
    updated_at = DateTimeField(required=True)


class SessionDocument(Document):
    """A browser session or a family of refreshed tokens; no secret is in it, only their digests.

    `id` is the digest of the cookie (for tokens: random) and is what tokens carry as `sid`.
    `refresh` is the digest of the one refresh token that is still good. `address` and `agent` are those of its
    last use, as `seen_at` is.
    """

    meta = {"collection": SESSIONS, "auto_create_index": False}  # noqa: RUF012 - MongoEngine reads it from the class

    id = StringField(required=True, primary_key=True, regex=r"\A[0-9a-f]{64}\Z")
    kind = StringField(required=True, choices=["session", "token"])
    account_id = ObjectIdField(required=True)
    org_id = ObjectIdField()
    generation = IntField(required=True, min_value=0)
    refresh = StringField(regex=r"\A([0-9a-f]{64})?\Z")
    sudo_until = DateTimeField()
    remembered = BooleanField()
    address = StringField()
    agent = StringField()
    created_at = DateTimeField(required=True)
    seen_at = DateTimeField(required=True)
    idle_until = DateTimeField(required=True)
    expires_at = DateTimeField(required=True)


class ApiKeyDocument(Document):
    """A key of an organization, made by an account; `id` is the digest of the key, `key_id` what people see.

    `generation` is the maker's account's at that time, as with sessions. `forget_at` is when an expired key
    vanishes from the list, too.
    """

    meta = {"collection": API_KEYS, "auto_create_index": False}  # noqa: RUF012 - MongoEngine reads it from the class

    id = StringField(required=True, primary_key=True, regex=r"\A[0-9a-f]{64}\Z")
    key_id = ObjectIdField(required=True)
    org_id = ObjectIdField(required=True)
    account_id = ObjectIdField(required=True)
    generation = IntField(required=True, min_value=0)
    name = StringField(required=True, max_length=100)
    prefix = StringField(required=True, max_length=20)
    scopes = ListField(StringField(choices=SCOPES), required=True)
    role = StringField(required=True, choices=[role.value for role in Role])
    created_at = DateTimeField(required=True)
    expires_at = DateTimeField()
    forget_at = DateTimeField()
    used_at = DateTimeField()


def new_document(kind: type[Document], identity: ObjectId | str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The validated document to insert. Raises MongoEngine's ValidationError for what is not one."""
    document = kind(id=identity, **fields)
    document.validate()
    content: dict[str, Any] = document.to_mongo().to_dict()
    return content
