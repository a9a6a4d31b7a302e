"""Every environment variable the portal reads, declared once: name, type, default, description.

`manage.py settings` prints this table and the README shows it. Nothing else in the code base reads
`os.environ` for configuration.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

ENV = environ.Env()


def _boolean(name: str) -> bool:
    raw = ENV.str(name).strip().lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("use true or false")


def _count(name: str) -> int:
    value: int = ENV.int(name)
    if value < 0:
        raise ValueError("use a whole number, 0 or more")
    return value


def _seconds(name: str) -> float:
    value: float = ENV.float(name)
    if not 0 < value < 1e9:
        raise ValueError("use a number of seconds above 0")
    return value


def _text(name: str) -> str:
    return str(ENV.str(name)).strip()


def _words(name: str) -> list[str]:
    return [word.strip() for word in ENV.str(name).split(",") if word.strip()]


def _multiline(name: str) -> str:
    return str(ENV.str(name, multiline=True)).strip()


def _json_object(name: str) -> dict[str, str]:
    raw = ENV.str(name).strip()
    value = json.loads(raw) if raw else {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("use a JSON object of texts")
    return value


READERS: dict[str, Callable[[str], Any]] = {
    "true/false": _boolean,
    "number": _count,
    "seconds": _seconds,
    "text": _text,
    "PEM": _multiline,
    "list": _words,
    "JSON object": _json_object,
}


@dataclass(frozen=True)
class Variable:
    """One environment variable. `default` is what applies when it is unset or empty."""

    name: str
    kind: str
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "ORGPORTAL_ENV",
        "text",
        "",
        "`local` makes its secrets itself, `production` refuses to start without them. "
        "Unset: `production` when `MONGODB_URI` is set, else `local` (`make run` is always `local`).",
        choices=("", "local", "production"),
    ),
    Variable("DEBUG", "true/false", False, "Django's debug mode. Never in production."),
    Variable("SECRET_KEY", "text", "", "Signs cookies and seals stored answers. Production: required.", secret=True),
    Variable(
        "SECRET_KEY_FALLBACKS", "list", (), "Earlier secret keys that are still accepted, comma-separated.", secret=True
    ),
    Variable("SITE_URL", "text", "", "The address users see, scheme included. Unset: `http://127.0.0.1:$PORT`."),
    Variable("ALLOWED_HOSTS", "list", (), "Host names that are answered. Unset: the host of `SITE_URL`."),
    Variable("HOST", "text", "127.0.0.1", "Address that gunicorn listens on."),
    Variable("PORT", "number", 8000, "Port that gunicorn listens on."),
    Variable("DATA_DIR", "text", "var", "Folder of the embedded database and of generated secrets."),
    Variable("WEB_WORKERS", "number", 2, "Gunicorn processes."),
    Variable("WEB_THREADS", "number", 16, "Threads in each; more than the logins that run at once."),
    Variable(
        "TRUSTED_PROXIES",
        "number",
        0,
        "How many proxies in front set `X-Forwarded-For` and `X-Forwarded-Proto`. 0: the headers are ignored.",
    ),
    Variable("MONGODB_URI", "text", "", "The MongoDB to use. Unset: the embedded database.", secret=True),
    Variable("MONGODB_DATABASE", "text", "orgportal", "Name of the master database."),
    Variable(
        "CLUSTERS",
        "JSON object",
        {},
        'Further clusters for organizations\' collections: `{"name": "mongodb://…"}`.',
        secret=True,
    ),
    Variable("CLUSTER_CAPACITY", "number", 5000, "Organizations that one cluster may hold."),
    Variable("DATABASE_DEADLINE", "seconds", 4.5, "Deadline of one request's work in the database."),
    Variable("DDL_DEADLINE", "seconds", 600.0, "Deadline of a collection's copy, rename or drop in the worker."),
    Variable(
        "LEASE_SECONDS", "seconds", 15.0, "After how long without a sign of life an unfinished operation is taken over."
    ),
    Variable("BCRYPT_ROUNDS", "number", 12, "bcrypt cost; raised costs reach an account at its next login."),
    Variable(
        "BCRYPT_CONCURRENCY",
        "number",
        0,
        "Password hashes at once in one process. 0: its share of the machine's cores.",
    ),
    Variable("SESSION_IDLE_SECONDS", "seconds", 12 * 3600.0, "A browser session ends after so long without a request."),
    Variable("SESSION_ABSOLUTE_SECONDS", "seconds", 7 * 86400.0, "A browser session ends after so long in any case."),
    Variable(
        "REMEMBERED_IDLE_SECONDS", "seconds", 14 * 86400.0, "The same for a session that is to be remembered: unused."
    ),
    Variable("REMEMBERED_ABSOLUTE_SECONDS", "seconds", 30 * 86400.0, "The same: in any case."),
    Variable("ACCESS_TOKEN_SECONDS", "seconds", 900.0, "Lifetime of an access token."),
    Variable("REFRESH_IDLE_SECONDS", "seconds", 7 * 86400.0, "Lifetime of an unused refresh token."),
    Variable("REFRESH_ABSOLUTE_SECONDS", "seconds", 30 * 86400.0, "A chain of refreshed tokens ends after so long."),
    Variable(
        "GUESSES_PER_ACCOUNT",
        "number",
        10,
        "Wrong passwords or codes for one account within `GUESS_WINDOW_SECONDS`. 0: no limit.",
    ),
    Variable(
        "GUESSES_PER_ADDRESS",
        "number",
        100,
        "The same for all accounts together from one network, and for challenges of passkeys. 0: no limit.",
    ),
    Variable("GUESS_WINDOW_SECONDS", "seconds", 900.0, "How long a wrong password or code counts."),
    Variable(
        "SIGNUPS_PER_ADDRESS",
        "number",
        "",
        "Sign-ups from one network in an hour. 0: no limit. Unset: 100 in production, else no limit.",
    ),
    Variable(
        "MAILS_PER_RECIPIENT", "number", 5, "Mails that one address can be sent on request in an hour. 0: no limit."
    ),
    Variable("MAIL_REQUESTS_PER_ADDRESS", "number", 50, "Mails that one network can ask for in an hour. 0: no limit."),
    Variable(
        "INVITATIONS_PER_ORGANIZATION", "number", 500, "Invitation mails of one organization in an hour. 0: no limit."
    ),
    Variable("SUDO_SECONDS", "seconds", 600.0, "How long a password counts as just entered, for changes of security."),
    Variable(
        "API_KEY_MAX_DAYS", "number", 0, "API keys expire after so many days at the latest. 0: they need not expire."
    ),
    Variable("JWT_PRIVATE_KEY", "PEM", "", "Ed25519 private key that signs tokens. Production: required.", secret=True),
    Variable("JWT_RETIRED_KEYS", "PEM", "", "Earlier public keys (PEM, one after another) that still verify."),
    Variable("AUDIT_KEY", "text", "", "Seals the entries of the audit. Production: required.", secret=True),
    Variable(
        "AUDIT_KEY_FALLBACKS", "list", (), "Earlier audit keys, with which older entries are checked.", secret=True
    ),
    Variable("JWT_AUDIENCE", "text", "orgportal-api", "Audience of the tokens."),
    Variable("EMAIL_HOST", "text", "", "Mail server. Unset: mails become files, see `manage.py outbox`."),
    Variable("EMAIL_PORT", "number", 0, "Its port. 0: 465 with `EMAIL_USE_SSL`, 587 with `EMAIL_USE_TLS`, else 25."),
    Variable("EMAIL_USER", "text", "", "User to log in to it as. Unset: no login."),
    Variable("EMAIL_PASSWORD", "text", "", "That user's password.", secret=True),
    Variable("EMAIL_USE_TLS", "true/false", True, "Demand STARTTLS, unless `EMAIL_USE_SSL` is set."),
    Variable("EMAIL_USE_SSL", "true/false", False, "Speak TLS from the first byte on."),
    Variable("EMAIL_TIMEOUT", "seconds", 20.0, "How long it may take over one answer."),
    Variable("EMAIL_FROM", "text", "", "Sender of all mail. Unset: `Orgportal <no-reply@HOST>` of `SITE_URL`."),
    Variable("MAIL_RETRY_SECONDS", "seconds", 15.0, "First pause before a mail is tried again; it doubles each time."),
    Variable("MAIL_GIVE_UP_SECONDS", "seconds", 3 * 86400.0, "A mail that was not taken for so long is given up."),
    Variable("INVITATION_SECONDS", "seconds", 7 * 86400.0, "How long an invitation may be accepted."),
    Variable("VERIFICATION_SECONDS", "seconds", 3 * 86400.0, "How long a link that confirms an address is good."),
    Variable("RESET_SECONDS", "seconds", 3600.0, "How long a link that resets a password is good."),
    Variable(
        "SCHEMA_CHECK_SECONDS", "seconds", 600.0, "Longest check of an organization's records against its schema."
    ),
    Variable("INDEXES_PER_ORGANIZATION", "number", 5, "Indexes that an organization may add to its collection."),
    Variable("MAX_BODY_BYTES", "number", 1_048_576, "Largest body of a request."),
    Variable("IMPORT_MAX_BYTES", "number", 1_073_741_824, "Largest file of an import."),
    Variable("IMPORT_MAX_LINES", "number", 10_000_000, "Most documents in a file of an import."),
    Variable("IMPORT_MAX_LINE_BYTES", "number", 8_388_608, "Longest line, or document, in a file of an import."),
    Variable("IMPORT_MAX_CELL_CHARACTERS", "number", 8_388_608, "Longest cell in a CSV file of an import."),
    Variable("IMPORT_MAX_COLUMNS", "number", 1000, "Most columns in a CSV file of an import."),
    Variable(
        "LOG_LEVEL",
        "text",
        "INFO",
        "Least level that is logged.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
)


def read_environment() -> dict[str, Any]:
    """The value of every variable by its name.

    Raises ImproperlyConfigured naming each variable whose value cannot be read, never its value.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in VARIABLES:
        if not ENV.ENVIRON.get(variable.name, "").strip():
            values[variable.name] = variable.default
            continue
        try:
            value = READERS[variable.kind](variable.name)
        except (ValueError, ImproperlyConfigured) as error:
            hint = "not valid JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            if variable.secret or "could not convert" in hint or "invalid literal" in hint:
                hint = f"not a {variable.kind}"
            wrong.append(f"{variable.name}: {hint}")
            continue
        if variable.choices and value not in variable.choices:
            wrong.append(f"{variable.name}: one of {', '.join(c for c in variable.choices if c)}")
        values[variable.name] = value
    if wrong:
        raise ImproperlyConfigured("Wrong settings in the environment: " + "; ".join(wrong))
    return values
