"""The lifecycle one step at a time: refusals, foreign data, quarantine, leases, and what the doctor sees."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from accounts import service as accounts
from orgportal import database
from orgportal.errors import PortalError
from tenants import manager, placement, service
from tenants.documents import ACTIVE, DELETING, RENAMING, now
from tenants.lifecycle import delete, doctor, operation, reconcile, rename
from tests.wire.people import PASSWORD, access_of, principal_with, sign_up, token_of

pytestmark = pytest.mark.usefixtures("clean_database")

ACME = "owner@acme.example"
LATER = timedelta(hours=1)


def refused(code: str, status: int) -> Any:
    """A context that expects exactly this PortalError."""

    class Expectation:
        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
            assert isinstance(error, PortalError), f"expected {code}, got {error!r}"
            assert (error.code, error.status) == (code, status)
            return True

    return Expectation()


def org_collections() -> list[str]:
    return sorted(name for name in database.master().list_collection_names() if name.startswith("org_"))


def findings(**options: Any) -> list[tuple[int, str]]:
    return [(finding.invariant, finding.problem) for finding in doctor.examine(**options)]


# Sign-up


def test_a_sign_up_makes_collection_index_account_and_membership() -> None:
    created = sign_up("Acme Ltd", slug="acme", email=ACME)
    assert created.organization.status == ACTIVE
    assert created.organization.placement.collection == "org_acme"
    assert manager.ownership(created.organization.placement, created.organization.id) is manager.Ownership.OWN
    assert accounts.membership_exists(account_id=created.account_id, org_id=created.organization.id)
    assert findings() == []


def test_two_names_that_fold_to_one_slug_collide() -> None:
    sign_up("Straße", email=ACME)
    with refused("organization_exists", 409):
        sign_up("STRASSE", email="other@acme.example")
    assert org_collections() == ["org_strasse"]
    assert database.collection("accounts").count_documents({}) == 1


def test_a_refused_sign_up_leaves_no_trace_and_its_name_free() -> None:
    sign_up("First", email=ACME)
    with refused("email_taken", 409):
        sign_up("Second", email=ACME)
    with refused("invalid_input", 422):
        service.sign_up(organization_name="Second", slug=None, email="x@y.example", password="short")
    assert org_collections() == ["org_first"]
    assert sign_up("Second", email="second@acme.example").organization.slug == "second"


def test_an_email_taken_at_the_last_moment_undoes_the_sign_up(monkeypatch: pytest.MonkeyPatch) -> None:
    new = accounts.prepare_account(email=ACME, password=PASSWORD)
    sign_up("First", email=ACME)
    monkeypatch.setattr(accounts, "prepare_account", lambda **_: new)
    with refused("email_taken", 409):
        sign_up("Second", email=ACME)
    assert org_collections() == ["org_first"]
    assert findings() == []


def test_a_collection_that_is_there_already_is_neither_adopted_nor_dropped() -> None:
    database.master()["org_acme"].insert_one({"_id": 1, "somebody": "else's"})
    with refused("organization_exists", 409):
        sign_up("Acme", email=ACME)
    assert database.master()["org_acme"].find_one() == {"_id": 1, "somebody": "else's"}
    assert list(service.all_organizations()) == []
    assert database.collection("accounts").count_documents({}) == 0
    assert findings() == [(2, "no organization has this collection")]


def test_a_repeated_sign_up_with_its_key_gives_the_first_and_with_another_is_refused() -> None:
    first = sign_up("Acme", email=ACME, origin="key")
    again = sign_up("Acme", email=ACME, origin="key")
    assert (again.organization.id, again.account_id) == (first.organization.id, first.account_id)
    with refused("organization_exists", 409):
        sign_up("Acme", email="other@acme.example", origin="another")


def test_one_account_owns_several_organizations_and_loses_only_the_deleted_one() -> None:
    sign_up("Acme", email=ACME)
    principal = principal_with(token_of(ACME))
    service.add_organization(principal=principal, organization_name="Bcme", slug=None)
    with refused("choose_organization", 409):
        token_of(ACME)
    assert service.delete(access=access_of(ACME, slug="acme"))
    assert access_of(ACME).organization.slug == "bcme"
    reconcile.run_all(at=now() + LATER)
    assert findings() == []
    assert database.collection("accounts").count_documents({}) == 1


def test_organizations_are_listed_in_pages_with_the_role() -> None:
    sign_up("Acme", email=ACME)
    principal = principal_with(token_of(ACME))
    for number in range(4):
        service.add_organization(principal=principal, organization_name=f"More {number}", slug=None)
    principal = principal_with(token_of(ACME, slug="acme"))
    first = service.list_organizations(principal=principal, limit=2)
    assert [organization.slug for organization, _ in first] == ["acme", "more_0", "more_1"]
    rest = service.list_organizations(principal=principal, limit=10, after=first[1][0].id)
    assert [(organization.slug, role.value) for organization, role in rest] == [
        ("more_1", "owner"), ("more_2", "owner"), ("more_3", "owner"),
    ]  # fmt: skip


def test_when_every_cluster_is_full_nobody_is_taken_in(settings: Any) -> None:
    settings.CLUSTER_CAPACITY = 1
    sign_up("Acme", email=ACME)
    with refused("no_capacity", 503):
        sign_up("Bcme", email="owner@bcme.example")
    assert org_collections() == ["org_acme"]


def test_a_recount_mends_a_count_that_a_crash_left_wrong() -> None:
    sign_up("Acme", email=ACME)
    placement.moved("master", 7)
    placement.recount()
    assert [(load.cluster, load.organizations) for load in placement.loads()] == [("master", 1)]


# Renames and changes


def test_a_copy_goes_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "COPY_BATCH", 7)
    sign_up("Acme", email=ACME)
    manager.bind(access_of(ACME)).insert_many([{"_id": n} for n in range(50)])
    service.update(access=access_of(ACME), slug="bcme")
    assert manager.bind(access_of(ACME)).count({}) == 50


@pytest.fixture(params=[False, True], ids=["copying", "renameCollection"])
def renames_natively(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of moving a collection: the embedded database's, and a real MongoDB's."""
    if request.param:
        monkeypatch.setattr(database, "copies_on_rename", lambda cluster: False)


