"""`manage.py rotate_keys`: a new secret in the place of one in use, without an interruption."""

from datetime import datetime, timezone
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from accounts import audit, signing
from accounts.factors import codes
from orgportal import embedded, rotation, secrets_store
from orgportal.management.base import PortalCommand

WHICH = {"signing": "JWT_PRIVATE_KEY", "secret": "SECRET_KEY", "audit": "AUDIT_KEY"}
FIRST = {
    "JWT_PRIVATE_KEY": secrets_store.signing_key,
    "SECRET_KEY": secrets_store.secret_key,
    "AUDIT_KEY": secrets_store.audit_key,
}
NEXT_STEPS = {
    "JWT_PRIVATE_KEY": (
        "Add this public key to JWT_RETIRED_KEYS in every process, and restart them one after another.",
        "When all of them know it: set JWT_PRIVATE_KEY to the private key, put the public key of the old one into "
        "JWT_RETIRED_KEYS, and restart them again.",
        "{days} days later no token of the old key is left: take it out of JWT_RETIRED_KEYS.",
    ),
    "SECRET_KEY": (
        "Add the new key to SECRET_KEY_FALLBACKS in every process, and restart them one after another.",
        "When all of them know it: set SECRET_KEY to it, put the old one into SECRET_KEY_FALLBACKS, and restart again.",
        "Run `manage.py reseal`, which seals second factors with the new one, then take the old one out.",
    ),
    "AUDIT_KEY": (
        "Add the new key to AUDIT_KEY_FALLBACKS in every process, and restart them one after another.",
        "When all of them know it: set AUDIT_KEY to it, put the old one into AUDIT_KEY_FALLBACKS, and restart again.",
        "Keep the old one there as long as entries that it sealed are to be checked.",
    ),
}


class Command(PortalCommand):
    """Of a local portal, running processes take the new secret over; for production, says what to set."""

    help = "Make a new key: for tokens (signing, the default), for SECRET_KEY (secret) or for the audit (audit)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("which", nargs="*", metavar="KEY", help=f"any of {', '.join(WHICH)}; signing if left out")
        parser.add_argument(
            "--overlap",
            type=float,
            default=rotation.OVERLAP_SECONDS,
            metavar="SECONDS",
            help="how long everybody knows the new key before it is used",
        )
        parser.add_argument(
            "--forget-earlier",
            action="store_true",
            help="make none; stop accepting all but the one in use, after one of them has leaked",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["overlap"] < 0:
            raise CommandError("--overlap takes 0 or more seconds.")
        unknown = set(options["which"]) - set(WHICH)
        if unknown:
            raise CommandError(f"There is no key {', '.join(sorted(unknown))}: use {', '.join(WHICH)}.")
        for which in dict.fromkeys(options["which"] or ["signing"]):
            self._handle(WHICH[which], forget_earlier=options["forget_earlier"], overlap=options["overlap"])

    def _handle(self, name: str, *, forget_earlier: bool, overlap: float) -> None:
        if name not in settings.ROTATING:
            if forget_earlier:
                raise CommandError(f"{name} is set in the environment: take the earlier ones out there.")
            self._say_what_to_set(name)
            return
        action = "keys.forgotten" if forget_earlier else "keys.rotated"
        with (
            embedded.available(),
            audit.act(action=action, org_ids=[audit.PORTAL], actor=audit.OPERATOR, target=f"setting:{name}"),
        ):
            if forget_earlier:
                self._forget(name)
            else:
                self._rotate(name, overlap)

    def _rotate(self, name: str, overlap: float) -> None:
        is_signing = name == "JWT_PRIVATE_KEY"
        added = rotation.rotate(
            settings.ROTATING[name],
            first=lambda: FIRST[name](settings.DATA_DIR),
            new=secrets_store.new_signing_key() if is_signing else secrets_store.new_secret(),
            overlap=overlap,
            life=_longest_token() if is_signing else None,
        )
        used_from = datetime.fromtimestamp(added.used_from, timezone.utc).isoformat(timespec="seconds")
        self.stdout.write(f"A new {name} is known to all processes of this portal, and used from {used_from} on.")
        if is_signing:
            days = _longest_token() / 86400
            self.stdout.write(f"The one before verifies {days:.3g} days longer, until its tokens have run out.")
        else:
            self.stdout.write("The ones before are accepted until `rotate_keys --forget-earlier`.")

    def _forget(self, name: str) -> None:
        if name == "SECRET_KEY":
            self.stdout.write(f"{codes.reseal_all()} second factors were sealed anew.")
        ended = rotation.forget_earlier(settings.ROTATING[name])
        self.stdout.write(f"{ended} other {'key is' if ended == 1 else 'keys are'} not accepted any more.")

    def _say_what_to_set(self, name: str) -> None:
        self.stdout.write(f"{name} comes from the environment, so nothing was changed. A new one:\n")
        if name == "JWT_PRIVATE_KEY":
            private = secrets_store.new_signing_key()
            self.stdout.write(f"\n{private.strip()}\n\nIts public key:\n\n{signing.public_pem(private).strip()}\n")
            old = signing.public_pem(settings.JWT_PRIVATE_KEY).strip()
            self.stdout.write(f"\nThe public key of the one in use, for step 2:\n\n{old}\n")
        else:
            self.stdout.write(f"\n{secrets_store.new_secret()}\n")
        days = f"{_longest_token() / 86400:.3g}"
        for number, step in enumerate(NEXT_STEPS[name], start=1):
            self.stdout.write(f"\n{number}. {step.format(days=days)}")
        self.stdout.write("")


def _longest_token() -> float:
    """Seconds after which no token that is written now is accepted any more."""
    return float(max(settings.ACCESS_TOKEN_SECONDS, settings.REFRESH_IDLE_SECONDS)) + 60
