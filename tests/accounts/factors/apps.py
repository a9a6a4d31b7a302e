"""An authenticator app in a test's hand, and a clock that the test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from accounts.factors import service, totp
from accounts.principal import Principal
from accounts.tokens import now
from tests.remembered import recall


@dataclass
class Clock:
    """What the second factor takes for the time."""

    offset: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return now() + self.offset

    def on(self, *, steps: int) -> None:
        """Go on by so many steps of half a minute."""
        self.offset += timedelta(seconds=totp.STEP_SECONDS * steps)


@dataclass
class App:
    """Makes the codes of one secret by the clock that it is given."""

    secret: str
    clock: Callable[[], datetime] = now

    def code(self, *, steps: int = 0) -> str:
        """The code of now, or of so many steps later (or earlier)."""
        return totp.code_at(self.secret, totp.step_of(self.clock()) + steps)


@dataclass
class Factor:
    """A second factor that is on: the app, the recovery codes, the clock that all go by."""

    app: App
    recovery_codes: list[str]
    clock: Clock


def a_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that codes are checked by, from now on."""
    clock = Clock()
    monkeypatch.setattr(totp, "now", clock)
    return clock


def switched_on(principal: Principal, clock: Clock) -> Factor:
    """Switch the account's second factor on, and go on to a step whose code has not been used."""

    def switch_on() -> tuple[str, list[str]]:
        secret = service.begin(principal=principal).secret
        return secret, service.confirm(principal=principal, otp=App(secret, clock).code())

    # The code of a step is used up by it.
    secret, codes = recall(("a second factor", principal.account_id, totp.step_of(clock())), switch_on)
    clock.on(steps=1)
    return Factor(App(secret, clock), codes, clock)