@pytest.mark.usefixtures("renames_natively")
def test_a_rename_keeps_every_byte_and_index_and_frees_the_old_name_later() -> None:
    sign_up("Acme", email=ACME)
    documents = [{"_id": n, "data": {"n": n, "when": now(), "id": ObjectId()}} for n in range(300)]
    manager.bind(access_of(ACME)).insert_many(documents)
    database.master()["org_acme"].create_index("data.n", name="by_n")
    renamed = service.update(access=access_of(ACME), slug="bcme", organization_name="Bcme", metadata={"a": 1})
    assert (renamed.slug, renamed.name, renamed.metadata, renamed.status) == ("bcme", "Bcme", {"a": 1}, ACTIVE)
    assert list(database.master()["org_bcme"].find().sort("_id", 1)) == documents
    assert "by_n" in database.master()["org_bcme"].index_information()
    assert manager.ownership(renamed.placement, renamed.id) is manager.Ownership.OWN
    with refused("organization_exists", 409):
        sign_up("Acme", email="other@acme.example")
    reconcile.run_all(at=now() + LATER)
    assert org_collections() == ["org_bcme"]
    assert sign_up("Acme", email="other@acme.example").organization.slug == "acme"
    assert findings() == []


def test_a_rename_to_a_taken_or_foreign_name_changes_nothing() -> None:
    sign_up("Acme", email=ACME)
    sign_up("Bcme", email="owner@bcme.example")
    database.master()["org_foreign"].insert_one({"_id": 1})
    for slug in ("bcme", "foreign"):
        with refused("organization_exists", 409):
            service.update(access=access_of(ACME), slug=slug, organization_name="Changed")
    unchanged = access_of(ACME).organization
    assert (unchanged.slug, unchanged.name, unchanged.status) == ("acme", "Acme", ACTIVE)
    assert database.master()["org_foreign"].count_documents({}) == 1


