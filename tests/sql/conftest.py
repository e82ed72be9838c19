"""Fixtures of the tests of the SQL."""

from collections.abc import Iterator

import pytest

from locaria.local.postgres.server import PostgresServer
from tests.conftest import Database, cloned
from tests.sql.scenario import Scenario


@pytest.fixture
def scene(db: Database) -> Scenario:
    """A scenario on the test's own database."""
    return Scenario(db)


@pytest.fixture(scope="module")
def shared_scene(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[Scenario]:
    """A scenario that all tests of a module share."""
    with cloned(pg_server, template, request.node.nodeid) as database:
        yield Scenario(database)
