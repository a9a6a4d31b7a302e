"""The worker's duty that delivers the queue. Several workers share it; a mail is sent by one of them.

What "exactly once" comes to over SMTP: a mail is sent again only when nobody can know whether the mail server took
it, because the connection ended between the text and the answer, or this process died, or lost the database for
longer than its lease, between the answer and noting it down. It is then the same mail by its Message-ID.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from django.conf import settings
from pymongo.errors import PyMongoError

from accounts.mail import outbox, queue
from accounts.mail.carrier import Carrier, NotTaken, Unreachable
from accounts.mail.kinds import COMPOSERS
from accounts.mail.letters import Entry
from accounts.mail.writing import Pointless, written
from orgportal import database

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 60.0
PRUNE_EVERY = 3600.0


class Delivering:
    """Sends everything that is due, over one connection; called again and again."""

    def __init__(self) -> None:
        self._carrier = Carrier()
        # Taken by the mail server, but the database could not be told so yet.
        self._unmarked: list[Entry] = []
        self._quiet_until = 0.0
        self._refusals = 0
        self._prune_at = 0.0

    def __call__(self, stopping: threading.Event) -> int:
        """Deliver until nothing is due or `stopping` is set; how many mails went out."""
        self._prune()
        while self._unmarked:
            queue.mark_sent(self._unmarked[-1])
            self._unmarked.pop()
        if time.monotonic() < self._quiet_until or not queue.something_is_due():
            return 0
        queue.give_up_overdue()
        try:
            return self._deliver_all(stopping)
        except Unreachable as error:
            self._wait_after(error)
            return 0
        finally:
            self._carrier.close()

    def _deliver_all(self, stopping: threading.Event) -> int:
        sent = 0
        while not stopping.is_set():
            # Before anything is claimed: a server that is down is no attempt at any mail.
            self._carrier.open()
            self._refusals = 0
            entry = queue.claim(lease=_lease())
            if entry is None:
                break
            with _kept(entry):
                sent += self._deliver(entry)
        return sent

    def _deliver(self, entry: Entry) -> bool:
        try:
            message = written(entry, COMPOSERS)
        except Pointless as reason:
            queue.drop(entry, str(reason))
            return False
        except Exception as error:
            if database.is_unavailable(error):
                raise
            log.exception("mail_not_written", mail=str(entry.id), kind=entry.letter.kind)
            queue.try_later(entry, "It could not be written: see the log.")
            return False
        try:
            self._carrier.carry(message)
        except NotTaken as error:
            (queue.fail if error.permanent else queue.try_later)(entry, error.problem)
            return False
        self._mark(entry)
        return True

    def _mark(self, entry: Entry) -> None:
        try:
            if not queue.mark_sent(entry):
                log.warning("mail_sent_by_two", mail=str(entry.id), kind=entry.letter.kind)
                return
        except PyMongoError as error:
            self._unmarked.append(entry)
            log.warning("mail_not_marked", mail=str(entry.id), error=type(error).__name__)
            return
        log.info("mail_sent", mail=str(entry.id), kind=entry.letter.kind, attempts=entry.attempts)

    def _wait_after(self, error: Unreachable) -> None:
        self._refusals += 1
        pause = min(queue.pause_after(self._refusals).total_seconds() / 8, LONGEST_PAUSE)
        self._quiet_until = time.monotonic() + pause
        log.warning("mail_server_unreachable", problem=str(error), again_in_seconds=round(pause, 1))

    def _prune(self) -> None:
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_EVERY
            outbox.prune()


def _lease() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


@contextmanager
def _kept(entry: Entry) -> Iterator[None]:
    """Keep the claim while the body runs, however slowly the mail server answers."""
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(settings.LEASE_SECONDS / 3):
            try:
                queue.keep_claim(entry, lease=_lease())
            except PyMongoError as error:
                log.warning("mail_claim_not_kept", mail=str(entry.id), error=type(error).__name__)

    thread = threading.Thread(target=beat, name=f"mail-{entry.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
