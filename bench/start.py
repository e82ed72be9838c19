"""From the INSERT to the first line of the loader: with a task that waits, and with none."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from bench.database import BenchDatabase, Connection
from bench.measure import Result, seconds
from locaria.local.runtime import Runtime

ROUNDS, QUICK_ROUNDS = 300, 20
COLD_ROUNDS, QUICK_COLD_ROUNDS = 10, 2
HERE = Path(__file__).parent
# Between two rounds, for the process to be back in its wait.
SETTLE_S = 0.01
PATIENCE_S = 30.0

FLOOR = (
    "with added as (insert into public.floor (container, attributes) values ('{0}', '{{}}') "
    "returning id) select pg_notify('{1}', id::text) from added"
)
INSERTS = {
    "ours": "insert into locaria.files (container, attributes) values ('file_loader', '{}')",
    "notify": FLOOR.format("nobody", "bench_notify"),
    "queue": FLOOR.format("file_loader", "bench_queue"),
}
GOAL = 1.5


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Medians: a task that is idle, then one that has to be started."""
    yield from _idle(database, QUICK_ROUNDS if quick else ROUNDS)
    yield from _cold(QUICK_COLD_ROUNDS if quick else COLD_ROUNDS)


def _idle(database: BenchDatabase, rounds: int) -> Iterator[Result]:
    """Each listener is a process of its own; they take turns."""
    times: dict[str, list[float]] = {kind: [] for kind in INSERTS}
    with ExitStack() as stack:
        connection = stack.enter_context(database.connect())
        watcher = stack.enter_context(database.connect())
        database.empty(connection)
        database.make_floor(connection)
        listeners = {kind: stack.enter_context(_listener(kind, database.dsn)) for kind in INSERTS}
        for _ in range(rounds):
            for kind, listener in listeners.items():
                _await_idle(watcher)
                times[kind].append(_start_seconds(connection, INSERTS[kind], listener))
    ours, notify, queue = (statistics.median(times[kind]) * 1000 for kind in INSERTS)
    name = "insert to start, a task is idle"
    yield Result(name, ours, queue, "bare LISTEN/NOTIFY, then SKIP LOCKED", GOAL, unit="ms")
    yield Result(name, ours, notify, "bare LISTEN/NOTIFY, nothing claimed", GOAL, unit="ms")


@contextmanager
def _listener(kind: str, dsn: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.listener", kind],
        cwd=HERE.parent,
        env=os.environ | {"LOCARIA_DSN": dsn, "LOCARIA_CONTAINER": "file_loader"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert _line(process) == "ready"
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _start_seconds(
    connection: Connection, statement: str, listener: subprocess.Popen[str]
) -> float:
    time.sleep(SETTLE_S)
    begin = time.monotonic()
    connection.execute(statement, prepare=True)
    return float(_line(listener)) - begin


def _await_idle(watcher: Connection) -> None:
    _await(watcher, "select exists (select from locaria.tasks where idle_since is not null)")


def _await(connection: Connection, question: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute(question).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {PATIENCE_S:g} s: {question}")
        time.sleep(0.002)


def _cold(rounds: int) -> Iterator[Result]:
    """Through the trigger, the queue, the handler, the control plane, a new process, its claim."""
    with tempfile.TemporaryDirectory(prefix="locaria_bench_") as folder:
        runtime = Runtime(Path(folder) / "state", containers_dir=HERE / "containers", http_port=0)
        with runtime, psycopg.connect(runtime.dsn, autocommit=True) as connection:
            ours, bare = [], []
            for _ in range(rounds):
                bare.append(seconds(_start_python))
                ours.append(_cold_start_seconds(connection))
    name = "insert to start, no task, local runtime"
    yield Result(name, statistics.median(ours), statistics.median(bare), "python -c import psycopg")


def _start_python() -> None:
    subprocess.run([sys.executable, "-c", "import psycopg"], check=True)


def _cold_start_seconds(connection: Connection) -> float:
    begin = time.monotonic()
    row = connection.execute(
        "insert into locaria.files (container) values ('tiny') returning id"
    ).fetchone()
    assert row is not None
    _await(
        connection,
        f"select finished is not null from locaria.files where id = {row[0]}",
    )
    _await(connection, "select not exists (select from locaria.tasks where stopped is null)")
    began = connection.execute(
        "select (result ->> 'began')::double precision from locaria.runs "
        "where file_id = %s and outcome = 'succeeded'",
        row,
    ).fetchone()
    assert began is not None, "the container did not succeed"
    return float(began[0]) - begin
