"""kill -9 of the portal, of the database and of the worker in the middle of an import, at random moments.

Sent again, the result is exact every time: no record is lost, none is doubled, and the counts are right.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.effort import effort
from tests.portals import Portal
from tests.servers import DatabaseServer
from tests.wire.interrupted import File, Sender, assert_exact, inserted, upserted

pytestmark = pytest.mark.chaos

KILLS = effort(short=2, full=20)
LINES = effort(short=800, full=4500)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    made = DatabaseServer(tmp_path_factory.mktemp("crashes") / "database", durable=True).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def portal(server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    settings = {"LEASE_SECONDS": "4", "DATABASE_DEADLINE": "3"}
    made = Portal(uri=server.uri, database="crashes", folder=tmp_path_factory.mktemp("portal"), settings=settings)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sender(portal: Portal) -> Sender:
    made = Sender(portal)
    made.sign_up()
    return made


def files(victim: str) -> Iterator[File]:
    for number in range(KILLS):
        yield (upserted if number % 2 else inserted)(f"{victim}{number}", LINES)


@pytest.fixture(scope="module")
def whole(sender: Sender) -> float:
    """How many seconds an import takes that nobody disturbs."""
    began = time.monotonic()
    file = inserted(f"undisturbed{began}", LINES)
    done = sender.send_until_done(file, file.mark)
    assert done["inserted"] == file.result["inserted"]
    return time.monotonic() - began


def while_sending(sender: Sender, file: File, key: str, interrupt: Callable[[], None]) -> None:
    """Interrupt the first try while it is under way."""
    first = threading.Thread(target=sender.send, args=(file, key))
    first.start()
    interrupt()
    first.join()


def test_the_portal_dies_while_it_imports(portal: Portal, sender: Sender, whole: float) -> None:
    for file in files("portal"):
        moment = random.uniform(0, whole)

        def die(moment: float = moment) -> None:
            time.sleep(moment)
            portal.kill("web")
            portal.start_web()
            portal.wait_until_it_answers()

        while_sending(sender, file, file.mark, die)
        done = sender.send_until_done(file, file.mark)
        assert_exact(portal, file, done)
        assert sender.send_until_done(file, file.mark) == done


def test_the_database_dies_while_it_imports(
    portal: Portal, sender: Sender, server: DatabaseServer, whole: float
) -> None:
    for file in files("database"):
        moment = random.uniform(0, whole)

        def die(moment: float = moment) -> None:
            time.sleep(moment)
            server.kill()
            server.start()

        while_sending(sender, file, file.mark, die)
        assert_exact(portal, file, sender.send_until_done(file, file.mark))


def test_two_scripts_send_the_same_file_at_once(portal: Portal, sender: Sender) -> None:
    file = inserted("twice", LINES)
    results: list[dict[str, Any]] = []
    both = [threading.Thread(target=lambda: results.append(sender.send_until_done(file, "twice"))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert results[0] == results[1]
    assert_exact(portal, file, results[0])
