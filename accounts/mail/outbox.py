"""Mail as files, where no mail server is configured: for the operator of a portal of one's own to read.

One file a message, named after its time and id and written whole, so that writing it again changes nothing. Links in
them open accounts, so they are for their owner alone (mode 0600) and go with age.
"""

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

KEPT = timedelta(days=30)
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")
_LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True)
class Written:
    """A message in the outbox."""

    path: Path
    at: datetime
    to: str
    subject: str
    text: str

    @property
    def link(self) -> str:
        """The link that the mail is about: the first one in its text, if any."""
        found = _LINK.search(self.text)
        return found[0] if found else ""


class FileBackend(BaseEmailBackend):
    """Django's interface to the outbox."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write each message; how many there were."""
        for message in email_messages:
            _write(message)
        return len(email_messages)


def folder() -> Path:
    """Where the messages lie."""
    return Path(settings.DATA_DIR) / "outbox"


def messages() -> list[Written]:
    """All messages, the newest first."""
    paths = sorted(folder().glob("*.eml"), reverse=True) if folder().is_dir() else []
    return [_read(path) for path in paths]


def prune() -> int:
    """Remove messages that are older than KEPT; how many."""
    if not folder().is_dir():
        return 0
    limit = (datetime.now(timezone.utc) - KEPT).timestamp()
    old = [path for path in folder().glob("*.eml") if path.stat().st_mtime < limit]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _write(message: EmailMessage) -> None:
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder() / _name(message)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(message.message().as_bytes())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _name(message: EmailMessage) -> str:
    headers: dict[str, Any] = dict(message.extra_headers)
    at = headers["Date"].astimezone(timezone.utc) if isinstance(headers.get("Date"), datetime) else None
    moment = (at or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%S.%f")[:-3]
    return f"{moment}-{_UNFIT.sub('', str(headers.get('Message-ID', '')).partition('@')[0])}.eml"


def _read(path: Path) -> Written:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = parsed.get_body(("plain",)) if isinstance(parsed, ParsedMessage) else None
    return Written(
        path=path,
        at=datetime.strptime(path.name.partition("-")[0], "%Y%m%dT%H%M%S.%f").replace(tzinfo=timezone.utc),
        to=str(parsed["To"]),
        subject=str(parsed["Subject"]),
        text=str(body.get_content()) if body is not None else "",
    )
