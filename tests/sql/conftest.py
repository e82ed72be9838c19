"""What the tests of the SQL share."""

import pytest

from tests.conftest import Database
from tests.sql.scenario import Scenario


@pytest.fixture
def scene(db: Database) -> Scenario:
    """A database of the test's own, with everybody who takes part in it."""
    return Scenario(db)
