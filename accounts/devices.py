"""Devices and networks from which an account has logged in before.

They keep a way in when strangers use up an account's attempts (OWASP, "device cookies"): who comes with the cookie
of an earlier login, or from its network, has attempts of their own. Neither opens anything by itself.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.utils.crypto import salted_hmac
from pymongo import ASCENDING, IndexModel

from accounts.tokens import now
from orgportal import circumstances, database
from orgportal.network import network_of

KNOWN_PLACES = "known_places"
INDEXES: dict[str, list[IndexModel]] = {
    KNOWN_PLACES: [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)],
}
PLACE_LIFETIME = timedelta(days=90)
RENEWED_BELOW = timedelta(days=60)
MOST_ACCOUNTS = 5


@dataclass(frozen=True)
class Device:
    """A browser that an account has logged in with. `known` holds digests of the addresses, salted with `id`."""

    id: str
    known: tuple[str, ...] = ()

    def knows(self, email: str) -> bool:
        """Whether this account has logged in here."""
        return self._digest(email) in self.known

    def with_account(self, email: str) -> "Device":
        """The device after a login of this account; it remembers the last five."""
        digest = self._digest(email)
        others = tuple(one for one in self.known if one != digest)
        return Device(self.id, (digest, *others)[:MOST_ACCOUNTS])

    def _digest(self, email: str) -> str:
        return hashlib.sha256(f"{self.id}\0{email}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_known_place(email: str) -> bool:
    """Whether this account has logged in from the caller's network in the last 90 days."""
    row = database.collection(KNOWN_PLACES).find_one({"_id": _place(email)})
    return row is not None and row["expires_at"] > now()


def remember_place(email: str) -> bool:
    """Note that this account logged in from the caller's network. Whether that is new."""
    place, moment = _place(email), now()
    row = database.collection(KNOWN_PLACES).find_one({"_id": place})
    known = row is not None and row["expires_at"] > moment
    if row is None or row["expires_at"] < moment + RENEWED_BELOW:
        update = {"$set": {"expires_at": moment + PLACE_LIFETIME}}
        database.collection(KNOWN_PLACES).update_one({"_id": place}, update, upsert=True)
    return not known


def _place(email: str) -> str:
    network = network_of(circumstances.current().address)
    return salted_hmac("orgportal.place", f"{network}\0{email}", algorithm="sha256").hexdigest()
