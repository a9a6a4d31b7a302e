"""Passkeys that are added over the API."""

from typing import Any

from tests.accounts.passkeys.authenticator import HONEST, Authenticator, Json, Lies
from tests.scripts import Script, body_of

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


def options_of(answer: Any) -> Json:
    assert answer.status_code == 200, answer.content
    found: Json = body_of(answer)["publicKey"]
    return found
