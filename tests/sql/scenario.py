"""Helpers for tests: the actions of applications, tasks, operators and `tick()`, and their results."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzLoader

from tests.conftest import Connection, Database

Row = dict[str, Any]
FUNCTION = "ecsRunTask"
ARN = "arn:aws:ecs:local:000000000000:task/locaria/"


class _InfiniteTimes(TimestamptzLoader):
    """Loads infinity as `datetime.max`, because Python has no infinite time."""

    def load(self, data: Any) -> datetime:
        return datetime.max if bytes(data) == b"infinity" else super().load(data)


def wait_until(
    condition: Callable[[], Any], what: str, seconds: float = 20, pause: float = 0.002
) -> Any:
    """Return the first truthy value of a condition; fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s without success until {what}"
        time.sleep(pause)
    return value


class Scenario:
    """One database with a session for each role that takes part."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.start: datetime | None = None
        self._now: datetime | None = None

    # -- sessions -------------------------------------------------------------------------------

    @cached_property
    def owner(self) -> Connection:
        """The owner of the schema."""
        return self._enter(self.db.connect())

    @cached_property
    def app(self) -> Connection:
        """An application."""
        return self._enter(self.db.connect("app"))

    @cached_property
    def loader(self) -> Connection:
        """A container."""
        return self._enter(self.db.connect("loader"))

    @cached_property
    def operator(self) -> Connection:
        """An operator; runs tick(), too."""
        return self._enter(self.db.connect("operator"))

    @cached_property
    def root(self) -> Connection:
        """The superuser, who sets the faults of Lambda."""
        connection = psycopg.connect(self.db.superuser_dsn, autocommit=True, row_factory=dict_row)
        self.db.connections.append(connection)
        return self._enter(connection)

    def session(self, role: str | None = None, *, autocommit: bool = True) -> Connection:
        """Open another session of the owner or of a role."""
        return self._enter(self.db.connect(role, autocommit=autocommit))

    def _enter(self, connection: Connection) -> Connection:
        connection.adapters.register_loader("timestamptz", _InfiniteTimes)
        if self._now is not None:
            self._set_clock(connection)
        return connection

    # -- time ----------------------------------------------------------------------------------

    def at(self, **offset: float) -> datetime:
        """Move the clock of all sessions to this offset from the start of the scenario."""
        if self.start is None:
            self.start = one(self.root, "select now() + '1 hour' as now")["now"]
        assert self.start is not None
        self._now = self.start + timedelta(**offset)
        for name in ("owner", "app", "loader", "operator", "root"):
            if name in self.__dict__:
                self._set_clock(self.__dict__[name])
        return self._now

    def _set_clock(self, connection: Connection) -> None:
        assert self._now is not None
        connection.execute(
            "select set_config('locaria.fake_now', %s, false)", [self._now.isoformat()]
        )

    # -- applications --------------------------------------------------------------------------

    def insert_files(
        self, count: int = 1, connection: Connection | None = None, **columns: Any
    ) -> list[int]:
        """Insert files in one statement; return their ids in order."""
        if isinstance(columns.get("attributes"), dict):
            columns["attributes"] = json.dumps(columns["attributes"])
        columns.setdefault("attributes", "{}")
        names = ", ".join(columns)
        marks = ", ".join("%s" for _ in columns)
        rows = (connection or self.app).execute(
            f"insert into locaria.files ({names}) select {marks} from generate_series(1, %s) returning id",
            [*columns.values(), count],
        )
        return sorted(row["id"] for row in rows)

    def origin(self) -> str:
        """Return the name of this database in AWS."""
        return str(
            one(self.owner, "select locaria.get_parameter('installation', 'origin') as o")["o"]
        )

    def insert_file(self, **columns: Any) -> int:
        """Insert one file; return its id."""
        return self.insert_files(1, **columns)[0]

    # -- tasks ---------------------------------------------------------------------------------

    def start_task(self, container: str = "file_loader", **given: Any) -> int:
        """Report a task and expect that it is accepted; return its id."""
        row = self.report_task(container, **given)
        assert row["accepted"], row["reason"]
        return int(row["task_id"])

    def report_task(
        self,
        container: str = "file_loader",
        arn: str | None = None,
        dispatch: int | None = None,
        launch: int | None = None,
        connection: Connection | None = None,
    ) -> Row:
        """Report a task; return the reply of `start_task`."""
        return one(
            connection or self.loader,
            "select * from locaria.start_task(%s, %s, %s, %s)",
            [container, arn, dispatch, launch],
        )

    def claim(self, task: int, count: int = 1) -> list[Row]:
        """Claim files for a task."""
        return list(self.loader.execute("select * from locaria.claim_files(%s, %s)", [task, count]))

    def claim_one(self, task: int | None = None) -> Row:
        """Claim one file for a task, or for a new one."""
        return self.claim(self.start_task() if task is None else task)[0]

    def running(self, **columns: Any) -> Row:
        """Insert a file and claim it; return the claimed row."""
        file = self.insert_file(**columns)
        task = self.start_task(str(columns.get("container") or "file_loader"), arn=f"{ARN}{file}")
        run = self.claim_one(task)
        assert run["file_id"] == file
        return run | {"task_id": task, "task_arn": f"{ARN}{file}"}

    def wait(self, task: int, xact: str | None = None, idle: str | None = None) -> str:
        """Ask what a task that found nothing should do."""
        return str(
            one(
                self.loader,
                "select what from locaria.wait_for_files(%s, %s, %s)",
                [task, xact, idle],
            )["what"]
        )

    def heartbeat(self, task: int, *runs: int) -> dict[int, str]:
        """Send a heartbeat of a task; return the state of each run."""
        rows = self.loader.execute("select * from locaria.heartbeat(%s, %s)", [task, list(runs)])
        return {row["run_id"]: row["state"] for row in rows}

    def progress(self, run: int, **values: Any) -> str:
        """Report progress of a run."""
        return str(self.call("report_progress", run, json.dumps(values)))

    def finish(self, run: int) -> None:
        """Finish a run with success."""
        self.call("finish_run", run)

    def fail(self, run: int, kind: str = "transient", error: str = "no luck") -> str:
        """Fail a run; return the new status of its file."""
        return str(self.call("fail_run", run, kind, error))

    def call(self, function: str, *arguments: Any, connection: Connection | None = None) -> Any:
        """Call a function of schema locaria by position, as the loader; return its value."""
        marks = ", ".join("%s" for _ in arguments)
        row = one(
            connection or self.loader, f"select locaria.{function}({marks}) as value", arguments
        )
        return row["value"]

    # -- operators -----------------------------------------------------------------------------

    def tick(self, **offset: float) -> Row:
        """Move the clock, if asked, and call `tick()`; return its result. No step may fail."""
        if offset:
            self.at(**offset)
        result: Row = self.call("tick", connection=self.operator)
        assert "errors" not in result, result
        return result

    def tick_until_quiet(self) -> None:
        """Call `tick()` until nothing is left to do."""
        for _ in range(10):
            if not self.tick():
                return
        raise AssertionError("tick() never finishes")

    def control(self, function: str, *arguments: Any) -> list[Row]:
        """Call a control function as the operator; return its rows."""
        marks = ", ".join("%s" for _ in arguments)
        return list(self.operator.execute(f"select * from locaria.{function}({marks})", arguments))

    # -- Lambda --------------------------------------------------------------------------------

    def fault(self, kind: str | None) -> None:
        """Set or clear a fault of the Lambda function."""
        self.root.execute("update aws_lambda.functions set fault = %s", [kind])

    def invocations(self, action: str = "run_task") -> list[Row]:
        """Return the payloads that Lambda accepted, in order."""
        rows = self.root.execute("select payload from aws_lambda.invocations order by id")
        return [row["payload"] for row in rows if row["payload"]["action"] == action]

    def task_event(self, arn: str, version: int, status: str, **detail: Any) -> str:
        """Deliver an "ECS Task State Change" event; return the action taken."""
        return str(
            self.call(
                "record_task_event",
                json.dumps(task_event(arn, version, status, **detail)),
                connection=self.operator,
            )
        )

    # -- what can be seen ----------------------------------------------------------------------

    def file(self, file: int) -> Row:
        """Return a row of files."""
        return one(self.owner, "select * from locaria.files where id = %s", [file])

    def status_of(self, file: int) -> str:
        """Return the status of a file."""
        return str(self.file(file)["status"])

    def view(self, file: int) -> Row:
        """Return a row of the view status."""
        return one(self.app, "select * from locaria.status where file_id = %s", [file])

    def run(self, run: int) -> Row:
        """Return a row of runs."""
        return one(self.owner, "select * from locaria.runs where id = %s", [run])

    def task(self, task: int) -> Row:
        """Return a row of tasks."""
        return one(self.owner, "select * from locaria.tasks where id = %s", [task])

    def dispatches(self) -> list[Row]:
        """Return all rows of dispatches."""
        return list(self.owner.execute("select * from locaria.dispatches order by id"))

    def log(self, file: int) -> list[str]:
        """Return the log messages of a file."""
        rows = self.owner.execute(
            "select * from locaria.log where file_id = %s order by id", [file]
        )
        return [f"{row['level']}: {row['message']}" for row in rows]

    def history(self, file: int) -> list[tuple[str, str]]:
        """Return every change of status, in order."""
        rows = self.owner.execute(
            "select * from locaria.history where file_id = %s order by at, to_status <> 'FARGATE_PROCESSING'",
            [file],
        )
        return [(row["from_status"], row["to_status"]) for row in rows]

    def set_limits(self, container: str = "file_loader", **limits: Any) -> None:
        """Change limits of a container."""
        for name, value in limits.items():
            self.owner.execute(
                f"update locaria.containers set {name} = %s where name = %s", [value, container]
            )

    def set_parameter(self, name: str, **values: Any) -> None:
        """Merge keys into a row of parameters."""
        self.owner.execute(
            "update locaria.parameters set parameter = parameter || %s::jsonb where parameter_name = %s",
            [json.dumps(values), name],
        )


def one(connection: Connection, query: str, values: Any = ()) -> Row:
    """Return the only row of a query."""
    rows = connection.execute(query.encode(), values).fetchall()
    assert len(rows) == 1, f"{len(rows)} rows of: {query}"
    return rows[0]


@contextmanager
def refused(sqlstate: str, *words: str) -> Iterator[None]:
    """Expect an error with this SQLSTATE whose message or hint has these words."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    diagnostics = caught.value.diag
    text = f"{diagnostics.message_primary} · {diagnostics.message_hint}"
    assert diagnostics.sqlstate == sqlstate, f"{diagnostics.sqlstate}: {text}"
    for word in words:
        assert word in text, f"{word!r} is missing in: {text}"


