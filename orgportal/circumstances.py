"""Where an act comes from: the request's id, the caller's address and software. Read by logs, audit, throttles."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MAX_AGENT = 300


@dataclass(frozen=True)
class Circumstances:
    """Of one request; all empty outside of one, where the operator or the worker acts."""

    request_id: str = ""
    address: str = ""
    agent: str = ""


_current: ContextVar[Circumstances] = ContextVar("circumstances", default=Circumstances())  # noqa: B039 - it is frozen


def current() -> Circumstances:
    """The circumstances of the request that this thread is answering."""
    return _current.get()


@contextmanager
def during(*, request_id: str, address: str, agent: str) -> Iterator[None]:
    """Everything inside happens under these circumstances; `agent` is cut to 300 characters."""
    token = _current.set(Circumstances(request_id, address, agent[:MAX_AGENT]))
    try:
        yield
    finally:
        _current.reset(token)
