"""Fixtures of the tests about records."""

import pytest

from tests.tenants.records.desk import Desk, the_desk


@pytest.fixture
def desk(database_indexes: None) -> Desk:
    """An organization without records, with a browser for each role."""
    return the_desk()
