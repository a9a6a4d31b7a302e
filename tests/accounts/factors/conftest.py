"""Alice with a second factor, and the clock that it goes by."""

import pytest

from accounts.principal import Principal
from tests.accounts.cast import a_session, an_account, an_organization, somebody
from tests.accounts.factors.apps import Clock, Factor, a_clock, switched_on

ALICE = "alice@example.org"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which codes are right."""
    return a_clock(monkeypatch)


@pytest.fixture
def alice() -> Principal:
    """The owner of acme, in a session whose password was just entered, without a second factor."""
    an_account(ALICE, an_organization("acme"))
    return somebody(a_session(ALICE))


@pytest.fixture
def factor(alice: Principal, clock: Clock) -> Factor:
    """Alice's second factor."""
    return switched_on(alice, clock)
