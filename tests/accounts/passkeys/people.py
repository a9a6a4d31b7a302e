"""What people with passkeys do, over the API."""

from typing import Any

from django.test import Client

from tests.accounts.passkeys.authenticator import HONEST, Authenticator, Json, Lies
from tests.scripts import PASSWORD, Script, body_of

AUTH = "/api/v1/auth"
PASSKEYS = f"{AUTH}/passkeys"


def options_to_add(script: Script) -> Json:
    """What the browser is given to make a passkey."""
    return options_of(script.post(f"{PASSKEYS}/options"))


def add(script: Script, device: Authenticator, *, name: str = "Phone", lies: Lies = HONEST) -> Any:
    """The answer to a passkey that the device made."""
    return script.post(PASSKEYS, {"name": name, "credential": device.create(options_to_add(script), lies)})


def added(script: Script, device: Authenticator, *, name: str = "Phone") -> Json:
    """A passkey that was taken."""
    answer = add(script, device, name=name)
    assert answer.status_code == 201, answer.content
    made: Json = body_of(answer)
    return made


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


def options_of(answer: Any) -> Json:
    assert answer.status_code == 200, answer.content
    found: Json = body_of(answer)["publicKey"]
    return found
