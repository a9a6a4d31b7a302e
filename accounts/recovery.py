"""A forgotten password, replaced with a link that is sent to the account's address.

Asking costs and says the same for every address: one entry in the queue of mail. Whether there is an account, the
worker finds out. A link is for one generation of its account: a password that was set since makes it worthless, and
of two uses at once one succeeds.
"""

from datetime import timedelta

from django.conf import settings

from accounts import audit, guessing, links, notices, passwords, sessions, throttle
from accounts.addresses import normalise_email
from accounts.documents import ACCOUNTS
from accounts.links import Link
from accounts.mail import queue
from accounts.mail.letters import Letter
from accounts.mail.writing import Message, Pointless, harmless
from accounts.password_rules import length_note, rules_for
from accounts.tokens import now
from orgportal import database
from orgportal.database import Document

LETTER_KIND = "reset_password"


def forgot(*, email: str) -> None:
    """Have a link sent to the address if it has an account; nothing tells whether it has.

    Raises PortalError 422 for what is no address, 429 after some mails within an hour.
    """
    address = normalise_email(email)
    throttle.count_mail_request(email=address)
    audit.note(action="password.reset_requested", org_ids=[], actor=audit.anonymous(address), result="done")
    until = now() + timedelta(seconds=settings.RESET_SECONDS)
    context = {"happened": notices.happened()}
    queue.add([Letter(kind=LETTER_KIND, to=address, context=context, until=until)])


def compose(letter: Letter) -> Message:
    """The mail with its link; pointless where there is no account."""
    account = database.collection(ACCOUNTS).find_one({"email": letter.to}, {"generation": 1, "name": 1})
    if account is None or letter.until is None:
        raise Pointless("there is no such account")
    link = links.issue(
        kind="reset_password",
        email=letter.to,
        account_id=account["_id"],
        until=letter.until,
        details={"generation": account["generation"]},
    )
    context = {**letter.context, "link": link, "name": harmless(account.get("name", "")), "until": letter.until}
    return Message("Reset your password", "reset_password", context)


def address_of(*, token: str) -> str:
    """The address whose password a link would set; using nothing up. Raises PortalError 422 `invalid_link`."""
    link = links.read(kind="reset_password", token=token)
    _account_of(link)
    return link.email


def reset(*, token: str, password: str) -> str:
    """Set a new password, end every session, token and key of the account, and return its address.

    Nobody is logged in by it: a second factor is still asked for. The address counts as confirmed. Raises
    PortalError 422 `invalid_link`, or 422 (path `password`) for a password that is not acceptable, in which case
    the link is still good; 429 when too many are hashed at once.
    """
    link = links.read(kind="reset_password", token=token)
    account = _account_of(link)
    org_ids = [one["org_id"] for one in account["memberships"]]
    has_second_factor = "second_factor" in account
    rules_for(
        email=link.email,
        name=account["name"],
        memberships=sessions.memberships_of(account),
        has_second_factor=has_second_factor,
    ).check(password)
    hashed = passwords.hash_password(password)
    moment = now()
    changes: Document = {"password": hashed, "updated_at": moment}
    changes |= length_note(password, has_second_factor=has_second_factor)
    if account.get("email_verified_at") is None:
        changes["email_verified_at"] = moment
    acting = audit.act(
        action="password.reset",
        org_ids=org_ids,
        actor=audit.account(account["_id"], link.email, "link"),
        target=f"account:{account['_id']}",
    )
    with acting, notices.announced(kind="password_reset", account_ids=[account["_id"]]):
        outcome = database.collection(ACCOUNTS).update_one(
            {"_id": account["_id"], "email": link.email, "generation": link.details["generation"]},
            {"$set": changes, "$inc": {"generation": 1}},
        )
        if outcome.matched_count == 0:
            raise links.invalid_link()
    links.use(link)
    guessing.forget(email=link.email, account_id=account["_id"])
    sessions.end_all_of_account(account["_id"])
    return link.email


def _account_of(link: Link) -> Document:
    fields = {"generation": 1, "memberships": 1, "name": 1, "email_verified_at": 1, "second_factor": 1}
    account = database.collection(ACCOUNTS).find_one({"_id": link.account_id, "email": link.email}, fields)
    if account is None or account["generation"] != link.details["generation"]:
        raise links.invalid_link()
    return {"name": "", **account}