def test_a_collection_that_appears_at_the_target_during_a_rename_undoes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up("Acme", email=ACME)
    manager.bind(access_of(ACME)).insert_one({"_id": 1})
    stamp = manager.stamp

    def stamp_and_disturb(*arguments: Any) -> None:
        stamp(*arguments)
        database.master()["org_bcme"].insert_one({"_id": "foreign"})

    monkeypatch.setattr(manager, "stamp", stamp_and_disturb)
    with refused("organization_exists", 409):
        service.update(access=access_of(ACME), slug="bcme")
    assert manager.bind(access_of(ACME)).find_one({"_id": 1}) == {"_id": 1}
    assert database.master()["org_bcme"].find_one() == {"_id": "foreign"}
    assert access_of(ACME).organization.slug == "acme"


def test_a_name_in_quarantine_cannot_be_taken_back_at_once() -> None:
    sign_up("Acme", email=ACME)
    service.update(access=access_of(ACME), slug="bcme")
    with refused("organization_busy", 503):
        service.update(access=access_of(ACME), slug="acme")
    reconcile.run_all(at=now() + LATER)
    assert service.update(access=access_of(ACME), slug="acme").slug == "acme"


def test_a_long_rename_goes_on_in_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rename, "COPIED_AT_ONCE", 2)
    sign_up("Acme", email=ACME)
    collection = manager.bind(access_of(ACME))
    collection.insert_many([{"_id": n} for n in range(3)])
    started = service.update(access=access_of(ACME), slug="bcme")
    assert (started.status, started.slug, started.pending_slug) == (RENAMING, "acme", "bcme")
    again = service.update(access=access_of(ACME), slug="bcme")
    assert again.pending_slug == "bcme"
    assert collection.find_one({"_id": 1}) == {"_id": 1}
    with refused("organization_busy", 503):
        collection.insert_one({"_id": 4})
    with refused("organization_busy", 503):
        service.update(access=access_of(ACME), organization_name="Other")
    with refused("organization_busy", 503):
        service.delete(access=access_of(ACME))
    assert reconcile.run_due() == 1
    assert access_of(ACME).organization.slug == "bcme"
    assert collection.find_one({"_id": 1}) == {"_id": 1}
    collection.insert_one({"_id": 5})
    assert collection.find_one({"_id": 5}) == {"_id": 5}


def test_a_change_based_on_an_old_picture_is_refused() -> None:
    sign_up("Acme", email=ACME)
    access = access_of(ACME)
    service.update(access=access, organization_name="Acme Two", expected_rev=1)
    with refused("stale", 412):
        service.update(access=access, organization_name="Acme Three")
    with refused("stale", 412):
        service.update(access=access_of(ACME), organization_name="Acme Three", expected_rev=1)
    with refused("stale", 412):
        service.delete(access=access_of(ACME), expected_rev=1)
    assert access_of(ACME).organization.name == "Acme Two"


# Deletions


def test_a_deletion_removes_all_and_holds_the_name_until_late_writes_have_arrived() -> None:
    sign_up("Acme", email=ACME)
    access = access_of(ACME)
    manager.bind(access).insert_one({"_id": 1})
    preview = service.deletion_preview(access=access)
    assert (preview.records, preview.members, preview.accounts_removed) == (1, 1, 1)
    assert service.delete(access=access)
    assert org_collections() == []
    assert database.collection("accounts").count_documents({}) == 0
    assert database.collection("sessions").count_documents({}) == 0
    left = database.collection("organizations").find_one({})
    assert left is not None
    assert (left["name"], left["metadata"], left["status"]) == ("", {}, DELETING)
    with refused("organization_exists", 409):
        sign_up("Acme", email=ACME)
    database.master()["org_acme"].insert_one({"late": "write"})
    assert reconcile.run_due() == 0
    reconcile.run_all(at=now() + LATER)
    assert org_collections() == []
    assert sign_up("Acme", email=ACME).organization.status == ACTIVE


def test_a_long_deletion_goes_on_in_the_worker_and_nobody_gets_in_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delete, "DROPPED_AT_ONCE", 0)
    sign_up("Acme", email=ACME)
    token = token_of(ACME)
    manager.bind(access_of(ACME)).insert_one({"_id": 1})
    assert not service.delete(access=access_of(ACME))
    with refused("unauthenticated", 401):
        principal_with(token)
    with refused("invalid_credentials", 401):
        token_of(ACME)
    reconcile.run_all(at=now() + LATER)
    assert org_collections() == []
    assert findings() == []


