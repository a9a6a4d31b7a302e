"""Misconfiguration is named, each kind with an id of its own and a hint."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.core.checks import CheckMessage, run_checks
from pytest_django import Settings

from orgportal import checks

Break = Callable[[Path], dict[str, Any]]


def _pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


RSA = generate_private_key(public_exponent=65537, key_size=2048)
GOOD_KEY = "kZ3vQ9xT1mB7cW5nR8pL2sD6fG4hJ0aYeUiOqXwErTyUuIo_PlKjHg"


def _file_in_the_way(folder: Path) -> dict[str, Any]:
    (folder / "file").write_text("not a folder", encoding="ascii")
    return {"DATA_DIR": folder / "file" / "data", "MONGODB_URI": ""}


def _settings(**wrong: Any) -> Break:
    return lambda folder: wrong


BROKEN: list[tuple[str, str, Break]] = [
    ("a short secret key", "orgportal.E001", _settings(SECRET_KEY="short")),
    ("a secret key of one letter", "orgportal.E001", _settings(SECRET_KEY="a" * 80)),
    ("a short earlier secret key", "orgportal.E001", _settings(SECRET_KEY_FALLBACKS=["short"])),
    ("a short audit key", "orgportal.E018", _settings(AUDIT_KEY="short")),
    ("a short earlier audit key", "orgportal.E018", _settings(AUDIT_KEY_FALLBACKS=["short"])),
    ("an audit key that is the secret key", "orgportal.E019", _settings(AUDIT_KEY=GOOD_KEY)),
    ("a signing key that is none", "orgportal.E002", _settings(JWT_PRIVATE_KEY="none")),
    ("a signing key of another kind", "orgportal.E002", _settings(JWT_PRIVATE_KEY=_pem(RSA))),
    ("retired keys that are none", "orgportal.E003", _settings(JWT_RETIRED_KEYS="none")),
    ("a retired key of another kind", "orgportal.E003", _settings(JWT_RETIRED_KEYS=_public_pem(RSA))),
    ("http in production", "orgportal.E004", _settings(PRODUCTION=True, SITE_URL="http://portal.example")),
    ("an address with a path", "orgportal.E005", _settings(SITE_URL="https://portal.example/portal")),
    ("an address with a user", "orgportal.E005", _settings(SITE_URL="https://me@portal.example")),
    ("an IP address, for which there are no passkeys", "orgportal.W045", _settings(SITE_URL="https://203.0.113.7")),
    ("an IPv6 address in production", "orgportal.W045", _settings(PRODUCTION=True, SITE_URL="https://[2001:db8::7]")),
    ("every host", "orgportal.E006", _settings(ALLOWED_HOSTS=["portal.example", "*"])),
    ("a data folder below a file", "orgportal.E007", _file_in_the_way),
    ("as many hashes as threads", "orgportal.E008", _settings(WEB_THREADS=4, BCRYPT_CONCURRENCY=4)),
    ("one thread", "orgportal.E008", _settings(WEB_THREADS=1, BCRYPT_CONCURRENCY=0)),
    ("bcrypt cost 3", "orgportal.E009", _settings(BCRYPT_ROUNDS=3)),
    ("bcrypt cost 31", "orgportal.E009", _settings(BCRYPT_ROUNDS=31)),
    ("a test's bcrypt cost in production", "orgportal.W010", _settings(PRODUCTION=True, BCRYPT_ROUNDS=4)),
    ("debug in production", "orgportal.E011", _settings(PRODUCTION=True, DEBUG=True)),
    ("another database's address", "orgportal.E012", _settings(MONGODB_URI="postgres://me:secret-word@db.example")),
    ("another cluster's address", "orgportal.E012", _settings(CLUSTERS={"east": "db.example/?password=secret-word"})),
    ("a second master", "orgportal.E013", _settings(CLUSTERS={"master": "mongodb://db.example"})),
    ("a database name with a dot", "orgportal.E014", _settings(MONGODB_DATABASE="org.portal")),
    ("no database name", "orgportal.E014", _settings(MONGODB_DATABASE="")),
    ("port 0", "orgportal.E015", _settings(PORT=0)),
    ("port 70000", "orgportal.E015", _settings(PORT=70_000)),
    ("idle longer than absolute", "orgportal.E016", _settings(SESSION_IDLE_SECONDS=2.0, SESSION_ABSOLUTE_SECONDS=1.0)),
    ("refresh idle too long", "orgportal.E016", _settings(REFRESH_IDLE_SECONDS=2e8)),
    ("access longer than refresh", "orgportal.E016", _settings(ACCESS_TOKEN_SECONDS=1e7)),
    ("no mail server in production", "orgportal.W040", _settings(PRODUCTION=True, EMAIL_HOST="")),
    ("mail in the clear", "orgportal.W041", _settings(PRODUCTION=True, EMAIL_USE_TLS=False)),
    ("a mail server's user without a password", "orgportal.E042", _settings(EMAIL_HOST_USER="portal")),
    ("a mail server's password without a user", "orgportal.E042", _settings(EMAIL_HOST_PASSWORD="secret-word")),
    ("a mail server's port too high", "orgportal.E043", _settings(EMAIL_PORT=70_000)),
    ("a sender that is no address", "orgportal.E044", _settings(EMAIL_FROM="Acme")),
    ("a sender of two lines", "orgportal.E044", _settings(EMAIL_FROM="a@b\nBcc: c@d")),
    ("a lease within a write's deadline", "orgportal.E017", _settings(LEASE_SECONDS=5.0, DATABASE_DEADLINE=5.0)),
]


def _found() -> list[CheckMessage]:
    return run_checks(tags=["orgportal"])


@pytest.fixture
def good(settings: Settings) -> Settings:
    """Settings in which nothing is wrong."""
    settings.SECRET_KEY = GOOD_KEY
    settings.JWT_PRIVATE_KEY = _pem(Ed25519PrivateKey.generate())
    settings.SITE_URL = "https://portal.example"
    settings.BCRYPT_ROUNDS = 12
    settings.EMAIL_HOST = "mail.example"
    return settings


def test_good_settings_are_fine(good: Settings) -> None:
    good.JWT_RETIRED_KEYS = _public_pem(Ed25519PrivateKey.generate()) + _public_pem(Ed25519PrivateKey.generate())
    good.CLUSTERS = {"east": "mongodb+srv://east.example", "west": "mongodb://a.example,b.example/?replicaSet=rs0"}
    good.PRODUCTION = True
    assert _found() == []


def test_the_settings_of_a_local_start_are_fine(good: Settings, tmp_path: Path) -> None:
    good.MONGODB_URI = ""
    good.DATA_DIR = tmp_path / "not" / "yet" / "there"
    good.SITE_URL = "http://127.0.0.1:8000"
    assert _found() == []


@pytest.mark.parametrize(("wrong", "id", "break_it"), BROKEN, ids=[wrong for wrong, _, _ in BROKEN])
def test_what_is_wrong_is_named(good: Settings, tmp_path: Path, wrong: str, id: str, break_it: Break) -> None:
    for name, value in break_it(tmp_path).items():
        setattr(good, name, value)

    [message] = _found()

    assert message.id == id
    assert message.hint


def test_the_value_of_a_secret_is_never_shown(good: Settings) -> None:
    good.SECRET_KEY = "secret-word"
    good.JWT_PRIVATE_KEY = "secret-word"
    good.MONGODB_URI = "secret-word"

    messages = _found()

    assert len(messages) == 3
    assert "secret-word" not in str(messages)


def test_no_folder_is_asked_for_where_none_is_needed(good: Settings, tmp_path: Path) -> None:
    broken = _file_in_the_way(tmp_path)
    good.DATA_DIR = broken["DATA_DIR"]
    good.MONGODB_URI = "mongodb://db.example"
    assert _found() == []


def test_every_id_is_used_once_and_has_a_test() -> None:
    source = Path(checks.__file__).read_text(encoding="utf-8")
    ids = re.findall(r'"(orgportal\.[EW]\d+)"', source)

    assert len(ids) == len(set(ids))
    assert set(ids) == {id for _, id, _ in BROKEN}
