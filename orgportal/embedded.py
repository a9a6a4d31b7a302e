"""The embedded database: SecantusDB as a child process over the wire, below DATA_DIR, for one owner.

Nothing here runs when MONGODB_URI is set. The server always flushes acknowledged writes
(`--sync-on-commit`: without it kill -9 lost acknowledged writes, measured), listens on the loopback
interface only and asks for a generated password.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from orgportal import secrets_store
from orgportal.lifeline import tied
from orgportal.owner import AlreadyOwned, owning

USER = "orgportal"
START_SECONDS = 30.0
STOP_SECONDS = 5.0
WAIT_SECONDS = 60.0
LOG_BYTES = 10_000_000
AUTHENTICATION_FAILED = 18


class NotRunning(Exception):
    """No embedded database answers for this DATA_DIR."""


class CannotStart(CommandError):
    """The embedded database did not come up; the message says why and where to look."""


def _uri(port: int, password: str = "") -> str:
    credentials = f"{USER}:{password}@" if password else ""
    # Retryable writes make this server rescan its retry records with each write (58 against 1,148 inserts/s).
    return f"mongodb://{credentials}127.0.0.1:{port}/?retryWrites=false" + ("&authSource=admin" if password else "")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedDatabase:
    """The server process of one data folder. Only the folder's owner (`orgportal.owner`) may start it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "database"
        self.log = data_dir / "database.log"
        self.port = _free_port()
        self._password = secrets_store.kept_once(data_dir / "database_password", lambda: secrets.token_urlsafe(32))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """How to connect to it, password included."""
        return _uri(self.port, self._password)

    @property
    def pid(self) -> int | None:
        """The server's process id, None while none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server, wait until it answers, and tell others where (`running_uri`).

        Raises CannotStart. Call it from a thread that lives as long as the server shall.
        """
        if not self.folder.exists():
            self._provision()
        self._launch(self.folder, "--auth")
        self._wait_until_it_answers(self.uri)
        _write_private(_note(self.data_dir), json.dumps({"uri": self.uri, "port": self.port, "pid": self.pid}))

    def _provision(self) -> None:
        """Make the folder with its one user, under another name until that is done.

        A user can only be made without `--auth`, so the first start is an open one; it is on a random
        loopback port, holds no data yet, and ends as soon as the user is there.
        """
        draft = self.data_dir / "database.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._launch(draft)
        try:
            self._wait_until_it_answers(_uri(self.port))
            with _client(_uri(self.port)) as client:
                client.admin.command("createUser", USER, pwd=self._password, roles=["root"])
        finally:
            self.stop()
        draft.rename(self.folder)

    def _launch(self, folder: Path, *options: str) -> None:
        # A configuration file of its own, since otherwise the server looks for one in the user's home.
        config = self.data_dir / "database.toml"
        config.write_text("# The portal passes every option on the command line.\n", encoding="ascii")
        command = [sys.executable, "-m", "secantus", "--config", str(config), "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--storage-path", str(folder), "--sync-on-commit"]
        # As a replica set it would keep a log of all writes that nobody reads: a fifth of the time of each.
        command += ["--standalone", "--cache-size", "256M", "--log-level", "WARNING", *options]
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command line is our own
                tied(command), cwd=self.data_dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _wait_until_it_answers(self, uri: str) -> None:
        until = time.monotonic() + START_SECONDS
        while (error := self._probe(uri, 1.0)) is not None:
            if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
                raise CannotStart(f"{self.data_dir / 'database_password'} is not the password of {self.folder}.")
            if self.pid is None:
                raise CannotStart(f"The embedded database ended at its start; its log is {self.log}.")
            if time.monotonic() > until:
                raise CannotStart(f"The embedded database gave no answer for {START_SECONDS:.0f} s; see {self.log}.")
            time.sleep(0.05)

    def answers(self, *, seconds: float = 5.0) -> bool:
        """Whether a write and a read succeed within the time. A full disk leaves a server that only errs."""
        return self._probe(self.uri, seconds) is None

    def _probe(self, uri: str, seconds: float) -> OSError | PyMongoError | None:
        value = secrets.token_hex(8)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=seconds):
                pass
            with _client(uri, seconds) as client:
                probes = client["orgportal_supervisor"]["probes"]
                probes.replace_one({"_id": "probe"}, {"value": value}, upsert=True)
                found = probes.find_one({"_id": "probe"}) or {}
        except (OSError, PyMongoError) as error:
            return error
        return None if found.get("value") == value else PyMongoError("a write was not there to read")

    def stop(self) -> None:
        """End the server in order, or by force where that takes too long (acknowledged writes are safe)."""
        _note(self.data_dir).unlink(missing_ok=True)
        if self._process is None:
            return
        self._process.terminate()
        until = time.monotonic() + STOP_SECONDS
        patience = 0.05
        while time.monotonic() < until:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                return
            self._wake()
            patience = 0.5
        self.kill()

    def _wake(self) -> None:
        """A server that waits for a connection notices only after two seconds that it shall end."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=0.1):
            pass

    def kill(self) -> None:
        """End the server by force."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _client(uri: str, seconds: float = 5.0) -> "MongoClient[dict[str, Any]]":
    milliseconds = int(seconds * 1000)
    return MongoClient(uri, timeoutMS=milliseconds, serverSelectionTimeoutMS=milliseconds, w="majority", journal=True)


def _note(data_dir: Path) -> Path:
    return data_dir / "database.json"


def _write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def running_uri() -> str:
    """How to connect to the embedded database that runs for DATA_DIR. Raises NotRunning."""
    try:
        note = json.loads(_note(settings.DATA_DIR).read_text(encoding="utf-8"))
        with socket.create_connection(("127.0.0.1", note["port"]), timeout=1.0):
            return str(note["uri"])
    except (OSError, ValueError) as error:
        raise NotRunning(f"No embedded database runs for {settings.DATA_DIR}; start the portal first.") from error


@contextmanager
def available() -> Iterator[None]:
    """A database inside, for management commands.

    That of MONGODB_URI, else the embedded one of a running portal, else one started for the duration.
    Another command that has started one is waited for, since it takes its database with it.
    Raises CannotStart.
    """
    with ExitStack() as stack:
        if not settings.MONGODB_URI:
            _own_or_reuse(stack, until=time.monotonic() + WAIT_SECONDS)
        yield


def _own_or_reuse(stack: ExitStack, *, until: float) -> None:
    command = " ".join(["manage.py", *sys.argv[1:2]])
    while True:
        try:
            stack.enter_context(owning(settings.DATA_DIR, command, lasts=False, patience=0.2))
        except AlreadyOwned as owned:
            if owned.lasts and _runs():
                return
            if time.monotonic() > until:
                raise CannotStart(str(owned)) from owned
            time.sleep(0.05)
        else:
            server = EmbeddedDatabase(settings.DATA_DIR)
            stack.callback(server.stop)
            server.start()
            return


def _runs() -> bool:
    try:
        return bool(running_uri())
    except NotRunning:
        return False
