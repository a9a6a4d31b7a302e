"""Secrets that a local portal makes itself, once, in its data folder (mode 0600)."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def kept_once(path: Path, make: Callable[[], str]) -> str:
    """The text in `path`, made by `make` if the file is not there yet.

    Two processes that start at once agree: the file appears whole, under a lock-free link, and the
    loser reads the winner's.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text(encoding="utf-8").strip()
    finally:
        draft.unlink()
    return path.read_text(encoding="utf-8").strip()


def new_secret() -> str:
    """A secret for SECRET_KEY or AUDIT_KEY: 512 random bits."""
    return secrets.token_urlsafe(64)


def new_signing_key() -> str:
    """An Ed25519 private key (PKCS 8, PEM) for tokens (RFC 8037)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def secret_key(data_dir: Path) -> str:
    """The portal's own SECRET_KEY, as it was before any rotation."""
    return kept_once(data_dir / "secret_key", new_secret)


def audit_key(data_dir: Path) -> str:
    """The portal's own key of the audit, as it was before any rotation."""
    return kept_once(data_dir / "audit_key", new_secret)


def signing_key(data_dir: Path) -> str:
    """The portal's own private key for tokens, as it was before any rotation."""
    return kept_once(data_dir / "signing_key.pem", new_signing_key)
