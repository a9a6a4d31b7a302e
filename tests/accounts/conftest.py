"""Fixtures of the tests about accounts: an empty database for each, and an ear on its commands."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import monitoring

from orgportal import database
from tests.accounts.commands import Commands

_commands = Commands()


@pytest.fixture(autouse=True)
def _empty(clean_database: None) -> None:
    """Every test starts with no account, session or organization."""


@pytest.fixture
def own_outbox(settings: Any, tmp_path: Path) -> None:
    """An outbox for mail of this test's own: see `tests.accounts.post`."""
    settings.DATA_DIR = tmp_path


@pytest.fixture(scope="session")
def _listening() -> Iterator[None]:
    # A listener reaches only the clients that are opened after it.
    monitoring.register(_commands)
    database.forget_clients()
    yield
    database.forget_clients()


@pytest.fixture
def commands(_listening: None) -> Iterator[Commands]:
    """The commands that this test sends from now on; `commands.forget()` starts anew."""
    _commands.forget()
    _commands.thread = threading.get_ident()
    yield _commands
    _commands.thread = None
