"""Whether the portal lives (`/healthz`), whether it can serve (`/readyz`), and the public keys of its tokens."""

import threading
import time
from datetime import datetime, timezone

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from pymongo.errors import PyMongoError

from accounts import signing
from orgportal import database, embedded, indexes
from orgportal.errors import PortalError
from orgportal.middleware import public

PROBE_SECONDS = 3.0
KEPT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Readiness:
    """The latest probe's result. One probe runs at a time in a process, and its result counts for a second.

    So the address, which anybody may call, costs the database next to nothing.
    """

    def __init__(self) -> None:
        self._probing = threading.Lock()
        self._failure: str | None = "starting"
        self._probed_at: float | None = None

    def failure(self) -> str | None:
        """What is wrong, None when all is well. Callers during a probe get the result before it, if there is one."""
        if self._is_fresh():
            return self._failure
        if not self._probing.acquire(timeout=0 if self._probed_at is not None else PROBE_SECONDS):
            return self._failure
        try:
            if not self._is_fresh():
                self._failure = _probe()
                self._probed_at = time.monotonic()
        finally:
            self._probing.release()
        return self._failure

    def _is_fresh(self) -> bool:
        return self._probed_at is not None and time.monotonic() - self._probed_at < KEPT_SECONDS


readiness = Readiness()


def _probe() -> str | None:
    try:
        with database.deadline(min(PROBE_SECONDS, settings.DATABASE_DEADLINE)):
            return _write_and_read() or _missing_indexes()
    except (PyMongoError, embedded.NotRunning) as error:
        log.warning("not_ready", error=type(error).__name__)
        return "The database does not take a write and a read."


def _write_and_read() -> str | None:
    written = datetime.now(timezone.utc).isoformat()
    probes = database.collection("probes")
    probes.update_one({"_id": "readiness"}, {"$set": {"at": written}}, upsert=True)
    return None if probes.find_one({"_id": "readiness"}) else "A write to the database was not there to read."


def _missing_indexes() -> str | None:
    missing = indexes.missing_indexes()
    return f"Indexes are missing: {', '.join(missing)}. Run `manage.py ensure_indexes`." if missing else None


@csrf_exempt
@require_safe
@public
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; asks nothing else."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
@public
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the master database takes a write and a read and has its indexes, else 503 within seconds."""
    failure = readiness.failure()
    if failure:
        raise PortalError("not_ready", 503, failure, retry_after=2)
    return JsonResponse({"status": "ready"})


@csrf_exempt
@require_safe
@public
def jwks(request: HttpRequest) -> HttpResponse:
    """The public keys that verify access tokens, retired ones included (RFC 7517)."""
    response = JsonResponse(signing.jwks())
    response["Cache-Control"] = "public, max-age=300"
    return response
