"""Hands single messages to the mail server, or to the outbox in its place, and tells failures apart."""

import smtplib
import ssl
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "accounts.mail.outbox.FileBackend"
# A connection is not kept for ever: servers count, too.
MESSAGES_PER_CONNECTION = 100


class Unreachable(Exception):
    """No connection to the mail server, or it lets nobody in: no message's fault."""


class NotTaken(Exception):
    """A message that was not accepted, or of which nobody knows. `permanent`: trying again is pointless."""

    def __init__(self, problem: str, *, permanent: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.permanent = permanent


class Carrier:
    """A connection that is opened when it is needed and given up after every failure."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._carried = 0

    def open(self) -> None:
        """Make sure of a connection. Raises Unreachable."""
        if self._connection is not None and self._carried < MESSAGES_PER_CONNECTION:
            return
        self.close()
        connection = get_connection(SMTP if settings.EMAIL_HOST else FILES)
        try:
            connection.open()
        except (OSError, smtplib.SMTPException) as error:
            self._connection = connection
            self.close()
            raise Unreachable(said(error)) from error
        self._connection, self._carried = connection, 0

    def carry(self, message: EmailMultiAlternatives) -> None:
        """Hand one message to one recipient over; `open` comes before. Raises NotTaken.

        A server that refuses the recipient or the text for good (5xx) is believed. Everything else is worth another
        try: 4xx, a sender or login that the operator has to set right, and a connection that ended, of which nobody
        knows whether the message got through (RFC 5321, 4.5.4.2; RFC 1047).
        """
        try:
            self._connection.send_messages([message])
            self._carried += 1
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            self._lost()
            raise NotTaken(_answer(code, text), permanent=500 <= code < 600) from error
        except smtplib.SMTPDataError as error:
            self._lost()
            raise NotTaken(said(error), permanent=500 <= error.smtp_code < 600) from error
        except (OSError, smtplib.SMTPException) as error:
            self._lost()
            raise NotTaken(said(error), permanent=False) from error

    def close(self) -> None:
        """End the connection; how that goes is of no interest any more."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except (OSError, smtplib.SMTPException):
            return

    def _lost(self) -> None:
        """Whatever state the conversation is in: the next message gets a new one."""
        inner = getattr(self._connection, "connection", None)
        if isinstance(inner, smtplib.SMTP):
            inner.close()
        self._connection = None


def said(error: BaseException) -> str:
    """An error in words for the operator: what the server answered, else what happened."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    return f"{type(error).__name__}: {error}"


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"
