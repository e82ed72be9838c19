"""What the tests of the SQL share."""

from collections.abc import Iterator

import pytest

from locaria.local.postgres.server import PostgresServer
from tests.conftest import Database, cloned
from tests.sql.scenario import Scenario


@pytest.fixture
def scene(db: Database) -> Scenario:
    """A database of the test's own, with everybody who takes part in it."""
    return Scenario(db)


@pytest.fixture(scope="module")
def shared_scene(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[Scenario]:
    """One for all tests of a module, which must not mind each other."""
    with cloned(pg_server, template, request.node.nodeid) as database:
        yield Scenario(database)
