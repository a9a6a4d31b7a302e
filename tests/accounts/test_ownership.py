"""An organization never loses its last owner, in whatever order its owners go."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from bson import ObjectId

from accounts.members import first_owner
from accounts.membership import ownership
from accounts.roles import Role
from orgportal import database
from orgportal.errors import PortalError
from tests.accounts.cast import an_account, an_organization, change_account, stored_account


def owners_of(org_id: ObjectId) -> list[ObjectId]:
    owned = {"memberships": {"$elemMatch": {"org_id": org_id, "role": "owner"}}}
    return [row["_id"] for row in database.collection("accounts").find(owned)]


def company(count: int, *, elsewhere: bool = False) -> tuple[ObjectId, list[ObjectId]]:
    """An organization with so many owners, each with another organization besides, or not."""
    mark = ObjectId()
    org_id = an_organization(f"acme_{mark}")
    more = [an_organization(f"other_{mark}")] if elsewhere else []
    return org_id, [an_account(f"owner.{n}.{mark}@example.org", org_id, *more) for n in range(count)]


def outcome_of(act: Callable[[], object]) -> str:
    try:
        act()
    except PortalError as refused:
        return refused.code
    return "done"


@pytest.mark.parametrize("to", [Role.ADMIN, Role.VIEWER])
def test_an_owner_steps_down_while_another_stays(to: Role) -> None:
    org_id, (alice, bob) = company(2)
    assert ownership.step_down(org_id=org_id, account_id=alice, to=to) is False
    (place,) = stored_account(alice)["memberships"]
    assert (place["role"], "leaving" in place) == (to.value, False)
    assert owners_of(org_id) == [bob]


def test_an_owner_who_belongs_elsewhere_leaves_and_keeps_the_account() -> None:
    org_id, (alice, _) = company(2, elsewhere=True)
    assert ownership.step_down(org_id=org_id, account_id=alice, to=None) is False
    assert [place["org_id"] == org_id for place in stored_account(alice)["memberships"]] == [False]


def test_an_owner_who_belongs_nowhere_else_leaves_no_account() -> None:
    org_id, (alice, bob) = company(2)
    assert ownership.step_down(org_id=org_id, account_id=alice, to=None) is True
    assert database.collection("accounts").find_one({"_id": alice}) is None
    assert owners_of(org_id) == [bob]


@pytest.mark.parametrize("to", [Role.ADMIN, None])
def test_the_last_owner_stays_whole(to: Role | None) -> None:
    org_id, (alice,) = company(1)
    before = stored_account(alice)
    assert outcome_of(lambda: ownership.step_down(org_id=org_id, account_id=alice, to=to)) == "last_owner"
    assert stored_account(alice) == before


def test_who_is_no_owner_is_not_found() -> None:
    org_id, (alice,) = company(1)
    bob = an_account(f"bob.{org_id}@example.org", org_id, role=Role.ADMIN)
    assert outcome_of(lambda: ownership.step_down(org_id=org_id, account_id=bob, to=Role.VIEWER)) == "not_found"
    assert outcome_of(lambda: ownership.step_down(org_id=ObjectId(), account_id=alice, to=None)) == "not_found"


def test_a_mark_that_a_crash_left_is_in_nobodys_way() -> None:
    org_id, (alice, bob) = company(2)
    change_account(bob, {"$set": {"memberships.0.leaving": "left by a crash"}})
    assert ownership.step_down(org_id=org_id, account_id=alice, to=Role.ADMIN) is False
    assert (owners_of(org_id), "leaving" in stored_account(bob)["memberships"][0]) == ([bob], False)


def test_whose_mark_was_taken_away_cannot_finish() -> None:
    """The last step asks for the mark: what was decided on an older picture is not done."""
    org_id, (alice, bob) = company(2)
    assert ownership._mark(org_id, alice, "first")
    assert ownership._look(org_id, bob) == "stay"
    assert ownership._finish(org_id, alice, "first", Role.VIEWER) is None
    assert ownership._finish(org_id, alice, "first", None) is None
    assert set(owners_of(org_id)) == {alice, bob}


def race(rounds: int) -> dict[str, int]:
    """Owners of one organization demote, remove or leave at the same moment; counts how it ended."""
    counts = {"done": 0, "last_owner": 0, "organization_busy": 0}
    for number in range(rounds):
        size = 2 + number % 3
        org_id, people = company(size, elsewhere=number % 2 == 0)
        start = threading.Barrier(size)

        def go(
            account_id: ObjectId,
            to: Role | None = (Role.ADMIN, None)[number // 2 % 2],
            org_id: ObjectId = org_id,
            start: threading.Barrier = start,
        ) -> str:
            start.wait()
            return outcome_of(lambda: ownership.step_down(org_id=org_id, account_id=account_id, to=to))

        with ThreadPoolExecutor(size) as pool:
            outcomes = list(pool.map(go, people))
        left = owners_of(org_id)
        assert left, outcomes
        assert len(left) == size - outcomes.count("done")
        assert first_owner(org_id=org_id) in left
        assert all(
            "leaving" not in place
            for owner in left
            for place in stored_account(owner)["memberships"]
            if place["org_id"] == org_id
        )
        for outcome in outcomes:
            counts[outcome] += 1
    return counts


def test_owners_who_all_go_at_once_leave_one_behind() -> None:
    counts = race(10)
    assert counts["done"] > 0
    assert counts["last_owner"] > 0


@pytest.mark.long
def test_owners_who_all_go_at_once_leave_one_behind_fifty_times() -> None:
    counts = race(50)
    print(f"50 rounds of 2 to 4 owners: {counts}")
    assert counts["done"] >= 50
    assert counts["last_owner"] > 0
