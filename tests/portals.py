"""A whole portal as real processes: gunicorn and the worker, for tests over HTTP."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from orgportal import indexes
from orgportal.env import VARIABLES
from orgportal.lifeline import tied
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of the portal."""
    ours = {variable.name for variable in VARIABLES} | {"DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in ours}


class Portal:
    """Gunicorn and `manage.py worker` against one database; `base_url` is where it answers."""

    def __init__(
        self,
        *,
        uri: str,
        database: str,
        folder: Path,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.uri = uri
        self.database = database
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://{host}:{self.port}"
        self.environment = clean_environment() | {
            "ORGPORTAL_ENV": "local",
            "MONGODB_URI": uri,
            "MONGODB_DATABASE": database,
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            "SITE_URL": self.base_url,
            "BCRYPT_ROUNDS": "4",
            "WEB_WORKERS": "1",
            **(settings or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def log(self) -> str:
        """What its processes wrote so far."""
        return (self.folder / "portal.log").read_text(encoding="utf-8", errors="replace")

    def mongo(self) -> "MongoClient[dict[str, Any]]":
        """A new client of its database server; the caller closes it."""
        return MongoClient(self.uri, tz_aware=True, timeoutMS=20_000)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command against the same database and settings."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def start(self, *, worker: bool = True) -> "Portal":
        """Make the indexes, start both processes (or gunicorn alone), wait until HTTP is answered."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.mongo() as client:
            for name, models in indexes.declared():
                client[self.database][name].create_indexes(models)
        self.start_web()
        if worker:
            self.start_worker()
        self.wait_until_it_answers()
        return self

    def start_web(self) -> None:
        self._spawn("web", ["-m", "gunicorn", "-c", "orgportal/gunicorn_conf.py", "orgportal.wsgi"])

    def start_worker(self) -> None:
        self._spawn("worker", ["manage.py", "worker"])

    def _spawn(self, name: str, arguments: list[str]) -> None:
        with (self.folder / "portal.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                tied([sys.executable, *arguments]),
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def wait_until_it_answers(self) -> None:
        """Wait until any HTTP answer comes, of whatever status."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.base_url}/healthz", timeout=5).close()  # noqa: S310
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                assert self._processes["web"].poll() is None, f"gunicorn ended:\n{self.log}"
                assert time.monotonic() < until, f"the portal did not answer in time:\n{self.log}"
                time.sleep(0.05)

    def pid(self, name: str) -> int:
        """The process id of "web" (gunicorn's master) or "worker"."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """kill -9 of "web" or "worker"."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End whatever still runs, in order."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
