"""A letter: what is to be told to whom; and an entry, which is a letter in the queue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bson import ObjectId
from django.conf import settings

_HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9.-]+", re.ASCII)


@dataclass(frozen=True)
class Letter:
    """What is to be told to one address. `account_id`: dropped when that account is gone; `until`: pointless later."""

    kind: str
    to: str
    context: Mapping[str, Any] = field(default_factory=dict)
    account_id: ObjectId | None = None
    org_id: ObjectId | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """A letter in the queue, as it was read."""

    id: ObjectId
    letter: Letter
    message_id: str
    status: str
    attempts: int
    holder: str
    created_at: datetime
    give_up_at: datetime
    problem: str = ""
    sent_at: datetime | None = None


def mail_domain() -> str:
    """The domain that the portal's mails are from: the host of SITE_URL, or `localhost` where that is an address."""
    host = str(urlsplit(settings.SITE_URL).hostname)
    return host if _HOST_NAME.fullmatch(host) else "localhost"


def entry_from(row: Mapping[str, Any]) -> Entry:
    """The entry of a stored document."""
    letter = Letter(
        kind=row["kind"],
        to=row["to"],
        context=row["context"],
        account_id=row["account_id"],
        org_id=row["org_id"],
        until=row["until"],
    )
    return Entry(
        id=row["_id"],
        letter=letter,
        message_id=row["message_id"],
        status=row["status"],
        attempts=row["attempts"],
        holder=row["holder"],
        created_at=row["created_at"],
        give_up_at=row["give_up_at"],
        problem=row["problem"],
        sent_at=row.get("sent_at"),
    )
