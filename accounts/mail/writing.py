"""From an entry of the queue to the message that is sent: checked once more, then written from templates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.charset import QP, Charset
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.directory import directory
from accounts.documents import ACCOUNTS
from accounts.mail.letters import Entry, Letter, mail_domain
from accounts.tokens import now
from orgportal import database

SENDER_NAME = "Orgportal"
MAX_SUBJECT = 150
# What `harmless` puts in, and what joins letters in some scripts.
_INVISIBLE = "\u200b\u200c\u200d"
_ADDRESS = re.compile(r"[^\s@/]+@[^\s@/]+")
_BETWEEN = re.compile(r"(?<=\S)([.:/@])(?=\S)")

# Lines of any length and any letters, in nothing but ASCII: no server on the way has to change a byte.
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP


@dataclass(frozen=True)
class Message:
    """What a letter comes to: a subject, the name of a pair of templates, and what they show."""

    subject: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)


class Pointless(Exception):
    """The letter need not be sent any more; says why."""


Composer = Callable[[Letter], Message]


def written(entry: Entry, composers: Mapping[str, Composer]) -> EmailMultiAlternatives:
    """The message of an entry, with the links of this attempt. Raises Pointless.

    Every attempt at the same entry has the same Message-ID and Date, so that a mail that arrives twice after all is
    known for one.
    """
    letter = entry.letter
    _check_point(letter)
    message = composers[letter.kind](letter)
    context = {**message.context, "site_url": settings.SITE_URL, "to": letter.to}
    mail = EmailMultiAlternatives(
        subject=_one_line(message.subject),
        body=render_to_string(f"mail/{message.template}.txt", context).strip() + "\n",
        from_email=sender(),
        to=[letter.to],
        headers={
            "Message-ID": entry.message_id,
            "Date": format_datetime(entry.created_at),
            # RFC 3834: nobody's out-of-office note is wanted in return.
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.encoding = _UTF8
    mail.attach_alternative(render_to_string(f"mail/{message.template}.html", context), "text/html")
    return mail


def harmless(name: str) -> str:
    """A name that somebody chose, in a form that no mail program makes a link of; an email address as it is."""
    return name if _ADDRESS.fullmatch(name) else _BETWEEN.sub("\\1\u200b", name)


def sender() -> str:
    """The From of every mail: EMAIL_FROM, or an address of the site's own."""
    name, address = parseaddr(settings.EMAIL_FROM)
    return formataddr((name or SENDER_NAME, address or f"no-reply@{mail_domain()}"))


def _check_point(letter: Letter) -> None:
    if letter.until is not None and letter.until <= now():
        raise Pointless("its time is over")
    account = {"_id": letter.account_id}
    if letter.account_id is not None and database.collection(ACCOUNTS).find_one(account, {"_id": 1}) is None:
        raise Pointless("its account does not exist")
    if letter.org_id is not None and not directory().open_ones([letter.org_id]):
        raise Pointless("its organization does not exist")


def _one_line(subject: str) -> str:
    """A header of one line, whatever names are in it."""
    line = " ".join("".join(c if c.isprintable() or c in _INVISIBLE else " " for c in subject).split())
    return line if len(line) <= MAX_SUBJECT else line[: MAX_SUBJECT - 1] + "…"
