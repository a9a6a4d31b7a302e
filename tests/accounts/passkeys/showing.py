"""Passkeys that are shown to log in, over the API and at a browser's second step."""

from typing import Any

from django.test import Client

from tests.accounts.passkeys.adding import AUTH, options_of
from tests.accounts.passkeys.authenticator import HONEST, Authenticator, Json, Lies
from tests.scripts import PASSWORD, Script


def options_alone() -> Json:
    """What the browser is given to log in with a passkey alone."""
    return options_of(Script().post(f"{AUTH}/login/passkey/options", {}))


def options_after_password(email: str, password: str = PASSWORD) -> Json:
    """What the browser is given for the passkey beside a password."""
    return options_of(Script().post(f"{AUTH}/login/passkey/options", {"email": email, "password": password}))


def log_in_with(credential: Json, **more: Any) -> Any:
    """The answer to a login with what a device gave."""
    return Script().post(f"{AUTH}/login/passkey", {"credential": credential, **more})


def log_in_alone(device: Authenticator, lies: Lies = HONEST, **more: Any) -> Any:
    """The answer to a login with a passkey and nothing else."""
    return log_in_with(device.get(options_alone(), lies), **more)


def options_at_code(browser: Client) -> Json:
    """What a browser is given at the second step of its login."""
    return options_of(browser.post("/login/code/passkey/options"))
