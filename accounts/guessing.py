"""Guesses at passwords and codes: which attempts are counted together, and who keeps a way in.

Strangers share the attempts of an account, by the address as typed, known or not; and all attempts of a network
count together. A device or network from which the account has logged in has attempts of its own, so that nobody
can lock its owner out; a new password by mail empties the account's buckets.
"""

from dataclasses import dataclass, field

from bson import ObjectId
from django.conf import settings

from accounts import devices, throttle
from accounts.addresses import normalise_email
from accounts.devices import Device
from accounts.throttle import Bucket, Taken
from orgportal import circumstances
from orgportal.errors import PortalError
from orgportal.network import network_of

LONGEST_SPELLING = 254


@dataclass
class Attempt:
    """One guess. It is counted before it is evaluated, and forgiven when it was right."""

    buckets: tuple[Bucket, ...]
    _taken: tuple[Taken, ...] = field(default=(), repr=False)

    def count(self) -> None:
        """Count the guess. Raises PortalError 429 `too_many_attempts` when there is no room for it."""
        self._taken = throttle.take_all(self.buckets)

    def forgive(self) -> None:
        """It was no guess: uncount it."""
        throttle.give_back(self._taken)
        self._taken = ()


def spelling_of(email: str) -> str:
    """The one spelling under which attempts for an address are counted, whatever was typed."""
    try:
        return normalise_email(email)
    except PortalError:
        return _cut(email)


def password_attempt(*, email: str, device: Device | None) -> Attempt:
    """A guess at the password of an address. One round trip, and the same one whether an account has it or not."""
    subject = spelling_of(email)
    if device is not None and device.knows(subject):
        return Attempt((_guesses("device", subject, device.id),))
    if devices.is_known_place(subject):
        return Attempt((_guesses("place", subject, _network()),))
    return Attempt((_guesses("account", subject), _of_network()))


def code_attempt(*, account_id: ObjectId, email: str, device: Device | None) -> Attempt:
    """A guess at a second factor's code, by somebody who knows the password."""
    if device is not None and device.knows(email):
        return Attempt((_guesses("code_device", str(account_id), device.id),))
    return Attempt((_guesses("code", str(account_id)), _of_network()))


def passkey_attempt(*, credential: str, email: str | None, device: Device | None) -> Attempt:
    """A passkey that is shown. By its id, known or not; `email` is that of the account that has it, if one has."""
    if email is not None and device is not None and device.knows(email):
        return Attempt((_guesses("passkey_device", credential, device.id),))
    return Attempt((_guesses("passkey", credential), _of_network()))


def count_challenge() -> None:
    """Count a challenge that somebody asks for who has not said who they are. Raises PortalError 429 over
    GUESSES_PER_ADDRESS from one network: each is kept for minutes.
    """
    limit, seconds = settings.GUESSES_PER_ADDRESS, settings.GUESS_WINDOW_SECONDS
    throttle.take(throttle.bucket("passkey_challenge", _network(), limit=limit, seconds=seconds))


def confirmation_attempt(*, account_id: ObjectId) -> Attempt:
    """A guess at the password or code from within a session. Logging in anew is counted apart."""
    return Attempt((_guesses("confirmation", str(account_id)),))


def forget(*, email: str, account_id: ObjectId) -> None:
    """Give an account all its attempts back: its owner has proved to hold the mailbox and set a new password."""
    throttle.empty(
        _guesses("account", spelling_of(email)),
        _guesses("code", str(account_id)),
        _guesses("confirmation", str(account_id)),
    )


def _cut(typed: object) -> str:
    """What is no address: as typed, for attempts at it count as well."""
    text = typed if isinstance(typed, str) else ""
    return text.strip().casefold()[:LONGEST_SPELLING].encode("utf-8", "replace").decode()


def _guesses(kind: str, *about: str) -> Bucket:
    limit, seconds = settings.GUESSES_PER_ACCOUNT, settings.GUESS_WINDOW_SECONDS
    return throttle.bucket(f"guess.{kind}", *about, limit=limit, seconds=seconds)


def _of_network() -> Bucket:
    limit, seconds = settings.GUESSES_PER_ADDRESS, settings.GUESS_WINDOW_SECONDS
    return throttle.bucket("guess.network", _network(), limit=limit, seconds=seconds)


def _network() -> str:
    return network_of(circumstances.current().address)
