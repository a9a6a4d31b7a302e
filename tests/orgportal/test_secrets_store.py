"""The secrets that a local portal makes for itself, once."""

import secrets
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orgportal.secrets_store import kept_once


def test_two_that_make_a_secret_at_once_agree_on_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    both_found_none = threading.Barrier(2)

    def make() -> str:
        both_found_none.wait(30)
        return secrets.token_hex()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: kept_once(path, make), range(2))

    assert first == second == path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
