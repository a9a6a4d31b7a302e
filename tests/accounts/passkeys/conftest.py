"""Acme's owner, who has a device."""

import pytest

from tests.accounts.factors.apps import Clock, a_clock
from tests.accounts.passkeys.adding import added
from tests.accounts.passkeys.authenticator import Authenticator, Held
from tests.remembered import recall
from tests.scripts import Script, log_in, sign_up

EMAIL = "owner@acme.example"


@pytest.fixture
def script() -> Script:
    """Acme's owner, logged in with the password, without a second factor."""
    sign_up("Acme")
    return log_in(EMAIL)


@pytest.fixture
def device() -> Authenticator:
    """An authenticator with a counter."""
    return Authenticator()


@pytest.fixture
def owner(script: Script, device: Authenticator) -> Script:
    """Acme's owner, whose only second factor is a passkey in `device`."""

    def with_passkey() -> list[Held]:
        added(script, device)
        return device.held

    device.held = recall(("a passkey of acme's owner",), with_passkey)
    return script


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which codes of apps are right."""
    return a_clock(monkeypatch)
