"""Another email address for an account: it changes once a link that was sent there is confirmed."""

from datetime import timedelta

from django.conf import settings
from pymongo.errors import DuplicateKeyError

from accounts import audit, guessing, links, notices, passwords, sudo
from accounts.addresses import normalise_email
from accounts.documents import ACCOUNTS
from accounts.links import Link
from accounts.mail import queue
from accounts.mail.letters import Letter
from accounts.mail.writing import Message, Pointless
from accounts.principal import Principal
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document
from orgportal.errors import PortalError, forbidden, invalid, unauthenticated

LETTER_KIND = "change_email"


def request(*, principal: Principal, email: str, password: str) -> str:
    """Send a link to the new address and return it as it will be kept; nothing has changed yet.

    Raises PortalError 422 for the address, or (path `password`) unless it is the account's, 403 for a caller without
    a browser session, 409 `email_taken`, 403 `sudo_required` for an account with a second factor, 429 after
    too many guesses, or when too many passwords are checked at once.
    """
    if principal.method != "session":
        raise forbidden()
    if principal.has_second_factor:
        # The form takes the password alone.
        sudo.require_recent(principal)
    address = normalise_email(email)
    accounts = database.collection(ACCOUNTS)
    account = accounts.find_one({"_id": principal.account_id}, {"password": 1, "email": 1, "generation": 1})
    if account is None:
        raise unauthenticated()
    attempt = guessing.confirmation_attempt(account_id=principal.account_id)
    if not isinstance(password, str) or not passwords.verify(password, account["password"], count=attempt.count):
        raise invalid("password", "This is not your password.")
    attempt.forgive()
    if address == account["email"]:
        raise invalid("email", "This is your address already.")
    if accounts.find_one({"email": address}, {"_id": 1}) is not None:
        raise _taken()
    context = {"old": account["email"], "generation": account["generation"]}
    until = now() + timedelta(seconds=settings.VERIFICATION_SECONDS)
    queue.add([Letter(kind=LETTER_KIND, to=address, account_id=account["_id"], context=context, until=until)])
    return address


def compose(letter: Letter) -> Message:
    """The mail to the new address."""
    query = {"_id": letter.account_id, "email": letter.context["old"], "generation": letter.context["generation"]}
    if letter.until is None or database.collection(ACCOUNTS).find_one(query, {"_id": 1}) is None:
        raise Pointless("the account has changed since")
    link = links.issue(
        kind="change_email",
        email=letter.to,
        account_id=letter.account_id,
        until=letter.until,
        details=dict(letter.context),
    )
    context = {"link": link, "old": letter.context["old"], "until": letter.until}
    return Message("Confirm your new email address", "change_email", context)


def address_of(*, token: str) -> str:
    """The address that a link would make the account's. Raises PortalError 422 `invalid_link`."""
    link = links.read(kind="change_email", token=token)
    _account_of(link)
    return link.email


def confirm(*, token: str) -> str:
    """Make the new address the account's, and return it; the old one is told.

    Raises PortalError 422 `invalid_link`, 409 `email_taken` when somebody else has it meanwhile.
    """
    link = links.read(kind="change_email", token=token)
    account = _account_of(link)
    acting = audit.act(
        action="email.changed",
        org_ids=[one["org_id"] for one in account["memberships"]],
        actor=audit.account(account["_id"], account["email"], "link"),
        target=f"account:{account['_id']}",
        details={"to": link.email},
    )
    told = notices.announced(kind="email_changed", account_ids=[account["_id"]], details={"email": link.email})
    with acting, told:
        try:
            outcome = database.collection(ACCOUNTS).update_one(
                {"_id": account["_id"], "email": link.details["old"], "generation": link.details["generation"]},
                {"$set": {"email": link.email, "email_verified_at": now(), "updated_at": now()}},
            )
        except DuplicateKeyError:
            raise _taken() from None
        if outcome.matched_count == 0:
            raise links.invalid_link()
    links.use(link)
    return link.email


def _account_of(link: Link) -> Document:
    query = {"_id": link.account_id, "email": link.details["old"], "generation": link.details["generation"]}
    account: Document | None = database.collection(ACCOUNTS).find_one(query, {"memberships": 1, "email": 1})
    if account is None:
        raise links.invalid_link()
    return account


def _taken() -> PortalError:
    return PortalError("email_taken", 409, "Another account has this address.")
