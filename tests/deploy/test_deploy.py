"""`locaria deploy` and `destroy` against moto, which checks every request, and a real Postgres."""

import json
from typing import Any

import pytest

from locaria.deploy.containers import load_containers
from tests.conftest import Database
from tests.deploy.conftest import REGION, Account

CONTAINERS = [container.name for container in load_containers()]


@pytest.fixture
def ready(account: Account, owner_dsn: str) -> Account:
    """An account with a configured stage `test` and its database."""
    account.environment["LOCARIA_DSN"] = owner_dsn
    account.environment |= {
        variable: "value"
        for c in load_containers()
        for variable in c.secrets
        if variable != "LOCARIA_DSN"
    }
    account.configure("test")
    return account


def deployed(account: Account, *words: str, **variables: str) -> Any:
    return account.locaria("deploy", "--stage", "test", "--yes", "--no-prove", *words, **variables)


def test_an_empty_account_is_deployed_to_then_nothing_is_left_to_do(
    ready: Account, db: Database
) -> None:
    done = deployed(ready)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    done = deployed(ready)
    print(done.stdout, done.stderr)
