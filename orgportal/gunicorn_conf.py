"""How gunicorn runs the portal; the figures come from the settings.

Threads exceed the logins that may run at once, so that bcrypt never holds up reads. There is no
preload: a database client opened before a fork is not safe. Requests are logged by the portal itself.
A buffering proxy belongs in front, since slow clients can hold threads.
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orgportal.settings")

from django.conf import settings

from orgportal.lifeline import die_with_parent

host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = [f"{host}:{settings.PORT}"]
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
preload_app = False
timeout = 60
graceful_timeout = 8
keepalive = 5
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
# The heartbeat file must not be on a disk that can block.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
accesslog = None
logger_class = "orgportal.logs.GunicornLogger"
loglevel = "warning"
# Django alone decides what a proxy may say (TRUSTED_PROXIES).
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


def post_fork(server: Any, worker: Any) -> None:
    """A worker never outlives its master, so that the port is free for the next one."""
    die_with_parent(server.pid)