def test_a_token_of_a_deleted_organization_does_not_open_the_next_of_that_name() -> None:
    sign_up("Acme", email=ACME)
    token = token_of(ACME)
    service.delete(access=access_of(ACME))
    reconcile.run_all(at=now() + LATER)
    sign_up("Acme", email=ACME)
    with refused("unauthenticated", 401):
        principal_with(token)


def test_a_deletion_straight_after_a_rename_removes_both_collections() -> None:
    sign_up("Acme", email=ACME)
    service.update(access=access_of(ACME), slug="bcme")
    assert service.delete(access=access_of(ACME))
    reconcile.run_all(at=now() + LATER)
    assert org_collections() == []
    assert list(service.all_organizations()) == []


# Leases


def test_an_operation_is_left_alone_while_its_holder_gives_signs_of_life(settings: Any) -> None:
    settings.LEASE_SECONDS = 0.3
    sign_up("Acme", email=ACME)
    organization = access_of(ACME).organization
    fenced = rename._fence(organization, "bcme", {}, "somebody", at_once=True)
    with operation.kept_alive(fenced, "somebody"):
        before = database.collection("organizations").find_one({"_id": organization.id})
        assert before is not None
        while True:
            after = database.collection("organizations").find_one({"_id": organization.id})
            assert after is not None
            if after["due_at"] > before["due_at"]:
                break
        assert after["pending"]["holder"] == "somebody"
    assert reconcile.run_all(at=now() + LATER) >= 1
    with pytest.raises(operation.TakenOver):
        rename.resume(fenced, "somebody")
    assert access_of(ACME).organization.slug == "bcme"


def test_of_two_reconcilers_one_takes_the_operation_over() -> None:
    sign_up("Acme", email=ACME)
    fenced = rename._fence(access_of(ACME).organization, "bcme", {}, "gone", at_once=False)
    holder = operation.claim(fenced, now() + LATER)
    with pytest.raises(operation.TakenOver):
        operation.claim(fenced, now() + LATER)
    rename.resume(fenced, holder)
    assert access_of(ACME).organization.slug == "bcme"


# Doctor


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda master: master.drop_collection("org_acme"), (1, "its collection org_acme does not exist")),
        (
            lambda master: master["org_acme"].drop_indexes(),
            (1, "its collection org_acme has lost its index, and with it the stamp"),
        ),
        (lambda master: master["org_stray"].insert_one({}), (2, "no organization has this collection")),
        (lambda master: master["accounts"].delete_many({}), (1, "has no owner")),
        (
            lambda master: master["accounts"].update_one({}, {"$set": {"memberships": []}}),
            (6, "belongs to no organization"),
        ),
        (
            lambda master: master["organizations"].update_one({}, {"$set": {"status": "renaming"}}),
            (3, "is renaming, and nothing is under way"),
        ),
        (
            lambda master: master["organizations"].update_one({}, {"$set": {"placement.collection": "org_other"}}),
            (1, "its collection is org_other"),
        ),
    ],
)
def test_the_doctor_names_what_is_broken(damage: Any, expected: tuple[int, str]) -> None:
    sign_up("Acme", email=ACME)
    assert findings() == []
    damage(database.master())
    assert expected in findings()


def test_the_doctor_finds_two_organizations_in_one_collection() -> None:
    sign_up("Acme", email=ACME)
    sign_up("Bcme", email="owner@bcme.example")
    database.collection("organizations").update_one({"slug": "bcme"}, {"$set": {"placement.collection": "org_acme"}})
    assert (5, "its collection org_acme is stamped as another organization's") in findings()
    assert [invariant for invariant, _ in findings()].count(5) == 2


def test_the_doctor_finds_sessions_of_what_is_gone_and_operations_past_their_lease() -> None:
    sign_up("Acme", email=ACME)
    token_of(ACME)
    database.collection("sessions").update_one({}, {"$set": {"org_id": ObjectId(), "account_id": ObjectId()}})
    assert {invariant for invariant, _ in findings()} == {6}
    database.collection("sessions").delete_many({})
    rename._fence(access_of(ACME).organization, "bcme", {}, "gone", at_once=False)
    assert (3, "rename is pending past its lease: is the worker running?") in findings(at=now() + LATER)
