"""Static files, gathered and hashed into STATIC_ROOT only when one of them changed."""

import fcntl
import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

FINGERPRINT = ".fingerprint"


def _fingerprint() -> str:
    """Changes when a source file appears, vanishes or is written."""
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def collect_if_changed() -> bool:
    """Run `collectstatic` if STATIC_ROOT is not of the present files; says whether it did.

    Safe to call from several processes at once: one works, the others wait.
    """
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = root / FINGERPRINT
        wanted = _fingerprint()
        if record.exists() and record.read_text(encoding="ascii") == wanted:
            return False
        record.unlink(missing_ok=True)
        call_command("collectstatic", interactive=False, verbosity=0)
        record.write_text(wanted, encoding="ascii")
        return True
