"""The whole portal on one machine: embedded database, gunicorn and worker, started, watched and stopped."""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError
from pymongo.errors import PyMongoError

from orgportal import assets, database, indexes
from orgportal.children import Child, Say
from orgportal.embedded import EmbeddedDatabase
from orgportal.owner import AlreadyOwned, owning
from orgportal.watchdog import Watchdog

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
PORT_PATIENCE = 3.0
COMMAND_PATIENCE = 30.0
TICK_SECONDS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal, or sent SIGTERM."""


def serve(say: Say) -> None:
    """Run the portal until it is asked to stop; nothing of it is left afterwards.

    Raises CommandError, in words for the person at the terminal, when it cannot start.
    """
    for number in SIGNALS:
        signal.signal(number, _ask_to_stop)
    try:
        with ExitStack() as stack:
            watchdog = _start_database(stack, say)
            web, worker = children = _children(stack)
            web.start()
            _wait_until_ready(web)
            # After the web server, which people wait for; nothing is due in the second between.
            worker.start()
            say(f"orgportal is ready: {settings.SITE_URL}")
            if not settings.EMAIL_HOST:
                say("Mail is written to files. Read it: python manage.py outbox")
            say("Press Ctrl-C to stop it.")
            _watch(children, watchdog, say)
    except StopAsked:
        say("orgportal has stopped.")


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise StopAsked


def _start_database(stack: ExitStack, say: Say) -> Watchdog | None:
    """Everything that must be there before the first request: the port, static files, database, indexes."""
    watchdog = None
    if not settings.MONGODB_URI:
        _own_data_dir(stack, say)
    _check_port()
    assets.collect_if_changed()
    if not settings.MONGODB_URI:
        server = EmbeddedDatabase(settings.DATA_DIR)
        stack.callback(server.stop)
        server.start()
        watchdog = Watchdog(server, say)
        stack.callback(watchdog.stop)
        watchdog.start()
    try:
        indexes.ensure_indexes()
    except PyMongoError as error:
        raise CommandError(f"The database did not let the indexes be made ({type(error).__name__}).") from error
    finally:
        database.forget_clients()
    return watchdog


def _own_data_dir(stack: ExitStack, say: Say) -> None:
    say(f"orgportal is starting; its data is in {settings.DATA_DIR}")
    try:
        try:
            stack.enter_context(owning(settings.DATA_DIR, settings.SITE_URL, lasts=True))
        except AlreadyOwned as owned:
            if owned.lasts:
                raise
            say(f"{owned} Waiting until it has ended.")
            stack.enter_context(owning(settings.DATA_DIR, settings.SITE_URL, lasts=True, patience=COMMAND_PATIENCE))
    except AlreadyOwned as owned:
        raise CommandError(f"{owned} Stop that first, or start with another DATA_DIR and PORT.") from owned


def _check_port() -> None:
    """The port may still be held for a moment by what a killed portal left."""
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    until = time.monotonic() + PORT_PATIENCE
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, settings.PORT))
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise CommandError(
                        f"Port {settings.PORT} on {settings.HOST} cannot be used ({error.strerror}). "
                        f"Choose another, for example: PORT={settings.PORT + 1} make run"
                    ) from error
        time.sleep(0.1)


def _children(stack: ExitStack) -> tuple[Child, Child]:
    # Started by a person at a terminal, who wants to read what is wrong rather than every request.
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    web = [sys.executable, "-m", "gunicorn", "-c", "orgportal/gunicorn_conf.py", "orgportal.wsgi"]
    children = Child("web server", web), Child("worker", [sys.executable, "manage.py", "worker"])
    stack.callback(_stop, children)
    return children


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.ask_to_stop()
    until = time.monotonic() + STOP_SECONDS
    for child in children:
        child.wait_or_kill(max(0.0, until - time.monotonic()))


def _wait_until_ready(web: Child) -> None:
    until = time.monotonic() + READY_SECONDS
    while (status := _status()) is None or status >= 500:
        if web.ended:
            raise CommandError(f"The {web.name} ended at its start ({web.ended}); what it said is above.")
        if time.monotonic() > until:
            said = f"status {status}" if status else "no answer"
            raise CommandError(f"The portal did not become ready within {READY_SECONDS:.0f} seconds ({said}).")
        time.sleep(0.05)


def _status() -> int | None:
    """The HTTP status of /readyz, None when nothing answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.PORT, timeout=10)
    try:
        connection.request("GET", "/readyz", headers={"Host": urlsplit(settings.SITE_URL).netloc})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _watch(children: Sequence[Child], watchdog: Watchdog | None, say: Say) -> None:
    while True:
        if watchdog is not None:
            watchdog.tend()
        for child in children:
            child.revive(say)
        time.sleep(TICK_SECONDS)
