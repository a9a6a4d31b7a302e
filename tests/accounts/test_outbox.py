"""The outbox of a portal without a mail server, and the command that reads it."""

import os
import stat
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import recovery
from accounts.mail import outbox, queue
from tests.accounts.cast import an_account, an_organization
from tests.accounts.mail_server import MailServer
from tests.accounts.post import delivered
from tests.accounts.test_mail_delivery import a_notice, stored
from tests.accounts.test_mail_delivery import delivered as all_delivered

pytestmark = pytest.mark.usefixtures("own_outbox")
ALICE, BOB = "alice@example.org", "bob@example.org"


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("outbox", *arguments, stdout=out)
    return out.getvalue()


def test_messages_are_files_for_their_owner_alone() -> None:
    queue.add([a_notice()])
    (message,) = delivered()
    assert message.path.parent == outbox.folder()
    assert stat.S_IMODE(message.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outbox.folder().stat().st_mode) == 0o700
    assert message.path.name.endswith(".eml")
    assert list(outbox.folder().iterdir()) == [message.path], "no draft is left"


def test_a_message_that_is_written_again_replaces_itself() -> None:
    queue.add([a_notice()])
    dead = queue.claim(lease=timedelta(milliseconds=1))
    assert dead is not None
    delivered()
    from accounts.mail.queue import MAIL
    from orgportal import database

    database.collection(MAIL).update_one({}, {"$set": {"status": "sending", "due_at": dead.created_at}})
    assert len(delivered()) == 1


def test_the_command_lists_shows_and_gives_the_newest_link() -> None:
    assert "No mail" in command()
    an_account(ALICE, an_organization("acme"))
    queue.add([a_notice(BOB)])
    delivered()
    recovery.forgot(email=ALICE)
    delivered()
    lines = command("list").splitlines()
    assert len(lines) == 2
    assert "Reset your password" in lines[0]
    assert BOB in lines[1]
    link = command("newest").strip()
    assert link.startswith("http://testserver/password/reset/")
    assert command("newest", "--to", ALICE).strip() == link
    assert link in command("show", "1")
    assert "Your password was changed" in command("show", "2")


@pytest.mark.parametrize("arguments", [("show", "1"), ("show", "0"), ("newest",), ("newest", "--to", "x@example.org")])
def test_what_is_not_there_is_said(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*arguments)


def test_the_operator_sees_what_failed_and_has_it_sent_again(settings: Any) -> None:
    server = MailServer().start()
    server.configure(settings)
    server.answers[ALICE] = ["554 5.7.1 Not wanted"]
    queue.add([a_notice()])
    all_delivered()
    shown = command("queue")
    assert "failed   1" in shown
    assert "554 5.7.1 Not wanted" in shown
    assert "0 queued again" in command("retry", "0" * 24)
    assert "1 queued again" in command("retry", str(stored()["_id"]))
    all_delivered()
    server.stop()
    assert len(server.kept) == 1


def test_old_messages_go() -> None:
    queue.add([a_notice(), a_notice(BOB)])
    old, kept = delivered()
    past = (datetime.now(timezone.utc) - timedelta(days=31)).timestamp()
    os.utime(old.path, (past, past))
    assert outbox.prune() == 1
    assert [message.path for message in outbox.messages()] == [kept.path]
