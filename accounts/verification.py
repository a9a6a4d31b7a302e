"""Proof that an address belongs to whoever signed up with it: a link, sent there, that has to be confirmed.

Until then an account works, but may not have the portal write to others (`accounts.invitations`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from bson import ObjectId
from django.conf import settings

from accounts import audit, links, throttle
from accounts.documents import ACCOUNTS
from accounts.mail import queue
from accounts.mail.letters import Letter
from accounts.mail.writing import Message, Pointless, harmless
from accounts.principal import Principal
from accounts.tokens import now
from orgportal import database
from orgportal.errors import PortalError

LETTER_KIND = "verify_email"


def letter(*, account_id: ObjectId, email: str) -> Letter:
    """What a new account's address is sent."""
    return Letter(kind=LETTER_KIND, to=email, account_id=account_id)


@contextmanager
def mailed(*, account_id: ObjectId, email: str) -> Iterator[None]:
    """Queue the mail to a new account's address before the body makes the account, and let it go after it.

    A refusal (PortalError) takes it back; an account that does not come to be is not written to.
    """
    with queue.held([letter(account_id=account_id, email=email)]):
        yield


def resend(*, principal: Principal) -> None:
    """Send the link again.

    Raises PortalError 409 `already_verified`, 429 after some mails within an hour.
    """
    mine = {"_id": principal.account_id, "email": principal.email, "email_verified_at": None}
    if database.collection(ACCOUNTS).find_one(mine, {"_id": 1}) is None:
        raise PortalError("already_verified", 409, "Your email address is confirmed already.")
    # Somebody else's address may have been typed at the sign-up: nobody shall be flooded by it.
    throttle.count_mail_request(email=principal.email)
    queue.add([letter(account_id=principal.account_id, email=principal.email)])


def compose(letter: Letter) -> Message:
    """The mail with its link; pointless once the address is confirmed or is the account's no more."""
    query = {"_id": letter.account_id, "email": letter.to}
    account = database.collection(ACCOUNTS).find_one(query, {"email_verified_at": 1, "name": 1})
    if account is None or account.get("email_verified_at") is not None:
        raise Pointless("the address is confirmed, or another one by now")
    until = now() + timedelta(seconds=settings.VERIFICATION_SECONDS)
    link = links.issue(kind="verify_email", email=letter.to, account_id=letter.account_id, until=until)
    context = {"link": link, "name": harmless(account.get("name", "")), "until": until}
    return Message("Confirm your email address", "verify_email", context)


def address_of(*, token: str) -> str:
    """The address that a link would confirm. Raises PortalError 422 `invalid_link`."""
    return links.read(kind="verify_email", token=token).email


def confirm(*, token: str) -> str:
    """Take the address as its account's own, and return it. Raises PortalError 422 `invalid_link`."""
    link = links.read(kind="verify_email", token=token)
    query = {"_id": link.account_id, "email": link.email}
    account = database.collection(ACCOUNTS).find_one(query, {"memberships": 1})
    if account is None or link.account_id is None:
        raise links.invalid_link()
    with audit.act(
        action="email.verified",
        org_ids=[one["org_id"] for one in account["memberships"]],
        actor=audit.account(link.account_id, link.email, "link"),
        target=f"account:{link.account_id}",
    ):
        verified = database.collection(ACCOUNTS).update_one(query, {"$set": {"email_verified_at": now()}})
        if verified.matched_count == 0:
            raise links.invalid_link()
    links.use(link)
    return link.email
