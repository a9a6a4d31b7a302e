"""The people and organizations of the tests about accounts, made in the database itself."""

from typing import Any

from bson import ObjectId
from django.conf import settings
from django.http import HttpRequest
from django.test import RequestFactory

from accounts import service
from accounts.authentication import principal_of
from accounts.principal import Principal
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tenants.documents import now, validated
from tests.remembered import recall

PASSWORD = "tall ladders rust slowly"
NEW_PASSWORD = "slow rivers carve canyons"


def an_organization(slug: str, *, status: str = "active", name: str | None = None) -> ObjectId:
    """An organization's document, without a collection of its own."""
    return recall(("an organization", slug, status, name), lambda: _new_organization(slug, status, name))


def _new_organization(slug: str, status: str, name: str | None) -> ObjectId:
    org_id = ObjectId()
    placement = {"cluster": "master", "database": settings.MONGODB_DATABASE, "collection": f"org_{slug}"}
    row = {
        "_id": org_id,
        "name": name or slug.title(),
        "slug": slug,
        "names": [slug],
        "status": status,
        "epoch": 1,
        "rev": 1,
        "placement": placement,
        "metadata": {},
        "created_at": now(),
        "updated_at": now(),
    }
    database.collection("organizations").insert_one(validated(row))
    return org_id


def change_organization(org_id: ObjectId, **fields: Any) -> None:
    """Set fields of an organization's document."""
    outcome = database.collection("organizations").update_one({"_id": org_id}, {"$set": fields})
    assert outcome.matched_count == 1


def an_account(email: str, *org_ids: ObjectId, role: Role = Role.OWNER, password: str = PASSWORD) -> ObjectId:
    """An account with the same role in each of the organizations; its address is confirmed."""
    return recall(
        ("an account", email, org_ids, role, password),
        lambda: _new_account(email, *org_ids, role=role, password=password),
    )


def _new_account(email: str, *org_ids: ObjectId, role: Role, password: str) -> ObjectId:
    account_id = ObjectId()
    new = service.prepare_account(email=email, password=password)
    service.insert_account(new=new, account_id=account_id, org_id=org_ids[0], role=role)
    database.collection("accounts").update_one({"_id": account_id}, {"$set": {"email_verified_at": now()}})
    for org_id in org_ids[1:]:
        assert service.add_membership(account_id=account_id, org_id=org_id, role=role)
    return account_id


def change_account(account_id: ObjectId, update: dict[str, Any]) -> None:
    """Apply an update to an account's document."""
    assert database.collection("accounts").update_one({"_id": account_id}, update).matched_count == 1


def stored_account(account_id: ObjectId) -> dict[str, Any]:
    """An account's document, which must be there."""
    row = database.collection("accounts").find_one({"_id": account_id})
    assert row is not None
    return row


def stored_sessions(**filter_: Any) -> list[dict[str, Any]]:
    """The documents of the sessions that match."""
    return list(database.collection("sessions").find(filter_))


def a_session(email: str, *, password: str = PASSWORD, slug: str | None = None) -> str:
    """The cookie of a new browser session."""

    def cookie() -> str:
        logged_in = service.log_in(email=email, password=password, org_slug=slug, choose_later=True)
        return service.open_session(logged_in=logged_in)

    return recall(("a session", email, password, slug), cookie)


def tokens_of(email: str, *, slug: str | None = None) -> service.TokenPair:
    """A new pair of tokens."""

    def pair() -> service.TokenPair:
        return service.issue_tokens(logged_in=service.log_in(email=email, password=PASSWORD, org_slug=slug))

    return recall(("tokens", email, slug), pair)


def a_request(*, cookie: str | None = None, bearer: str | None = None, authorization: str | None = None) -> HttpRequest:
    """A request with these credentials."""
    request = RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES[settings.SESSION_COOKIE_NAME] = cookie
    if bearer is not None:
        authorization = f"Bearer {bearer}"
    if authorization is not None:
        request.META["HTTP_AUTHORIZATION"] = authorization
    return request


def by_cookie(cookie: str) -> Principal | None:
    """Who a cookie makes the caller."""
    return principal_of(a_request(cookie=cookie))


def by_token(token: str) -> Principal | None:
    """Who a token makes the caller; None when it is refused."""
    try:
        return principal_of(a_request(bearer=token))
    except PortalError as refused:
        if refused.status != 401:
            raise
        return None


def somebody(cookie: str) -> Principal:
    """Who a cookie makes the caller, which must be somebody."""
    principal = by_cookie(cookie)
    assert principal is not None
    return principal
