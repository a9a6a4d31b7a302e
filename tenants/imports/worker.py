"""The worker's part in imports: what browsers have sent, and what a worker that died has left."""

import threading

from tenants.imports import service


def run_due(stopping: threading.Event) -> int:
    """Import what waits, oldest first, until nothing does or the event is set; how many were taken up."""
    return service.resume_waiting(stopping.is_set)
