"""Running tasks as processes: start, watch, stop, and find again after a crash."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locaria.launch.launchers import Launcher
from locaria.local import processes
from locaria.local.aws.ecs.model import ACTIVE, Task, TaskDefinition

log = logging.getLogger(__name__)
LOST = "The local runtime that ran this task was killed."


class TaskRunner:
    """Takes a task through its life: PROVISIONING, PENDING, RUNNING, DEPROVISIONING, STOPPED.

    Parameters
        folder       where each task's state and log are kept.
        secrets      environment variables of every task that must not show in any API or argv.
        on_change    called with the EventBridge event of every change of status.
        metadata_url of a task's id: the value of ECS_CONTAINER_METADATA_URI_V4.
        launcher     how a container is run.
    """

    def __init__(
        self,
        folder: Path,
        secrets: Mapping[str, str],
        on_change: Callable[[dict[str, Any]], None],
        metadata_url: Callable[[str], str],
        launcher: Launcher,
    ) -> None:
        self._folder = folder
        self._secrets = dict(secrets)
        self._on_change = on_change
        self._metadata_url = metadata_url
        self._launcher = launcher
        self._lock = threading.RLock()
        self._watchers: dict[str, threading.Thread] = {}
        self._stop_asked: set[str] = set()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self, task: Task, definition: TaskDefinition) -> None:
        """Run the task in the background."""
        watcher = threading.Thread(
            target=self._live, args=(task, definition), name=f"task-{task.id[:8]}"
        )
        with self._lock:
            self._watchers[task.id] = watcher
        watcher.start()

    def accept(self, task: Task) -> None:
        """Remember a task that RunTask made, before it is started."""
        with self._lock:
            task.save(self._folder)

    def announce(self, task: Task) -> None:
        """Tell the task's present status."""
        self._on_change(task.event())

    def stop(self, task: Task, code: str, reason: str, timeout_s: float) -> None:
        """Ask the task to end: SIGTERM, and SIGKILL after `timeout_s` seconds."""
        with self._lock:
            if task.status not in ACTIVE or task.id in self._stop_asked:
                return
            self._stop_asked.add(task.id)
            now = datetime.now(UTC)
            facts = {"desiredStatus": "STOPPED", "stoppingAt": now}
            task.change(**facts, stopCode=code, stoppedReason=reason)
            self._keep(task)
            if task.status != "RUNNING":
                self._end(task)
                return
            if task.pid is None:
                return  # it has just ended by itself
            _signal_group(task.pid, signal.SIGTERM)
        killer = threading.Timer(timeout_s, self._kill, args=(task,))
        killer.daemon = True
        killer.start()

    def kill_all(self) -> None:
        """SIGKILL for every process at once."""
        for task_id in list(self._watchers):
            path = self._folder / f"{task_id}.json"
            if path.exists():
                self._kill(Task.load(path))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all tasks have ended; False when some live on after `timeout_s` seconds."""
        watchers = list(self._watchers.values())
        for watcher in watchers:
            watcher.join(timeout_s)
        return not any(watcher.is_alive() for watcher in watchers)

    def log_path(self, task_id: str) -> Path:
        """The file with what a task printed."""
        return self._folder / f"{task_id}.log"

    def recover(self) -> list[Task]:
        """All tasks that files tell of; those that a killed runtime left are ended, and it's told.

        A process is ours only if it is the one that had this id at this time of start.
        """
        tasks = [Task.load(path) for path in sorted(self._folder.glob("*.json"))]
        for task in tasks:
            if task.status != "STOPPED":
                self._end_leftover(task)
        return tasks

    def forget(self, task: Task) -> None:
        """Delete the files of a task."""
        (self._folder / f"{task.id}.json").unlink(missing_ok=True)
        self.log_path(task.id).unlink(missing_ok=True)

    def _keep(self, task: Task) -> None:
        """Note how a task is now. It goes on without: only after a crash would that be missed."""
        try:
            task.save(self._folder)
        except OSError as error:
            log.error("task %s: can't keep that it is %s: %s", task.id, task.status, error)

    # -- one task --------------------------------------------------------------------------------

    def _live(self, task: Task, definition: TaskDefinition) -> None:
        try:
            self._run(task, definition)
        finally:
            with self._lock:
                self._watchers.pop(task.id, None)

    def _run(self, task: Task, definition: TaskDefinition) -> None:
        self.announce(task)
        if not self._advance(task, "PENDING", pullStartedAt=datetime.now(UTC)):
            return
        with self._lock:
            if task.status != "PENDING":
                return
            try:
                process = self._spawn(task, definition)
            except (OSError, subprocess.SubprocessError) as error:
                reason = f"CannotStartContainerError: {error}"
                task.container["reason"] = reason
                self.fail_start(task, reason)
                return
            task.pid = process.pid
            task.process_mark = processes.start_time(process.pid)
            now = datetime.now(UTC)
            task.change(lastStatus="RUNNING", startedAt=now, pullStoppedAt=now)
            self._keep(task)
            self.announce(task)
        self._watch(task, process)

    def _advance(self, task: Task, status: str, **facts: Any) -> bool:
        with self._lock:
            if task.status not in ACTIVE:
                return False
            task.change(lastStatus=status, **facts)
            self._keep(task)
            self.announce(task)
        return True

    def fail_start(self, task: Task, reason: str, *, with_container: bool = True) -> None:
        """End a task that never ran, as ECS does: without an exit code."""
        with self._lock:
            if not with_container:
                task.facts["containers"] = []
            facts = {"stopCode": "TaskFailedToStart", "stoppedReason": reason}
            task.change(desiredStatus="STOPPED", stoppingAt=datetime.now(UTC), **facts)
            self._end(task)

    def _spawn(self, task: Task, definition: TaskDefinition) -> subprocess.Popen[bytes]:
        log_path = self.log_path(task.id)
        override = task.facts["overrides"]["containerOverrides"][0]
        launch = self._launcher.launch(
            task.id, definition, override.get("command", []), self._variables(task, definition)
        )
        with log_path.open("ab") as output:
            log_path.chmod(0o600)
            return subprocess.Popen(
                launch.command,
                cwd=definition.folder,
                env=launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _variables(self, task: Task, definition: TaskDefinition) -> dict[str, str]:
        """The environment that a container is given, wherever it runs."""
        environment = {"PYTHONUNBUFFERED": "1"} | dict(definition.environment)
        override = task.facts["overrides"]["containerOverrides"][0]
        environment |= {each["name"]: each["value"] for each in override.get("environment", [])}
        if not _is_free(environment.get("LOCARIA_PORT", "0")):
            environment["LOCARIA_PORT"] = "0"
        environment["ECS_CONTAINER_METADATA_URI_V4"] = self._metadata_url(task.id)
        return environment | self._secrets

    def _watch(self, task: Task, process: subprocess.Popen[bytes]) -> None:
        # As with a container, whatever the first process started ends with it. Done before its id
        # is given back to the system, so that the signal can't reach a stranger.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            _signal_group(process.pid, signal.SIGKILL)
            status = process.wait()
            task.pid = None
        code = status if status >= 0 else 128 - status
        ending = self._launcher.end(task.id, code)
        with self._lock:
            if not ending.started:
                said = ending.reason or self._last_line(task.id)
                task.container["reason"] = f"CannotStartContainerError: {said}"
                self.fail_start(task, task.container["reason"])
                return
            task.container["exitCode"] = code
            if ending.reason is not None:
                task.container["reason"] = ending.reason
            if task.facts.get("stopCode") is None:
                reason = "Essential container in task exited"
                task.change(
                    desiredStatus="STOPPED",
                    stoppingAt=datetime.now(UTC),
                    stopCode="EssentialContainerExited",
                    stoppedReason=reason,
                )
            self._end(task)

    def _last_line(self, task_id: str) -> str:
        """What was printed last, of what says something."""
        lines = self.log_path(task_id).read_text(errors="replace").splitlines()
        told = [line for line in lines if line.strip() and not line.startswith(("Run '", "See '"))]
        return told[-1][:500] if told else "no reason was given"

    def _end(self, task: Task) -> None:
        """The last two steps of every life."""
        now = datetime.now(UTC)
        task.change(lastStatus="DEPROVISIONING", executionStoppedAt=now)
        self.announce(task)
        task.pid = None
        task.change(lastStatus="STOPPED", stoppedAt=datetime.now(UTC))
        self._keep(task)
        self._stop_asked.discard(task.id)
        self.announce(task)

    def _kill(self, task: Task) -> None:
        with self._lock:
            if task.pid is not None and processes.start_time(task.pid) == task.process_mark:
                _signal_group(task.pid, signal.SIGKILL)

    def _end_leftover(self, task: Task) -> None:
        pid, mark = task.pid, task.process_mark
        if pid is not None and mark is not None and processes.start_time(pid) == mark:
            log.warning("ending process %s, left over of task %s", pid, task.id)
            _signal_group(pid, signal.SIGTERM)
            if not processes.wait_gone(pid, timeout_s=5):
                _signal_group(pid, signal.SIGKILL)
                processes.wait_gone(pid, timeout_s=5)
        self._launcher.end(task.id)
        with self._lock:
            facts = {"stopCode": "InfrastructureHealth", "stoppedReason": LOST}
            task.change(desiredStatus="STOPPED", stoppingAt=datetime.now(UTC), **facts)
            self._end(task)


def _is_free(port: str) -> bool:
    """Whether this machine, which all tasks share here, has the port left."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError:
            return False
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
