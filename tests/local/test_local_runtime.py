"""`locaria up` as a whole: from an INSERT to the row's end, Ctrl-C, kill -9 and the next start."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from locaria.local import processes
from locaria.local.postgres.server import PostgresServer
from locaria.local.status import read_status, shut_down
from locaria.resources import LAMBDA, ROOT

BIN_DIR = os.environ.get("LOCARIA_TEST_PG_BIN")
LOADER = """
    import json, os, sys, time, urllib.request, psycopg
    metadata = urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
    arn = json.load(metadata)["TaskARN"]
    db = psycopg.connect(os.environ["LOCARIA_DSN"], autocommit=True)
    task = db.execute(
        "select task_id from locaria.start_task('echo', %s, %s, %s)",
        [arn, int(os.environ["LOCARIA_DISPATCH"]), int(os.environ["LOCARIA_LAUNCH"])],
    ).fetchone()[0]
    while True:
        row = db.execute(
            "select run_id, attributes from locaria.claim_files(%s)", [task]
        ).fetchone()
        if row is None:
            what, for_s = db.execute(
                "select what, for_s from locaria.wait_for_files(%s, %s, '0')",
                [task, os.environ["LOCARIA_XACT"]],
            ).fetchone()
            if what == "leave":
                break
            time.sleep(min(for_s, 0.05) if what == "wait" else 0)
            continue
        if row[1].get("stay"):
            time.sleep(600)
        db.execute("select locaria.finish_run(%s)", [row[0]])
"""
SERVE = """
    import sys
    from pathlib import Path
    from locaria.local.daemon import log_to, serve
    from locaria.local.runtime import Runtime
    folder = Path(sys.argv[1])
    log_to(folder / "state" / "locaria.log")
    runtime = Runtime(
        folder / "state", sys.argv[3] or None, bin_dir=sys.argv[2] or None, durable=False,
        containers_dir=folder / "containers", lambda_dir=Path(sys.argv[4]), tick_every_s=0.2,
        http_port=0,
    )
    serve(runtime, lambda started: print("ready", flush=True))
