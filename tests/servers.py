"""Database servers for tests: real processes that speak the MongoDB wire protocol."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from orgportal.lifeline import tied

START_SECONDS = 30
STOP_SECONDS = 10


def free_port() -> int:
    """A port of the loopback interface that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class DatabaseServer:
    """One SecantusDB process on a folder of its own; may be killed and started again on the same port.

    `durable` makes an acknowledged write survive `kill()`; `failpoints` allows `configureFailPoint`.
    """

    def __init__(self, folder: Path, *, durable: bool = True, failpoints: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"mongodb://127.0.0.1:{self.port}/?retryWrites=false"
        self._options = (["--sync-on-commit"] if durable else []) + (["--enable-test-commands"] if failpoints else [])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "DatabaseServer":
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "secantus", "--port", str(self.port), "--storage-path", str(self.folder)]
        command += ["--standalone", "--log-level", "ERROR", "--cache-size", "256M", *self._options]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                tied(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder.parent
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_SECONDS
        # First by hand: the driver looks for a server that was not there no sooner than half a second later.
        while not _listens(self.port):
            assert self._process.poll() is None, "the database server ended while it started"
            assert time.monotonic() < until, "the database server did not listen in time"
            time.sleep(0.01)
        with self.client(serverSelectionTimeoutMS=300) as client:
            while True:
                try:
                    client.admin.command("ping")
                    return
                except PyMongoError:
                    assert self._process.poll() is None, "the database server ended while it started"
                    assert time.monotonic() < until, "the database server did not answer in time"

    def client(self, **options: Any) -> "MongoClient[dict[str, Any]]":
        """A new client of this server; the caller closes it."""
        return MongoClient(self.uri, tz_aware=True, **{"timeoutMS": 20_000, **options})

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def kill(self) -> None:
        """End it as kill -9 does: nothing is flushed that was not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in order: kept for when its folder is used again. What is thrown away can be killed."""
        if self._process is not None:
            self._process.terminate()
            until = time.monotonic() + STOP_SECONDS
            while self._process.poll() is None and time.monotonic() < until:
                # One that waits for a connection notices only after two seconds that it shall end.
                _listens(self.port)
                time.sleep(0.02)
            self.kill()
