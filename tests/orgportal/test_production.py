"""Production: refuses to start half configured, and passes Django's own deployment check."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from tests.portals import ROOT, clean_environment

SIGNING_KEY = (
    Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
)
PRODUCTION = {
    "SECRET_KEY": "kZ3vQ9xT1mB7cW5nR8pL2sD6fG4hJ0aYeUiOqXwErTyUuIo_PlKjHgFdSa",
    "JWT_PRIVATE_KEY": SIGNING_KEY,
    "AUDIT_KEY": "wR7yN2bK9sV4dX6mC1fH8jL3pQ5tZ0gUeAiOuYrTbEwSxDcFvGhJnKmL",
    "SITE_URL": "https://portal.example",
    "MONGODB_URI": "mongodb://db.example/?replicaSet=rs0",
    "EMAIL_HOST": "mail.example",
}


def _check(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=clean_environment() | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_deployment_check_is_clean_also_with_the_private_key_on_one_line() -> None:
    answer = _check(PRODUCTION | {"JWT_PRIVATE_KEY": SIGNING_KEY.replace("\n", "\\n")})

    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


@pytest.mark.parametrize("missing", ["SECRET_KEY", "JWT_PRIVATE_KEY", "AUDIT_KEY", "SITE_URL"])
def test_a_missing_setting_is_named(missing: str) -> None:
    answer = _check({name: value for name, value in PRODUCTION.items() if name != missing})

    assert answer.returncode == 1
    assert f"Production needs these settings in the environment: {missing}\n" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_all_missing_settings_are_named_at_once() -> None:
    answer = _check({"ORGPORTAL_ENV": "production"})

    assert answer.returncode == 1
    assert "SECRET_KEY, JWT_PRIVATE_KEY, AUDIT_KEY, SITE_URL, MONGODB_URI" in answer.stderr


def test_a_weak_production_fails_the_check_with_an_id_and_a_hint(settings: Settings) -> None:
    settings.PRODUCTION = True
    settings.SITE_URL = "http://portal.example"

    with pytest.raises(SystemCheckError, match=r"orgportal\.E004.*\n.*HINT:"):
        call_command("check", deploy=True, fail_level="WARNING")
