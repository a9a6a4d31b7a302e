"""`/healthz` says that the process lives, `/readyz` that it can serve; neither is a lever for attackers."""

import json
import threading
from typing import Any

import pytest
from pymongo import monitoring

from orgportal import database, health, indexes
from orgportal.health import Readiness
from tests.scripts import client, problem_of

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture(autouse=True)
def fresh_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "readiness", Readiness())


class Commands(monitoring.CommandListener):
    """Counts the commands of a client."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to note."""


def test_the_process_lives() -> None:
    response = client(enforce_csrf_checks=False).get("/healthz")
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ok"})


def test_the_portal_is_ready_with_its_database_and_its_indexes() -> None:
    response = client(enforce_csrf_checks=False).get("/readyz")
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ready"})
    assert database.collection("probes").count_documents({}) == 1


def test_a_missing_index_is_503_and_says_what_to_do() -> None:
    database.collection("idempotency_keys").drop_index("expires_at")
    try:
        response = client(enforce_csrf_checks=False).get("/readyz")
        assert problem_of(response) == (503, "not_ready")
        assert "idempotency_keys.expires_at" in json.loads(response.content)["detail"]
        assert "ensure_indexes" in json.loads(response.content)["detail"]
    finally:
        indexes.ensure_indexes()


def dead_database(settings: Any) -> None:
    settings.MONGODB_URI = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200"
    database.forget_clients()


def test_without_a_database_it_lives_but_is_not_ready(settings: Any) -> None:
    dead_database(settings)
    try:
        assert client(enforce_csrf_checks=False).get("/healthz").status_code == 200
        assert client(enforce_csrf_checks=False).get("/.well-known/jwks.json").status_code == 200
        response = client(enforce_csrf_checks=False).get("/readyz")
        assert problem_of(response) == (503, "not_ready")
        assert response["Retry-After"] == "2"
        assert b"127.0.0.1" not in response.content
    finally:
        database.forget_clients()


def test_it_is_ready_again_when_the_database_is_back(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good = settings.MONGODB_URI
    dead_database(settings)
    assert client(enforce_csrf_checks=False).get("/readyz").status_code == 503
    settings.MONGODB_URI = good
    database.forget_clients()
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    assert client(enforce_csrf_checks=False).get("/readyz").status_code == 200


def test_many_calls_within_a_second_cost_one_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 3600.0)
    client(enforce_csrf_checks=False).get("/readyz")
    commands = Commands()
    monitoring_client(commands)
    try:
        assert [client(enforce_csrf_checks=False).get("/readyz").status_code for _ in range(50)] == [200] * 50
        assert commands.names == []
    finally:
        database.forget_clients()


def monitoring_client(listener: monitoring.CommandListener) -> None:
    """Make the portal's next client report to the listener."""
    from pymongo import MongoClient

    database.forget_clients()
    database._clients[database.MASTER] = MongoClient(
        database.cluster_uri(database.MASTER), tz_aware=True, event_listeners=[listener]
    )


def test_probes_never_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    start = threading.Barrier(8)
    real = health._probe

    def counted() -> str | None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return real()
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(health, "_probe", counted)
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    readiness = Readiness()

    def ask() -> None:
        start.wait(30)
        for _ in range(5):
            readiness.failure()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1


def test_during_a_probe_others_get_the_result_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    readiness = Readiness()
    assert readiness.failure() is None
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    probing, finish = threading.Event(), threading.Event()

    def stuck() -> str | None:
        probing.set()
        finish.wait(30)
        return "The database is gone."

    monkeypatch.setattr(health, "_probe", stuck)
    slow = threading.Thread(target=readiness.failure)
    slow.start()
    assert probing.wait(30)
    assert readiness.failure() is None
    finish.set()
    slow.join(30)
    monkeypatch.setattr(health, "KEPT_SECONDS", 3600.0)
    assert readiness.failure() == "The database is gone."


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/.well-known/jwks.json"])
def test_only_reading_is_allowed_and_anybody_may(address: str) -> None:
    caller = client()
    assert caller.head(address).status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        response = caller.generic(method, address)
        assert problem_of(response) == (405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD"


def test_the_public_keys_hold_nothing_private() -> None:
    keys = json.loads(client(enforce_csrf_checks=False).get("/.well-known/jwks.json").content)["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
