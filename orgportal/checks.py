"""System checks: misconfiguration is named before the first request, each kind with an id and a hint.

`manage.py check` runs them, and every command before it starts. Values of secrets are never shown.
"""

import os
import re
from collections.abc import Callable, Iterator
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from accounts import gate, signing
from accounts.passkeys import relying_party

SECRET_KEY_LENGTH = 50
URI_SCHEMES = ("mongodb://", "mongodb+srv://")
SENDER = re.compile(r"[^@\s]+@[A-Za-z0-9.-]+")
DATABASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,38}")

Finding = Iterator[CheckMessage]


def check(function: Callable[[], Finding]) -> Callable[[], Finding]:
    """Register a generator of messages with Django."""

    @register("orgportal")
    def run(**kwargs: Any) -> list[CheckMessage]:
        return list(function())

    return function


@check
def secret_key() -> Finding:
    for setting, id in (("SECRET_KEY", "orgportal.E001"), ("AUDIT_KEY", "orgportal.E018")):
        named = [(setting, getattr(settings, setting))]
        named += [(f"{setting}_FALLBACKS", key) for key in getattr(settings, f"{setting}_FALLBACKS")]
        for name, key in named:
            if len(key) < SECRET_KEY_LENGTH or len(set(key)) < 10:
                yield Error(
                    f"{name} is easy to guess.",
                    hint=f"Use at least {SECRET_KEY_LENGTH} random characters: "
                    'python -c "import secrets; print(secrets.token_urlsafe(64))"',
                    id=id,
                )


@check
def audit_key_is_its_own() -> Finding:
    if settings.AUDIT_KEY in {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS}:
        yield Error(
            "AUDIT_KEY is the same as SECRET_KEY.",
            hint="Use one of its own: it has to outlast a new SECRET_KEY, and fewer people need to know it.",
            id="orgportal.E019",
        )


@check
def signing_keys() -> Finding:
    try:
        signing.key_ring()
    except ImproperlyConfigured as error:
        name = str(error).split(":", 1)[0]
        retired = name == "JWT_RETIRED_KEYS"
        yield Error(
            str(error),
            hint="Use public keys that `openssl pkey -pubout` printed, one after another."
            if retired
            else "Make one: openssl genpkey -algorithm ed25519",
            id="orgportal.E003" if retired else "orgportal.E002",
        )


@check
def site_url() -> Finding:
    parts = urlsplit(settings.SITE_URL)
    if settings.PRODUCTION and parts.scheme != "https":
        yield Error(
            "SITE_URL is not https in production.",
            hint="Put a proxy with TLS in front, and set SITE_URL to the https address that users see.",
            id="orgportal.E004",
        )
    if parts.path or parts.query or parts.fragment or parts.username:
        yield Error(
            "SITE_URL has more than a scheme and a host.",
            hint="Use an address like https://portal.example; the portal has a host of its own.",
            id="orgportal.E005",
        )


@check
def passkeys() -> Finding:
    # A start on one's own machine is fine as it is; the README says how to have passkeys there.
    own_machine = not settings.PRODUCTION and urlsplit(settings.SITE_URL).hostname in {"127.0.0.1", "::1"}
    if not relying_party.is_available() and not own_machine:
        yield Warning(
            "SITE_URL is at an IP address, so the portal offers no passkeys: they belong to host names.",
            hint="Set SITE_URL to an address with a host name. On this machine alone http://localhost:PORT will do.",
            id="orgportal.W045",
        )


@check
def allowed_hosts() -> Finding:
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS answers every host name.",
            hint="Name the hosts, or leave it unset: then it is the host of SITE_URL.",
            id="orgportal.E006",
        )