"""


class Up:
    """A runtime as a process of its own, in a folder of the test's own."""

    def __init__(self, folder: Path, dsn: str = "") -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self._dsn = dsn
        self._process: subprocess.Popen[str] | None = None
        container = folder / "containers" / "echo"
        container.mkdir(parents=True)
        (container / "loader.py").write_text(textwrap.dedent(LOADER))
        entry = {"entry_point": ["python", "loader.py"], "type": "loader", "stop_timeout": 1}
        (container.parent / "dockers.json").write_text(json.dumps({"echo": entry}))

    def start(self) -> None:
        arguments = [self.folder, BIN_DIR or "", self._dsn, LAMBDA]
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SERVE), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said == "ready\n", (self.state_dir / "locaria.log").read_text()

    def signal(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        dsn = read_status(self.state_dir)["dsn"]
        return psycopg.connect(dsn, autocommit=True, row_factory=dict_row)

    def insert(self, attributes: str = "{}") -> int:
        with self.connect() as connection:
            row = connection.execute(
                "insert into locaria.files (container, attributes) values ('echo', %s) "
                "returning id",
                [attributes],
            ).fetchone()
        assert row is not None
        return int(row["id"])

    def await_row(self, file_id: int, query: str) -> dict[str, Any]:
        """The row of a query about a file, as soon as there is one."""
        with self.connect() as connection:
            for _ in range(600):
                row = connection.execute(query.encode(), [file_id]).fetchone()
                if row is not None:
                    return row
                connection.execute("select pg_sleep(0.05)")
            said = connection.execute("select * from locaria.explain(%s)", [file_id]).fetchall()
        raise AssertionError(f"{said}\n{(self.state_dir / 'locaria.log').read_text()}")

    def await_done(self, file_id: int) -> None:
        self.await_row(
            file_id, "select from locaria.files where id = %s and status = 'FARGATE_PROCESSED'"
        )

    def task_process(self) -> int:
        files = (self.state_dir / "ecs" / "tasks").glob("*.json")
        pids = [json.loads(path.read_text())["pid"] for path in files]
        [pid] = [pid for pid in pids if pid is not None]
        return int(pid)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A runtime that is started."""
    up = Up(tmp_path)
    up.start()
    yield up
    shut_down(up.state_dir)
    PostgresServer(up.state_dir / "postgres", bin_dir=BIN_DIR).destroy()


CLAIMED = "select from locaria.runs where file_id = %s and outcome is null"


def test_an_inserted_row_is_taken_to_its_end(up: Up) -> None:
    up.await_done(up.insert())


def test_ctrl_c_stops_everything_and_leaves_no_process(up: Up) -> None:
    file_id = up.insert('{"stay": true}')
    up.await_row(file_id, CLAIMED)
    left = [up.task_process(), PostgresServer(up.state_dir / "postgres", bin_dir=BIN_DIR).pid]
    assert up.signal(signal.SIGINT) == 0
    assert [pid for pid in left if pid is not None and processes.is_alive(pid)] == []
    assert read_status(up.state_dir)["state"] == "stopped"


def test_after_kill_9_the_next_start_recovers(up: Up) -> None:
    file_id = up.insert('{"stay": true}')
    up.await_row(file_id, CLAIMED)
    loader = up.task_process()
    up.signal(signal.SIGKILL)
    assert read_status(up.state_dir)["state"] == "crashed"
    assert processes.is_alive(loader)
    up.start()
    assert not processes.is_alive(loader)
    up.await_row(file_id, "select from locaria.tasks where %s > 0 and stop_code is not null")
    up.await_done(up.insert())


def test_down_ends_what_a_killed_runtime_left(up: Up) -> None:
    file_id = up.insert('{"stay": true}')
    up.await_row(file_id, CLAIMED)
    loader = up.task_process()
    up.signal(signal.SIGKILL)
    assert shut_down(up.state_dir)
    assert not processes.is_alive(loader)
    assert PostgresServer(up.state_dir / "postgres", bin_dir=BIN_DIR).pid is None


def test_a_second_up_says_how_to_stop_the_first(up: Up) -> None:
    command = [sys.executable, "-m", "locaria.cli", "up", "--state-dir", up.state_dir]
    second = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert second.returncode == 1
    assert f"locaria down --state-dir {up.state_dir}" in second.stderr


def test_postgres_that_crashed_is_started_again(up: Up) -> None:
    PostgresServer(up.state_dir / "postgres", bin_dir=BIN_DIR).stop("immediate")
    command = [sys.executable, "-m", "locaria.cli", "status", "--json", "--state-dir", up.state_dir]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(said.stdout)["state"] == "running"
    server = PostgresServer(up.state_dir / "postgres", bin_dir=BIN_DIR).start()
    assert server.pid is not None
    up.await_done(up.insert())


def test_it_runs_on_a_given_database(pg_server: PostgresServer, tmp_path: Path) -> None:
    with psycopg.connect(pg_server.dsn, autocommit=True) as connection:
        connection.execute("create database given")
    up = Up(tmp_path, pg_server.dsn_for("given"))
    up.start()
    try:
        up.await_done(up.insert())
    finally:
        assert up.signal(signal.SIGTERM) == 0
    assert pg_server.pid is not None


def test_the_web_server_comes_back_at_its_address_when_it_dies(up: Up) -> None:
    status = read_status(up.state_dir)
    assert status["ws"] == status["http"].replace("http", "ws", 1) + "/ws"
    pids = _web_processes(up)
    os.kill(pids[0], signal.SIGKILL)
    with urllib.request.urlopen(f"{status['http']}/live", timeout=30) as reply:
        assert reply.status == 200
    assert _web_processes(up) != pids


def test_the_web_server_ends_with_a_killed_runtime(up: Up) -> None:
    [pid] = _web_processes(up)
    up.signal(signal.SIGKILL)
    assert processes.wait_gone(pid, timeout_s=20)


def _web_processes(up: Up) -> list[int]:
    """The processes of this runtime that serve: its children, as the system knows them."""
    parent = read_status(up.state_dir)["pid"]
    children = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for path in children for pid in path.read_text().split()]
    return [pid for pid in pids if "locaria.web" in processes.command_line(pid)]


STUCK = """
    import logging, threading
    from locaria.local.daemon import serve
    logging.basicConfig()
    class Stuck:
        def __enter__(self):
            print("starting", flush=True)
            threading.Event().wait()
        def __exit__(self, *_):
            pass
        def stop_now(self):
            pass
    serve(Stuck(), leave_start_after_s=0.1)
"""


def test_a_start_that_does_not_come_to_its_end_is_left_when_it_is_told_to_stop() -> None:
    command = [sys.executable, "-c", textwrap.dedent(STUCK)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the start does not come to its end" in said
