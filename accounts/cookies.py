"""Two cookies beside the session's: one marks a browser as known, one holds a login that waits for its code.

Neither opens anything by itself. What they mean is told in `devices.py` and `factors/pending.py`.
"""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from accounts.devices import Device
from accounts.factors import pending

DEVICE = f"{settings.COOKIE_PREFIX}orgportal_device"
WAITING = f"{settings.COOKIE_PREFIX}orgportal_login"
DEVICE_LIFETIME = timedelta(days=365)
DEVICE_SALT = "orgportal.device"
LONGEST = 2000


def device_of(request: HttpRequest) -> Device | None:
    """The device that the browser's cookie proves; None without a cookie that the portal signed."""
    text = request.COOKIES.get(DEVICE, "")
    if not text or len(text) > LONGEST:
        return None
    try:
        identity, *known = signing.loads(text, salt=DEVICE_SALT, max_age=DEVICE_LIFETIME)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Device(identity, tuple(known))


def remember_device(request: HttpRequest, response: HttpResponseBase, *, email: str) -> None:
    """Mark the browser as one that this account has used: after a login, and after a reset of the password."""
    device = (device_of(request) or Device(secrets.token_urlsafe(16))).with_account(email)
    value = signing.dumps([device.id, *device.known], salt=DEVICE_SALT)
    _set(response, DEVICE, value, DEVICE_LIFETIME)


def waiting_login_of(request: HttpRequest) -> str:
    """The secret of the login that waits for a code in this browser, empty when there is none."""
    return request.COOKIES.get(WAITING, "")[:100]


def keep_waiting_login(response: HttpResponseBase, secret: str) -> None:
    """Bind a login that waits to the browser."""
    _set(response, WAITING, secret, pending.LIFETIME)


def drop_waiting_login(request: HttpRequest, response: HttpResponseBase) -> None:
    """No login waits in this browser any more, if one did."""
    if WAITING in request.COOKIES:
        _set(response, WAITING, "", timedelta(0))


def _set(response: HttpResponseBase, name: str, value: str, lifetime: timedelta) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
