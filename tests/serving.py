"""`manage.py serve` as a person runs it: one command, its output, its exit code."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.portals import ROOT, clean_environment
from tests.processes import descendants
from tests.servers import free_port
from tests.waiting import wait_until


class Serving:
    """One run of `manage.py serve` on a data folder."""

    def __init__(self, folder: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = folder / "data"
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._output = folder / f"serve-{self.port}.log"
        self.environment = clean_environment() | {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "BCRYPT_ROUNDS": "4",
            "WEB_WORKERS": "1",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it printed since it was started the last time."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    def launch(self) -> "Serving":
        """Start it and do not wait."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT, env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def start(self) -> "Serving":
        """Start it and wait until it says that it is ready."""
        self.launch()
        wait_until(lambda: "is ready" in self.output or not self.runs, "the portal to be ready")
        assert self.runs, self.output
        return self

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_code(self, seconds: float = 30) -> int:
        """Wait for its end."""
        assert self._process is not None, "it was not started"
        return self._process.wait(seconds)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """End it if it still runs."""
        if self.runs:
            self.send(signal.SIGTERM)
            self.exit_code()

    def processes(self) -> dict[int, str]:
        """Everything it started, by process id."""
        return descendants(self.pid)

    def pid_of(self, words: str) -> int:
        """The process id of its oldest child whose command line has the words."""
        return min(pid for pid, line in self.processes().items() if words in line)

    def ready(self) -> bool:
        """Whether /readyz answers 200 at this moment."""
        # Asked again and again: httpx would read all certificates of the machine for each of them.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def mongo(self) -> "MongoClient[dict[str, Any]]":
        """A new client of its embedded database; the caller closes it."""
        note = json.loads((self.data_dir / "database.json").read_text(encoding="utf-8"))
        return MongoClient(note["uri"], timeoutMS=20_000)
