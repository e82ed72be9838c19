"""The real command as a process, and a container that the test plays."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Connection, Database

ROOT = Path(__file__).parents[2]


@dataclass
class Result:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """Runs `locaria` as a separate process, as a user does."""

    def __init__(self, dsn: str | None, home: Path) -> None:
        self._home = home
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("LOCARIA_")
        } | {"PYTHONPATH": str(ROOT), "LOCARIA_STATE_DIR": str(home / "state"), "TZ": "UTC"}
        if dsn is not None:
            self.environment["LOCARIA_DSN"] = dsn

    def __call__(self, *arguments: object, code: int | None = 0) -> Result:
        """Run to the end; checks the exit code unless it is None."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        if code is not None:
            assert process.returncode == code, f"{out}\n{err}"
        assert "Traceback" not in err, err
        return Result(process.returncode, out, err)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start in the background."""
        return subprocess.Popen(
            [sys.executable, "-m", "locaria.cli", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self._home,
        )

    def interrupt(self, process: subprocess.Popen[str]) -> Result:
        """Send Ctrl-C and wait for the end."""
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return Result(process.returncode, out, err)


@pytest.fixture
def locaria(db: Database, tmp_path: Path) -> Command:
    """The command, as the owner of the test's database."""
    return Command(db.dsn, tmp_path)


@pytest.fixture
def locaria_without_dsn(tmp_path: Path) -> Command:
    """The command, without a database in its environment."""
    return Command(None, tmp_path)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A file to submit."""
    path = tmp_path / "stations.csv"
    path.write_text("id,name\n1,Kings Cross\n")
    return path


class Container:
    """Plays a task: claims, reports and ends runs with the functions of the database."""

    def __init__(self, connection: Connection, name: str = "file_loader") -> None:
        self._connection = connection
        self.task = self.call("select task_id from locaria.start_task(%s)", name)["task_id"]

    def call(self, query: str, *values: object) -> dict[str, Any]:
        """Run a query that returns one row."""
        row = self._connection.execute(query, values).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row

    def claim(self) -> int:
        """Claim a file and return its run."""
        return int(self.call("select run_id from locaria.claim_files(%s)", self.task)["run_id"])

    def report(self, run: int, **progress: object) -> str:
        """Report progress and return the answer: running or cancel."""
        query = "select locaria.report_progress(%s, %s::jsonb) as answer"
        return str(self.call(query, run, json.dumps(progress))["answer"])

    def log(self, run: int, *messages: str, level: str = "info") -> None:
        """Log messages."""
        payload = [{"level": level, "message": message} for message in messages]
        self.call("select locaria.log_run(%s, %s::jsonb)", run, json.dumps(payload))

    def reject(self, run: int, line: int, reason: str, row: str) -> None:
        """Reject a row."""
        payload = [{"line": line, "reason": reason, "row": row}]
        self.call("select locaria.reject_rows(%s, %s::jsonb)", run, json.dumps(payload))

    def finish(self, run: int) -> None:
        """Finish the run."""
        self.call("select locaria.finish_run(%s)", run)

    def fail(self, run: int, kind: str = "data", error: str = "row 7 is bad") -> None:
        """Fail the run."""
        self.call("select locaria.fail_run(%s, %s, %s)", run, kind, error)


@pytest.fixture
def container(db: Database) -> Container:
    """A living task of file_loader."""
    return Container(db.connect("loader"))


Work = Callable[[Container, int], None]


@contextmanager
def working(dsn: str, work: Work) -> Iterator[None]:
    """Run a container in a thread, which calls `work` for every file until the block ends."""
    over = threading.Event()
    errors: list[BaseException] = []

    def drain() -> None:
        try:
            with psycopg.connect(
                dsn, autocommit=True, row_factory=psycopg.rows.dict_row
            ) as connection:
                task = Container(connection)
                connection.execute("listen locaria_files_file_loader")
                while not over.is_set():
                    found = connection.execute(
                        "select run_id from locaria.claim_files(%s)", [task.task]
                    ).fetchone()
                    if found is not None:
                        work(task, found["run_id"])
                    else:
                        connection.execute("select locaria.wait_for_files(%s)", [task.task])
                        list(connection.notifies(timeout=0.1, stop_after=1))
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)
    assert not errors


def load(task: Container, run: int) -> None:
    """Load 100 rows."""
    task.report(run, stage="load", percent=50, rows_done=50, rows_total=100)
    task.log(run, "half way")
    task.report(run, percent=100, rows_done=100)
    task.finish(run)


def spoil(task: Container, run: int) -> None:
    """Fail without another attempt."""
    task.fail(run)
