"""Mails that a portal of its own processes wrote to files."""

import email
from email import policy
from email.message import EmailMessage

from tests.portals import Portal
from tests.waiting import wait_until


def mail_to(portal: Portal, address: str, subject: str) -> EmailMessage:
    """The newest mail to an address under that subject, once the worker has written it.

    Mails are sent side by side: which of two different ones comes first, nobody promises.
    """

    def find() -> EmailMessage | None:
        for path in sorted((portal.folder / "outbox").glob("*.eml"), reverse=True):
            message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(message, EmailMessage)
            if message["To"] == address and subject in message["Subject"]:
                return message
        return None

    found = wait_until(find, f"the mail “{subject}” to {address}")
    assert found is not None
    return found
