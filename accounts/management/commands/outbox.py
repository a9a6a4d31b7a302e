"""`manage.py outbox`: the mail of a portal without a mail server, and the state of the queue of any."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.mail import outbox, overview
from accounts.mail.outbox import Written
from orgportal import embedded
from orgportal.management.base import PortalCommand

SHOWN = 20


class Command(PortalCommand):
    """Lists, shows one, or prints just the newest mail's link; and what the queue holds."""

    help = "Read mail that was written to files, for want of EMAIL_HOST, and see what the queue of mail holds."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="the latest mails, newest first (the default)")
        show = actions.add_parser("show", help="the text of one mail of the list")
        show.add_argument("number", type=int, help="its number in the list; 1 is the newest")
        newest = actions.add_parser("newest", help="only the link in the newest mail")
        newest.add_argument("--to", default="", help="of those to this address")
        actions.add_parser("queue", help="how many mails wait, were sent or failed, and the latest that failed")
        retry = actions.add_parser("retry", help="queue a failed mail again")
        retry.add_argument("id", help="its id, as `queue` shows it, or `all`")

    def handle(self, *args: Any, **options: Any) -> None:
        action = options["action"] or "list"
        if action == "show":
            self._show(options["number"])
        elif action == "newest":
            self._newest(options["to"])
        elif action == "queue":
            with embedded.available():
                self._queue()
        elif action == "retry":
            with embedded.available():
                self.stdout.write(f"{overview.retry(options['id'])} queued again.")
        else:
            self._list()

    def _list(self) -> None:
        messages = outbox.messages()
        if not messages:
            self.stdout.write(f"No mail in {outbox.folder()}.")
        for number, message in enumerate(messages[:SHOWN], start=1):
            self.stdout.write(f"{number:>3}  {message.at:%Y-%m-%d %H:%M:%S}  {message.to}  {message.subject}")
        if len(messages) > SHOWN:
            self.stdout.write(f"… and {len(messages) - SHOWN} older ones in {outbox.folder()}.")

    def _show(self, number: int) -> None:
        message = _numbered(number)
        self.stdout.write(f"To: {message.to}\nSubject: {message.subject}\nFile: {message.path}\n\n{message.text}")

    def _newest(self, to: str) -> None:
        wanted = to.strip().lower()
        for message in outbox.messages():
            if not wanted or message.to == wanted:
                self.stdout.write(message.link)
                return
        raise CommandError("There is no such mail.")

    def _queue(self) -> None:
        for status, count in overview.counts().items():
            self.stdout.write(f"{status:<8} {count}")
        for entry in overview.failed(limit=SHOWN):
            when = f"{entry.created_at:%Y-%m-%d %H:%M:%S}"
            self.stdout.write(f"{entry.id}  {when}  {entry.letter.kind}  {entry.letter.to}  {entry.problem}")


def _numbered(number: int) -> Written:
    messages = outbox.messages()
    if not 1 <= number <= len(messages):
        raise CommandError(f"There is no mail number {number}.")
    return messages[number - 1]
