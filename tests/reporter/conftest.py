"""Loaders as in-process calls and as real processes, against the real database."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locaria_reporter import PostgresChannel

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = "file_loader"
COLUMNS = {"id": "bigint", "name": "text"}


class Site:
    """A migrated database with the verbs of these tests."""

    def __init__(self, db: Any, directory: Path) -> None:
        self.db = db
        self.owner = db.connect()
        with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
            superuser.execute("grant create on schema public to locaria_owner")
        self._directory = directory
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def dsn(self) -> str:
        return str(self.db.dsn_of("loader"))

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LOCARIA_DSN": self.dsn,
            "LOCARIA_CONTAINER": CONTAINER,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def channel(self) -> PostgresChannel:
        return PostgresChannel(self.dsn, CONTAINER)

    def configure(self, **limits: Any) -> None:
        for name, value in limits.items():
            self.owner.execute(
                f"update locaria.containers set {name} = %s where name = %s", [value, CONTAINER]
            )

    def submit(self, **attributes: Any) -> int:
        row = self.owner.execute(
            "insert into locaria.files (container, attributes) values (%s, %s) returning id",
            [CONTAINER, json.dumps(attributes)],
        ).fetchone()
        return int(row["id"])

    def file(self, file_id: int) -> dict[str, Any]:
        return self.one("select * from locaria.files where id = %s", file_id)

    def run(self, file_id: int) -> dict[str, Any]:
        """The last run of a file."""
        return self.one(
            "select * from locaria.runs where file_id = %s order by id desc limit 1", file_id
        )

    def progress(self, file_id: int) -> dict[str, Any]:
        """The hot part of the living run; {} when there is none."""
        row = self.owner.execute(
            "select p.* from locaria.run_progress p join locaria.files f on f.claimed_by = p.run_id"
            " where f.id = %s",
            [file_id],
        ).fetchone()
        return row or {}

    def one(self, query: str, *values: Any) -> dict[str, Any]:
        row = self.owner.execute(query, values).fetchone()
        assert row is not None
        return dict(row)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return list(self.owner.execute(query, values).fetchall())

    def active(self, query: str) -> int:
        """How many sessions are executing this statement."""
        with psycopg.connect(self.db.superuser_dsn) as superuser:
            row = superuser.execute(
                "select count(*) from pg_stat_activity where query = %s and state = 'active'",
                [query],
            ).fetchone()
        return int(row[0]) if row else 0

    def set_role(self, name: str, **settings: str) -> None:
        """Session defaults of a login, in this database."""
        with psycopg.connect(self.db.superuser_dsn, autocommit=True) as superuser:
            for setting, value in settings.items():
                superuser.execute(
                    f"alter role test_{name} in database {self.db.name} set {setting} = {value}"
                )

    def tick(self) -> None:
        self.owner.execute("select locaria.tick()")

    def start(self, *command: str, **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            command,
            env={**self.environment, **more},
            cwd=self._directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        return process

    def start_python(self, script: str, **more: str) -> "subprocess.Popen[str]":
        path = self._directory / "loader.py"
        path.write_text("import locaria_reporter as lr\n" + script)
        return self.start(sys.executable, str(path), **more)

    def start_report(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        return self.start(sys.executable, "-m", "locaria_reporter", *arguments, **more)

    def await_that(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait for what another process or the database does; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)
        return result

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def site(db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("LOCARIA_CONTAINER", CONTAINER)
    made = Site(db, tmp_path)
    try:
        yield made
    finally:
        made.close()
