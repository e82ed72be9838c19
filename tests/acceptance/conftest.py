"""Acceptance: through the real trigger, the real Lambda handlers and real container processes."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from locaria.install import read_dockers
from locaria.local.aws.lambda_service.queue import DeliveryRules
from locaria.local.runtime import Runtime
from locaria.resources import DOCKERS_JSON

Row = dict[str, Any]
HERE = Path(__file__).parent
BIN_DIR = os.environ.get("LOCARIA_TEST_PG_BIN")


class Place:
    """A running Locaria, with the verbs of an application and of an operator."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.db = psycopg.connect(runtime.dsn, autocommit=True, row_factory=dict_row)

    def one(self, statement: str, *values: Any) -> Row:
        """The only row of a statement."""
        row = self.db.execute(statement, values).fetchone()
        assert row is not None, statement
        return row

    def limit(self, container: str, **limits: Any) -> None:
        """Set limits of a container."""
        for name, value in limits.items():
            self.db.execute(
                f"update locaria.containers set {name} = %s where name = %s", [value, container]
            )

    def submit(self, container: str, **attributes: Any) -> int:
        """Insert a file; returns its id."""
        row = self.one(
            "insert into locaria.files (container, attributes) values (%s, %s) returning id",
            container,
            json.dumps(attributes),
        )
        return int(row["id"])

    def status(self, file: int) -> Row:
        """The file's row of the view status."""
        return self.one("select * from locaria.status where file_id = %s", file)

    def wait(
        self, file: int, until: Callable[[Row], object] | None = None, seconds: float = 60
    ) -> Row:
        """Wait until a file is at rest, or as `until` wants it; returns its status."""
        good = until or (lambda row: row["phase"] in ("done", "failed", "cancelled"))
        deadline = time.monotonic() + seconds
        while not good(row := self.status(file)):
            assert time.monotonic() < deadline, self.story(file)
            time.sleep(0.05)
        return row

    def story(self, file: int) -> str:
        """What happened to a file, for a failing test to show."""
        lines = self.db.execute("select * from locaria.timeline(%s)", [file]).fetchall()
        told = "\n".join(f"{line['at']} {line['what']}: {line['detail']}" for line in lines)
        return f"{self.status(file)['why']}\n{told}"

    def runs(self, file: int) -> list[Row]:
        """The file's attempts in order."""
        return self.db.execute(
            "select * from locaria.attempts where file_id = %s order by run_id", [file]
        ).fetchall()

    def forget(self) -> None:
        """Between two tests: every task leaves, no fault is left."""
        self.runtime.ecs.script.clear()
        with psycopg.connect(self.runtime.site.superuser_dsn, autocommit=True) as superuser:
            superuser.execute("update aws_lambda.functions set fault = null")
        self.db.execute(
            "select locaria.cancel(array(select id from locaria.files where finished is null))"
        )
        self.db.execute("delete from locaria.circuits")


def write_containers(folder: Path) -> Path:
    """The real file_loader, and a container that misbehaves on demand."""
    shutil.copytree(HERE / "containers", folder)
    for name in ("file_loader", "modules", "place_finder"):
        (folder / name).symlink_to(DOCKERS_JSON.parent / name)
    limits = {"idle_timeout": "1 second", "backoff": "0 seconds", "lease": "3 seconds"}
    loader = read_dockers()["file_loader"]
    loader["limits"] |= limits
    loader["stop_timeout"] = 120  # A stopped process is left alone long enough to wake up.
    actor = {
        "entry_point": ["python", "actor.py"],
        "type": "loader",
        "limits": limits,
        "stop_timeout": 2,
    }
    echo = {
        "entry_point": ["python", "echo.py"],
        "type": "listener",
        "port": 18123,
        "limits": limits | {"max_tasks": 2},
    }
    finder = read_dockers()["place_finder"] | {"port": 18120}
    finder["limits"] |= limits
    dockers = {"file_loader": loader, "actor": actor, "echo": echo, "place_finder": finder}
    (folder / "dockers.json").write_text(json.dumps(dockers))
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Locaria for all tests of a module."""
    folder = tmp_path_factory.mktemp("acceptance")
    runtime = Runtime(
        folder / "state",
        bin_dir=BIN_DIR,
        durable=False,
        containers_dir=write_containers(folder / "containers"),
        task_environment={"LOCARIA_BLOCK_BYTES": "2048"},
        rules=DeliveryRules(retry_delays_s=(0.2, 0.4), failure_destination="taskEvents"),
        http_port=0,
        tick_every_s=0.2,
    )
    with runtime:
        place = Place(runtime)
        yield place
        place.db.close()


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """The running Locaria, without faults."""
    yield running
    running.forget()
