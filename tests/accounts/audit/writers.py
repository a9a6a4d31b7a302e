"""Many processes that act at once: forked from one, so that Python and Django start only once.

Every act leaves a deed in the database, which says by itself that it happened. Arguments: how many processes, how
many acts in each, and how many of the processes are killed on the way; the organizations come on standard input.
"""

import os
import random
import signal
import sys
import time

import django
from bson import ObjectId

from orgportal import database
from orgportal.errors import forbidden


def act(process: int, number: int, chains: list[ObjectId | None]) -> None:
    """One random act: in one chain or two; one in five fails, one in five is a refusal that is counted."""
    from accounts import audit

    name = f"{process}-{number}"
    kind = random.random()
    wanted = random.sample(chains, random.choice((1, 1, 2)))
    actor = audit.account(ObjectId(), f"{name}@example.org", "session")
    if kind < 0.2:
        audit.note(action="login.refused", org_ids=wanted, actor=audit.anonymous(f"{process}"), details={"code": "x"})
        database.collection("deeds").insert_one({"name": name, "kind": "refused", "chains": wanted})
        return
    try:
        with audit.act(action="organization.changed", org_ids=wanted, actor=actor, details={"deed": name}):
            if kind < 0.4:
                raise forbidden()
            database.collection("deeds").insert_one({"name": name, "kind": "done", "chains": wanted})
    except type(forbidden()):
        database.collection("deeds").insert_one({"name": name, "kind": "failed", "chains": wanted})


def run(process: int, acts: int, chains: list[ObjectId | None]) -> None:
    random.seed(process)
    for number in range(acts):
        act(process, number, chains)


def main() -> int:
    """0 when every process ended as it should."""
    processes, acts, killed = (int(word) for word in sys.argv[1:4])
    chains: list[ObjectId | None] = [None, *map(ObjectId, sys.stdin.read().split())]
    django.setup()
    children = []
    for process in range(processes):
        child = os.fork()
        if child == 0:
            try:
                run(process, acts, chains)
            except BaseException as error:
                print(f"process {process}: {error!r}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    for child in children[:killed]:
        time.sleep(random.uniform(0.1, 1.5))
        os.kill(child, signal.SIGKILL)
    states = [os.waitpid(child, 0)[1] for child in children]
    return int(any(states[killed:]))


if __name__ == "__main__":
    sys.exit(main())
