"""Connections to MongoDB: one client per cluster and process, opened at first use, each with a deadline.

Why lazily: a client that was opened before a fork is not safe (PyMongo manual), and no import may query.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from orgportal import embedded

Document = dict[str, Any]
MASTER = "master"

_clients: dict[str, "MongoClient[Document]"] = {}
_lock = threading.Lock()

# Codes of a server that is there but cannot serve now: not primary, shutting down, disk full and such.
UNAVAILABLE_CODES = frozenset({6, 7, 8, 63, 89, 91, 133, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})


def cluster_names() -> list[str]:
    """The clusters that may hold organizations' collections, the master's own first."""
    return [MASTER, *settings.CLUSTERS]


def cluster_uri(cluster: str) -> str:
    """The connection string of a cluster. Raises ImproperlyConfigured for an unknown one."""
    if cluster == MASTER:
        return settings.MONGODB_URI or embedded.running_uri()
    try:
        return str(settings.CLUSTERS[cluster])
    except KeyError:
        raise ImproperlyConfigured(f"CLUSTERS has no cluster named {cluster!r}") from None


def client(cluster: str = MASTER) -> "MongoClient[Document]":
    """This process's client for a cluster.

    Every operation has `DATABASE_DEADLINE` seconds (PyMongo's `timeoutMS`) unless a shorter
    `pymongo.timeout` is in force; writes are acknowledged by a majority and journaled.
    """
    with _lock:
        if cluster not in _clients:
            _clients[cluster] = MongoClient(
                cluster_uri(cluster),
                connect=False,
                tz_aware=True,
                appname="orgportal",
                timeoutMS=int(settings.DATABASE_DEADLINE * 1000),
                serverSelectionTimeoutMS=3000,
                connectTimeoutMS=2000,
                heartbeatFrequencyMS=2000,
                maxPoolSize=settings.WEB_THREADS + 4,
                w="majority",
                journal=True,
            )
        return _clients[cluster]


def forget_clients() -> None:
    """Close all clients; the next use opens new ones (after a fork, or when the database moved)."""
    with _lock:
        for opened in _clients.values():
            opened.close()
        _clients.clear()
    copies_on_rename.cache_clear()


def master() -> "Database[Document]":
    """The master database."""
    return client().get_database(settings.MONGODB_DATABASE, codec_options=CodecOptions(tz_aware=True))


def collection(name: str) -> "Collection[Document]":
    """A collection of the master database. Organizations' own collections come from `tenants.manager` only."""
    return master()[name]


@lru_cache(maxsize=32)
def copies_on_rename(cluster: str) -> bool:
    """Whether `renameCollection` on this cluster moves documents one by one instead of atomically.

    The embedded database does: killed in the middle, it had lost 1,630 of 2,000 documents (measured),
    so there the portal copies by itself. A real MongoDB renames in one step.
    """
    return "secantusVersion" in client(cluster).admin.command("buildInfo")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything inside together; an outer, earlier deadline stays in force."""
    with pymongo.timeout(seconds):
        yield


def is_unavailable(error: BaseException) -> bool:
    """Whether a driver error means that the database gave no answer in time (503), not that we erred (500)."""
    if isinstance(
        error,
        AutoReconnect
        | ConnectionFailure
        | ServerSelectionTimeoutError
        | NetworkTimeout
        | ExecutionTimeout
        | WaitQueueTimeoutError
        | embedded.NotRunning,
    ):
        return True
    if isinstance(error, OperationFailure):
        return error.code in UNAVAILABLE_CODES or error.has_error_label("RetryableWriteError")
    return isinstance(error, WriteConcernError) or (isinstance(error, PyMongoError) and error.timeout)
