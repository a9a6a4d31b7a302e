"""The portal's own copy of a collection beside `renameCollection`: `python -m bench.lifecycle`, about 20 seconds.

On the embedded database, with 2,000 documents. Why the portal copies is explained in `docs/architecture.md`:
the copy loses nothing when it is killed.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from bson import ObjectId

from bench.measure import Comparison, seconds_of
from tests.servers import DatabaseServer

DOCUMENTS = 2000
ROUNDS = 3
PATIENCE_SECONDS = 1200
DATABASE = "bench"


@contextmanager
def running_database() -> Iterator[DatabaseServer]:
    """A durable database, with Django set up to use it."""
    with tempfile.TemporaryDirectory(prefix="orgportal-bench-") as folder:
        server = DatabaseServer(Path(folder) / "database", durable=True).start()
        os.environ |= {
            "ORGPORTAL_ENV": "local",
            "MONGODB_URI": server.uri,
            "MONGODB_DATABASE": DATABASE,
            "DATA_DIR": str(Path(folder) / "data"),
            "DJANGO_SETTINGS_MODULE": "orgportal.settings",
        }
        import django

        django.setup()
        try:
            yield server
        finally:
            from orgportal import database

            database.forget_clients()
            server.stop()


def documents() -> list[dict[str, object]]:
    """Records of about 200 bytes, as an organization's collection holds them."""
    now = datetime.now(timezone.utc)
    return [
        {
            "_id": ObjectId(),
            "data": {"number": number, "text": "x" * 100},
            "rev": 1,
            "created_at": now,
            "updated_at": now,
        }
        for number in range(DOCUMENTS)
    ]


def move_against_rename(server: DatabaseServer) -> tuple[Comparison, Comparison]:
    """The copy, and the copy with the later drop of its source, each against the server's own rename."""
    from orgportal import database
    from tenants import manager
    from tenants.documents import Placement

    org_id = ObjectId()
    places = [Placement("master", DATABASE, manager.collection_name(f"bench_{number}")) for number in range(ROUNDS + 1)]
    bare = [f"{DATABASE}.bare_{number}" for number in range(ROUNDS + 1)]
    moved, dropped, renamed = [], [], []
    with database.deadline(PATIENCE_SECONDS), server.client(timeoutMS=PATIENCE_SECONDS * 1000) as direct:
        manager.create(places[0], org_id)
        direct[DATABASE]["bare_0"].create_indexes([manager.stamp_of(org_id)])
        for name in (places[0].collection, "bare_0"):
            direct[DATABASE][name].insert_many(documents())
        for number in range(ROUNDS):
            source, target = places[number], places[number + 1]
            moved.append(seconds_of(lambda: manager.move(source, target, org_id)))  # noqa: B023
            dropped.append(seconds_of(lambda: manager.drop(source, org_id)))  # noqa: B023
            command = {"renameCollection": bare[number], "to": bare[number + 1]}
            renamed.append(seconds_of(lambda: direct.admin.command(command)))  # noqa: B023
        assert manager.count(places[-1]) == DOCUMENTS == direct[DATABASE][f"bare_{ROUNDS}"].count_documents({})
    against, baseline = f"renameCollection of {DOCUMENTS} documents", sorted(renamed)[ROUNDS // 2]
    move, drop = sorted(moved)[ROUNDS // 2], sorted(dropped)[ROUNDS // 2]
    return (
        Comparison("the portal's copy", move, against, baseline, ROUNDS),
        Comparison("the copy and the later drop", move + drop, against, baseline, ROUNDS),
    )


def main() -> None:
    with running_database() as server:
        for comparison in move_against_rename(server):
            print(comparison, flush=True)


if __name__ == "__main__":
    main()
