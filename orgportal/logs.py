"""Logging: every event is one line of JSON, with the request's id, and nothing secret in it.

Django, gunicorn and PyMongo log through the standard library; their lines take the same form.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import structlog
from gunicorn.glogging import Logger

REDACTED = "[redacted]"
MAX_TEXT = 20_000

_SECRET_KEY = re.compile(
    r"passw|token|authori[sz]ation|cookie|secret|credential|api_?key|otp|signature|^jwt$|session_?id|^sid$", re.I
)
_SECRET_TEXT = (
    # The user and password of a connection string.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", re.I), rf"\1{REDACTED}@"),
    # A JSON Web Token, whole or cut short.
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}"), REDACTED),
    (re.compile(r"(\bBearer\s+)[^\s\"',]+", re.I), rf"\1{REDACTED}"),
    # The token of a link that was sent by mail (`accounts.links.PATHS`).
    (re.compile(r"(/(?:email/verify|email/change|password/reset|invitations)/)[\w-]{43}"), rf"\1{REDACTED}"),
)

# Loggers that would repeat what the request's own line says, or tell what a query held.
_QUIET = {
    "django.request": logging.CRITICAL + 1,
    # A stranger's forged Host would write a traceback each time; the request's own line has its 400.
    "django.security.DisallowedHost": logging.CRITICAL + 1,
    "django.server": logging.CRITICAL + 1,
    "django.db": logging.WARNING,
    "pymongo": logging.WARNING,
    "asyncio": logging.WARNING,
}


def clean(value: Any, key: str = "") -> Any:
    """The value without secrets: under a key that names one, in a connection string, or shaped like a token."""
    if key and _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if isinstance(value, Mapping):
        return {str(name): clean(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [clean(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return f"[{len(value)} bytes]"
    return value


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that takes secrets out of an event, tracebacks included, and says when and what first."""
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return {name: clean(value, name) for name, value in {**first, **event}.items()}


_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
)


def _formatter() -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED[:1], structlog.stdlib.ExtraAdder(), *_SHARED[1:]],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact,
            # ASCII only: every control character, line separator and bidi override is escaped.
            structlog.processors.JSONRenderer(ensure_ascii=True, default=repr, sort_keys=False),
        ],
    )


def _stream() -> TextIO:
    """Where the lines go: stdout for what runs on, stderr for a command whose stdout is its result."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    one_shot = Path(sys.argv[0]).name == "manage.py" and command not in {"serve", "worker", "runserver"}
    return sys.stderr if one_shot else sys.stdout


def configure(config: Mapping[str, str]) -> None:
    """Send every logger's lines as JSON to the standard output, from `config["level"]` up. Safe to repeat."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_stream())
    handler.set_name("orgportal")
    handler.setFormatter(_formatter())
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if kept.get_name() != "orgportal"] + [handler]
    root.setLevel(config["level"])
    for name in ("django", "django.server", "gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)


class GunicornLogger(Logger):
    """Gunicorn's own lines in the same form; name it as `logger_class`. Requests are logged by the portal."""

    def setup(self, cfg: Any) -> None:
        """Replace gunicorn's handlers: its master process logs before Django is set up."""
        super().setup(cfg)
        configure({"level": logging.getLevelName(self.loglevel)})