class Threads:
    """Threads whose failures fail the test."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def start(self, work: Callable[..., None], *arguments: Any) -> None:
        """Start a thread."""

        def guarded() -> None:
            try:
                work(*arguments)
            except BaseException as failure:  # noqa: BLE001 - raised by join()
                self._failures.append(failure)

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, seconds: float = 60) -> None:
        """Wait for all threads; raise the first failure."""
        deadline = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
            if self._failures:
                raise self._failures[0]
            assert not thread.is_alive(), "a thread hangs"

    @property
    def failures(self) -> list[BaseException]:
        """The exceptions raised so far."""
        return self._failures


def blocked(connection: Connection, pid: int) -> bool:
    """Return whether a session waits for a lock."""
    row = one(connection, "select cardinality(pg_blocking_pids(%s)) > 0 as yes", [pid])
    return bool(row["yes"])


def task_event(
    arn: str,
    version: int,
    status: str,
    *,
    dispatch: int | None = 1,
    launch: int = 1,
    container: str = "file_loader",
    containers: Any = None,
    exit_code: int | None = None,
    reason: str | None = None,
    **detail: Any,
) -> Row:
    """Build an event as EventBridge sends it (AWS: ecs_task_events)."""
    if containers is None:
        main: Row = {
            "containerArn": f"{arn}/c",
            "lastStatus": status,
            "name": container,
            "taskArn": arn,
            "networkInterfaces": [],
            "cpu": "256",
            "memory": "512",
        }
        if exit_code is not None:
            main["exitCode"] = exit_code
        if reason is not None:
            main["reason"] = reason
        containers = [main]
    started_by = {} if dispatch is None else {"startedBy": f"locaria-{dispatch}-{launch}"}
    return {
        "version": "0",
        "id": "9bcdac79-b31f-4d3d-9410-fbd727c29fab",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "000000000000",
        "time": "2030-01-01T00:00:00Z",
        "region": "local",
        "resources": [arn],
        "detail": {
            "attachments": [],
            "attributes": [],
            "availabilityZone": "local-a",
            "clusterArn": "arn:aws:ecs:local:000000000000:cluster/locaria",
            "connectivity": "CONNECTED",
            "containers": containers,
            "cpu": "256",
            "memory": "512",
            "createdAt": "2030-01-01T00:00:00Z",
            "desiredStatus": status,
            "launchType": "FARGATE",
            "lastStatus": status,
            "overrides": {"containerOverrides": [{"name": container, "environment": []}]},
            "taskArn": arn,
            "taskDefinitionArn": "arn:aws:ecs:local:000000000000:task-definition/file_loader:1",
            "version": version,
            **started_by,
            **detail,
        },
    }
