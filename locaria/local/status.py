"""How the local runtime of a state directory is: written by it, read by everybody else."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from locaria.local import processes
from locaria.local.postgres.server import PostgresServer
from locaria.local.private_file import PrivateFile

STATUS_FILE = "runtime.json"
LOG_FILE = "locaria.log"
EMPTY_STATUS: dict[str, Any] = {
    "state": "stopped",
    "pid": None,
    "dsn": None,
    "http": None,
    "ws": None,
    "ingest": None,
    "listeners": {},
    "ecs": None,
    "postgres": None,
}


def read_status(state_dir: Path) -> dict[str, Any]:
    """How the runtime is: `state` is starting, running, stopping, stopped or crashed."""
    said = PrivateFile(state_dir / STATUS_FILE).load()
    if not said:
        return dict(EMPTY_STATUS)
    mark = said.pop("mark", None)
    if mark is None or processes.start_time(said["pid"]) != mark:
        return EMPTY_STATUS | {"state": "crashed"}
    return EMPTY_STATUS | said


def shut_down(state_dir: Path, timeout_s: float = 150.0) -> bool:
    """Stop the runtime on `state_dir` and whatever a crashed one left; False if it lives on.

    150 seconds are more than the longest stopTimeout that ECS allows a container (120).
    """
    status = read_status(state_dir)
    if status["pid"] is not None:
        os.kill(status["pid"], signal.SIGTERM)
        if not processes.wait_gone(status["pid"], timeout_s):
            return False
    _end_left_tasks(state_dir)
    if (state_dir / "postgres" / "cluster").exists():
        PostgresServer(state_dir / "postgres").stop()
    return True


def _end_left_tasks(state_dir: Path) -> None:
    """End the processes of a crashed runtime's tasks; the next start tells that they stopped."""
    for path in (state_dir / "ecs" / "tasks").glob("*.json"):
        task = PrivateFile(path).load()
        pid, mark = task["pid"], task["process_mark"]
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid is None or mark is None or processes.start_time(pid) != mark:
                break
            os.killpg(pid, number)
            processes.wait_gone(pid, timeout_s=5)


def await_running(state_dir: Path, pid: int, timeout_s: float) -> bool:
    """Wait until the runtime of process `pid` is up; False when it ended or takes too long."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = read_status(state_dir)
        if status["pid"] == pid and status["state"] == "running":
            return True
        if not processes.is_alive(pid):
            return False
        time.sleep(0.05)
    return False
