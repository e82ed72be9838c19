"""Programs that the deployment runs, and what becomes of the owner's secret."""

import json
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from locaria.deploy.aws import Aws
from locaria.deploy.commands import Commands
from locaria.deploy.errors import BadInput, DeployError
from locaria.deploy.owner import owner_dsn
from tests.deploy.conftest import REGION, Account


def test_a_program_that_fails_tells_its_last_words_even_if_it_reads_no_password(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    commands = Commands(tmp_path, dry_run=False, show=said.append)
    script = "import os, sys; os.close(0); print('denied'); sys.exit(3)"
    with pytest.raises(DeployError, match=r"failed \(exit code 3\):\n  denied"):
        commands.run([sys.executable, "-c", script], secret="canary" * 100_000)
    assert "canary" not in "".join(said)
    with pytest.raises(DeployError, match="nowhere can't be started: No such file"):
        commands.run(["nowhere"])


def test_a_secret_of_rds_is_laid_over_the_place_that_is_given(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, account.environment[name])
    aws, secrets = Aws(REGION, dry_run=False, show=print), account.client("secretsmanager")

    def made(name: str, content: object) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        return str(secrets.create_secret(Name=name, SecretString=text)["ARN"])

    managed = made("rds", {"username": "master", "password": "it's {odd}", "engine": "postgres"})
    told = conninfo_to_dict(owner_dsn(aws, managed, "postgresql://db.example.org:6543/gis"))
    assert told == {
        "host": "db.example.org",
        "port": "6543",
        "dbname": "gis",
        "user": "master",
        "password": "it's {odd}",
    }
    with pytest.raises(BadInput, match="holds a password, but no host"):
        owner_dsn(aws, managed, None)
    whole = "postgresql://me:word@h/d"
    assert owner_dsn(aws, managed, whole) == whole, "what is given as a whole is taken"
    assert owner_dsn(aws, made("plain", whole), None) == whole
    with pytest.raises(BadInput, match="can't be read") as caught:
        owner_dsn(aws, managed, "canary is no dsn")
    assert "canary" not in str(caught.value)
