"""The mail of a portal without a mail server, delivered and read in the test's own process."""

import threading

from accounts.mail import outbox
from accounts.mail.delivery import Delivering
from accounts.mail.outbox import Written

_worker = Delivering()


def delivered() -> list[Written]:
    """Every mail so far, the newest first, once the worker has written what is due."""
    _worker(threading.Event())
    return outbox.messages()


def mails_to(address: str) -> list[Written]:
    """Those to one address."""
    return [message for message in delivered() if message.to == address]


def only_mail_to(address: str) -> Written:
    """The only one there is."""
    found = mails_to(address)
    assert len(found) == 1, [message.subject for message in found]
    return found[0]


def link_to(address: str) -> str:
    """The path of the link in the newest mail to an address that has one."""
    link = next(message.link for message in mails_to(address) if "/" in message.link.partition("://")[2])
    assert link.startswith("http://testserver/"), link
    return link.removeprefix("http://testserver")


def token_to(address: str) -> str:
    """The token of that link."""
    return link_to(address).rsplit("/", 1)[1]
