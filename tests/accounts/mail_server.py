"""A mail server of the test's own, over real SMTP, that can fail in every way that real ones do."""

import asyncio
import email
import logging
import random
import re
import ssl
import threading
from collections import Counter
from email import policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port

# It would tell of every line that is spoken.
logging.getLogger("mail.log").setLevel(logging.WARNING)
LINK = re.compile(r"https?://[^\s<>\"]+")


class MailServer:
    """Accepts mail on 127.0.0.1, and keeps it. A share `bad` of all connections is refused or dropped.

    A bad connection ends at one of the places in PLACES: before anything was said, after RCPT, after the text and
    before the answer (what was sent is not kept then, as nobody took it), or after the answer.
    """

    PLACES = ("greeting", "rcpt", "data", "answered", "busy")

    def __init__(self, *, bad: float = 0.0, seed: int = 1, tls: ssl.SSLContext | None = None) -> None:
        self.bad = bad
        # With it the server offers STARTTLS.
        self.tls = tls
        self.kept: list[EmailMessage] = []
        self.connections = 0
        self.spoilt: Counter[str] = Counter()
        # What RCPT is answered with for an address, instead of 250; each is used up once unless it is permanent.
        self.answers: dict[str, list[str]] = {}
        # Holds every text back before it is answered, while set.
        self.silent = threading.Event()
        self.received = threading.Event()
        # So many texts are taken without anybody hearing of it.
        self.unheard = 0
        # So many mails are taken over one connection, then the server wants to see another one.
        self.per_connection = 1000
        self._seed = seed
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.port = free_port()
        self._controller: Controller | None = None
        self._open = False

    def start(self) -> "MailServer":
        self._controller = _Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()
        self._open = True
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self.silent.clear()
            self._open = False
            self._controller.stop()
            self._controller = None

    def forget(self) -> None:
        """As if nothing had come yet, and nothing were bad."""
        self.stop()
        self._random = random.Random(self._seed)
        self.bad, self.connections, self.unheard, self.per_connection = 0.0, 0, 0, 1000
        self.kept.clear()
        self.spoilt.clear()
        self.answers.clear()
        self.silent.clear()
        self.received.clear()

    def fate(self) -> str:
        """What becomes of the next connection: nothing, or the place at which it ends."""
        if not self._open:  # the controller tries its own server at the start
            return ""
        with self._lock:
            self.connections += 1
            place = self._random.choice(self.PLACES) if self._random.random() < self.bad else ""
            if place:
                self.spoilt[place] += 1
            return place

    def keep(self, content: bytes) -> None:
        """A text that was taken."""
        message = email.message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        with self._lock:
            self.kept.append(message)

    def to(self, address: str) -> list[EmailMessage]:
        """What came for an address."""
        return [message for message in self.kept if message["To"] == address]

    def times_by_id(self) -> Counter[str]:
        """How often each mail came, by its Message-ID."""
        return Counter(str(message["Message-ID"]) for message in self.kept)

    def configure(self, settings: Any) -> None:
        """Have the portal in this process use the server, without long pauses."""
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", self.port
        settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = False, 10.0
        settings.MAIL_RETRY_SECONDS = 0.01


def text_of(message: EmailMessage) -> str:
    """The plain text."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(message: EmailMessage) -> str:
    """The HTML."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def link_in(message: EmailMessage) -> str:
    """The first link of the plain text."""
    found = LINK.search(text_of(message))
    assert found, text_of(message)
    return found[0]


class _Controller(Controller):
    def __init__(self, server: MailServer, **options: Any) -> None:
        self._server = server
        super().__init__(_Handler(server), **options)

    def factory(self) -> SMTP:
        tls = self._server.tls
        return _Conversation(self._server, self.handler, hostname="mail.example", loop=self.loop, tls_context=tls)


class _Conversation(SMTP):
    """One connection, with its fate."""

    def __init__(self, server: MailServer, handler: Any, **options: Any) -> None:
        super().__init__(handler, enable_SMTPUTF8=False, **options)
        self.place = ""
        self.taken = 0
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self.place = self._server.fate()
        super().connection_made(transport)
        if self.place == "greeting":
            transport.abort()

    def hang_up(self) -> None:
        """End the connection as a crash would."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_MAIL(
        self, smtp: _Conversation, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if smtp.taken >= self._server.per_connection:
            return "421 4.7.0 Enough for one connection"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, smtp: _Conversation, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answers = self._server.answers.get(address, [])
        if answers:
            return answers.pop(0)
        if smtp.place == "busy":
            return "451 4.3.0 Try again later"
        if smtp.place == "rcpt":
            smtp.hang_up()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, smtp: _Conversation, session: Session, envelope: Envelope) -> str:
        self._server.received.set()
        while self._server.silent.is_set():
            await asyncio.sleep(0.01)
        if smtp.place == "data":
            smtp.hang_up()
            return "250 never heard"
        assert isinstance(envelope.content, bytes)
        smtp.taken += 1
        self._server.keep(envelope.content)
        if self._server.unheard:
            self._server.unheard -= 1
            smtp.hang_up()
        if smtp.place == "answered":
            # The answer is heard; the next mail on this connection finds it gone.
            smtp.place = "rcpt"
        return "250 2.0.0 Taken"