@check
def data_dir() -> Finding:
    if settings.PRODUCTION or settings.MONGODB_URI:
        return
    folder = Path(settings.DATA_DIR)
    nearest = next(path for path in [folder, *folder.parents] if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Error(
            f"DATA_DIR cannot be written: {folder}",
            hint="Set DATA_DIR to a folder of yours; the embedded database and generated secrets are kept there.",
            id="orgportal.E007",
        )


@check
def web_threads() -> Finding:
    if settings.WEB_THREADS <= gate.slots():
        yield Error(
            "WEB_THREADS is not more than the password hashes that run at once.",
            hint="Raise WEB_THREADS or lower BCRYPT_CONCURRENCY, or logins hold up every other request.",
            id="orgportal.E008",
        )


@check
def bcrypt_rounds() -> Finding:
    if not 4 <= settings.BCRYPT_ROUNDS <= 20:
        yield Error(
            "BCRYPT_ROUNDS is out of range.",
            hint="bcrypt knows 4 to 31; from 16 on a login takes seconds. 12 is a good value.",
            id="orgportal.E009",
        )
    elif settings.PRODUCTION and settings.BCRYPT_ROUNDS < 10:
        yield Warning(
            "BCRYPT_ROUNDS is low for production.",
            hint="Use 12: each step more doubles what guessing a stolen hash costs.",
            id="orgportal.W010",
        )


@check
def debug() -> Finding:
    if settings.PRODUCTION and settings.DEBUG:
        yield Error("DEBUG is on in production.", hint="Unset DEBUG: its pages show settings.", id="orgportal.E011")


@check
def connection_strings() -> Finding:
    named = {"MONGODB_URI": settings.MONGODB_URI} if settings.MONGODB_URI else {}
    named |= {f"CLUSTERS: {name}": uri for name, uri in settings.CLUSTERS.items()}
    for name, uri in named.items():
        if not uri.startswith(URI_SCHEMES):
            yield Error(
                f"{name} is not a MongoDB connection string.",
                hint="It begins with mongodb:// or mongodb+srv://.",
                id="orgportal.E012",
            )
    if "master" in settings.CLUSTERS:
        yield Error(
            "CLUSTERS has a cluster named master.",
            hint="That name is the master database's own cluster; choose another.",
            id="orgportal.E013",
        )


@check
def database_name() -> Finding:
    if not DATABASE_NAME.fullmatch(settings.MONGODB_DATABASE):
        yield Error(
            "MONGODB_DATABASE is not a name that MongoDB takes everywhere.",
            hint="Use 1 to 38 letters, digits, - and _.",
            id="orgportal.E014",
        )


@check
def port() -> Finding:
    if not 1 <= settings.PORT <= 65535:
        yield Error("PORT is not a port.", hint="Use 1 to 65535.", id="orgportal.E015")


@check
def lifetimes() -> Finding:
    pairs = [
        ("SESSION_IDLE_SECONDS", "SESSION_ABSOLUTE_SECONDS"),
        ("REFRESH_IDLE_SECONDS", "REFRESH_ABSOLUTE_SECONDS"),
        ("ACCESS_TOKEN_SECONDS", "REFRESH_IDLE_SECONDS"),
    ]
    for shorter, longer in pairs:
        if getattr(settings, shorter) > getattr(settings, longer):
            yield Error(
                f"{shorter} is longer than {longer}.",
                hint="The first would never take effect; raise the second or lower the first.",
                id="orgportal.E016",
            )


@check
def deadlines() -> Finding:
    if settings.LEASE_SECONDS <= settings.DATABASE_DEADLINE:
        yield Error(
            "LEASE_SECONDS is not longer than DATABASE_DEADLINE.",
            hint="An operation would be taken over while its own write may still be on the way.",
            id="orgportal.E017",
        )


@check
def mail_server() -> Finding:
    if not settings.EMAIL_HOST:
        if settings.PRODUCTION:
            yield Warning(
                "There is no mail server, so nobody gets any mail.",
                hint="Set EMAIL_HOST; until then mails become files in DATA_DIR, see `manage.py outbox`.",
                id="orgportal.W040",
            )
        return
    if settings.PRODUCTION and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or _is_this_machine()):
        yield Warning(
            "Mail goes to the mail server unencrypted.",
            hint="Set EMAIL_USE_TLS or EMAIL_USE_SSL: links in mails open accounts.",
            id="orgportal.W041",
        )
    if bool(settings.EMAIL_HOST_USER) != bool(settings.EMAIL_HOST_PASSWORD):
        yield Error(
            "Only one of EMAIL_USER and EMAIL_PASSWORD is set.",
            hint="Set both to log in to the mail server, or neither.",
            id="orgportal.E042",
        )
    if settings.EMAIL_PORT > 65535:
        yield Error("EMAIL_PORT is not a port.", hint="Use 1 to 65535, or leave it unset.", id="orgportal.E043")


@check
def mail_sender() -> Finding:
    sender = settings.EMAIL_FROM
    if sender and not (sender.isprintable() and SENDER.fullmatch(parseaddr(sender)[1])):
        yield Error(
            "EMAIL_FROM is not an email address.",
            hint="Use an address, or a name and an address: Acme <portal@acme.example>",
            id="orgportal.E044",
        )


def _is_this_machine() -> bool:
    return settings.EMAIL_HOST in {"localhost", "::1"} or settings.EMAIL_HOST.startswith("127.")
