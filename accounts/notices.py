"""Mails that tell people of security-relevant changes, so that whoever did not make one hears of it.

A change and its notice: `with announced(...)` queues the notice before the change and lets it go after it, so that
no change stays untold, whatever dies in between. `send` is for what has happened already.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from accounts.agents import family_of
from accounts.documents import ACCOUNTS
from accounts.mail import queue
from accounts.mail.letters import Letter
from accounts.mail.writing import Message, harmless
from accounts.roles import Role
from accounts.tokens import now
from orgportal import circumstances, database

LETTER_KIND = "notice"


@dataclass(frozen=True)
class Notice:
    """Subject, what happened, and what to do about it. Words in braces are filled in from the details."""

    subject: str
    sentence: str
    advice: str


_RESET = "If this was not you, set a new password at once: somebody else may have yours."
_LOOK = "If you do not know why, ask the other owners, and look at the members of the organization."

NOTICES: Mapping[str, Notice] = {
    "password_changed": Notice(
        "Your password was changed",
        "The password of your account was changed. All other sessions and tokens of yours have ended.",
        _RESET,
    ),
    "password_reset": Notice(
        "Your password was reset",
        "The password of your account was reset with a link that was sent to this address. All sessions and tokens of "
        "yours have ended.",
        _RESET,
    ),
    "email_changed": Notice(
        "Your email address was changed",
        "Your account is now reached at {email}. This address no longer opens it.",
        "If this was not you, tell whoever runs this portal at once.",
    ),
    "new_device": Notice(
        "New login to your account",
        "Somebody logged in to your account from a device or place that it has not been used from before.",
        _RESET,
    ),
    "mfa_enabled": Notice(
        "A second factor is on",
        "Your account now asks for a second factor when you log in.",
        _RESET,
    ),
    "mfa_disabled": Notice(
        "Your second factor is off",
        "Your account no longer asks for a second factor. The password alone opens it.",
        _RESET,
    ),
    "recovery_codes_renewed": Notice(
        "New recovery codes were made",
        "Your account has new recovery codes. The earlier ones no longer work.",
        _RESET,
    ),
    "recovery_code_used": Notice(
        "A recovery code was used",
        "Somebody logged in to your account with one of its recovery codes. {left} are left.",
        _RESET,
    ),
    "passkey_added": Notice(
        "A passkey was added",
        "The passkey “{name}” now opens your account.",
        _RESET,
    ),
    "app_added": Notice(
        "An authenticator app was added",
        "The codes of an authenticator app are now a second factor of your account, beside its passkeys.",
        _RESET,
    ),
    "app_removed": Notice(
        "Your authenticator app was removed",
        "The codes of your authenticator app no longer open your account. Its passkeys are its second factor.",
        _RESET,
    ),
    "passkey_removed_last": Notice(
        "Your last passkey was removed",
        "The passkey “{name}” no longer opens your account. It was your second factor: now the password alone does.",
        _RESET,
    ),
    "passkey_removed": Notice(
        "A passkey was removed",
        "The passkey “{name}” no longer opens your account.",
        _RESET,
    ),
    "api_key_created": Notice(
        "A new API key for {organization}",
        "The API key “{name}” ({prefix}…) was made for {organization} by {actor}.",
        "If nobody of you wanted it, revoke it on the page of the API keys.",
    ),
    "ownership_transferred": Notice(
        "{organization} has a new owner",
        "The ownership of {organization} went from {actor} to {owner}.",
        _LOOK,
    ),
    "member_removed": Notice(
        "You are no longer a member of {organization}",
        "Your access to {organization} has ended.",
        "If you do not know why, ask its owners.",
    ),
    "role_changed": Notice(
        "Your role in {organization} was changed",
        "You are now {role} of {organization}.",
        "If you do not know why, ask its owners.",
    ),
    "organization_deleted": Notice(
        "{organization} was deleted",
        "{organization} was deleted by {actor}, with all its data. Accounts that belonged to nothing else are gone "
        "as well.",
        "This cannot be undone. If it was not agreed, talk to each other: only an owner can do it.",
    ),
}


def send(
    *,
    kind: str,
    account_ids: Iterable[ObjectId] = (),
    org_owners: ObjectId | None = None,
    details: Mapping[str, str] | None = None,
) -> None:
    """Tell the given accounts, and all owners of an organization, of something that has happened.

    `kind` is a name in NOTICES, `details` what its words in braces need. When and from where it was done is added.
    """
    queue.add(_letters(kind, account_ids, org_owners, details))


@contextmanager
def announced(
    *,
    kind: str,
    account_ids: Iterable[ObjectId] = (),
    org_owners: ObjectId | None = None,
    details: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Queue what `send` would before the body, and let it go after it; a refusal (PortalError) takes it back."""
    with queue.held(_letters(kind, account_ids, org_owners, details)):
        yield


def compose(letter: Letter) -> Message:
    """The mail of a notice."""
    notice = wording(letter.context["notice"], letter.context["details"])
    context = {"sentence": notice.sentence, "advice": notice.advice, "happened": letter.context["happened"]}
    return Message(notice.subject, "notice", {**context, "subject": notice.subject})


def _letters(
    kind: str, account_ids: Iterable[ObjectId], org_owners: ObjectId | None, details: Mapping[str, str] | None
) -> list[Letter]:
    context = {"notice": kind, "details": _checked(kind, details), "happened": happened()}
    return [
        Letter(kind=LETTER_KIND, to=address, context=context)
        for address in sorted(_addresses(tuple(account_ids), org_owners))
    ]


def _checked(kind: str, details: Mapping[str, str] | None) -> dict[str, str]:
    """The details, once every text can be made of them: a mistake shows where it is made, not in the worker."""
    kept = {name: harmless(value) for name, value in (details or {}).items()}
    wording(kind, kept)
    return kept


def wording(kind: str, details: Mapping[str, str]) -> Notice:
    """The notice with its words filled in. Raises KeyError for an unknown kind or a missing detail."""
    notice = NOTICES[kind]
    return Notice(*(text.format_map(details) for text in (notice.subject, notice.sentence, notice.advice)))


def happened() -> dict[str, Any]:
    """When and from where the act is done that a mail is about, as the mail shows it."""
    came_from = circumstances.current()
    return {"at": now(), "address": came_from.address, "agent": family_of(came_from.agent) if came_from.agent else ""}


def _addresses(account_ids: tuple[ObjectId, ...], org_owners: ObjectId | None) -> set[str]:
    accounts = database.collection(ACCOUNTS)
    found: set[str] = set()
    if account_ids:
        found |= {row["email"] for row in accounts.find({"_id": {"$in": list(account_ids)}}, {"email": 1})}
    if org_owners is not None:
        owned = {"$elemMatch": {"org_id": org_owners, "role": Role.OWNER.value}}
        query = {"memberships.org_id": org_owners, "memberships": owned}
        found |= {row["email"] for row in accounts.find(query, {"email": 1})}
    return found
