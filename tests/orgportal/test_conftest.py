"""The tests' own ground: a database of this worker's own, empty at the start of each test."""

import os

import pytest
from django.conf import settings

from orgportal import database
from tests.conftest import DATABASE


def test_each_worker_has_a_database_of_its_own() -> None:
    assert settings.MONGODB_DATABASE == DATABASE
    assert DATABASE == f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.usefixtures("clean_database")
def test_the_database_is_empty_whatever_an_earlier_test_left(attempt: int) -> None:
    master = database.master()

    for name in master.list_collection_names():
        assert not name.startswith("org_")
        assert master[name].find_one() is None
    master["org_left_over"].insert_one({"attempt": attempt})
    master["left_over"].insert_one({"attempt": attempt})
