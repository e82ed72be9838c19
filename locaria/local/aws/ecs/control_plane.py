"""A local ECS: RunTask and what belongs to it, with containers run as processes."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from locaria.launch.launchers import Launcher, ProcessLauncher
from locaria.local.aws.ecs.api import EcsApi
from locaria.local.aws.ecs.checks import check_run_task
from locaria.local.aws.ecs.client_tokens import ClientTokens
from locaria.local.aws.ecs.descriptions import cluster_described, task_metadata
from locaria.local.aws.ecs.faults import Script, scripted_error
from locaria.local.aws.ecs.model import (
    ARN,
    EcsError,
    Task,
    TaskDefinition,
    cluster_arn,
    new_task,
    task_arn,
)
from locaria.local.aws.ecs.tasks import TaskRunner
from locaria.local.database import StoppedError

log = logging.getLogger(__name__)
Shape = dict[str, Any]
_SHUTTING_DOWN = "The local runtime is shutting down."
_TELL_S = 2.0  # for the next event to be taken, at the end
_DESCRIBABLE = timedelta(hours=1)  # ECS: stopped tasks are shown for at least an hour


class LocalEcs:
    """One ECS control plane with one cluster, on 127.0.0.1.

    Parameters
        state_dir    where tasks, their logs and client tokens are kept.
        definitions  the task definitions by family.
        on_event     called, one after the other, with every "ECS Task State Change" event.
        secrets      environment variables for all tasks that no API shows.
        access_key   AWS access key id that callers must sign with; None admits everybody.
        mark         how the ids of its tasks begin, in hexadecimal digits.
        launcher     how a container is run; None: its entry point, as a process.
    """

    def __init__(
        self,
        state_dir: Path,
        definitions: Mapping[str, TaskDefinition],
        on_event: Callable[[Shape], None],
        *,
        secrets: Mapping[str, str] | None = None,
        cluster: str = "locaria",
        access_key: str | None = None,
        port: int = 0,
        mark: str = "",
        launcher: Launcher | None = None,
    ) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._mark = mark
        self.script = Script()
        self.cluster = cluster
        self._definitions = {d.arn: d for d in definitions.values()}
        self._latest = dict(definitions)
        self._lock = threading.RLock()
        self._stopping = False
        self._tasks: dict[str, Task] = {}
        self._tokens = ClientTokens(state_dir / "client_tokens.json", self._tasks.get)
        self._on_event = on_event
        self._events: queue.SimpleQueue[Shape | None] = queue.SimpleQueue()
        self._teller = threading.Thread(target=self._tell, name="ecs-events")
        self._api = EcsApi(self, access_key, port)
        self._runner = TaskRunner(
            state_dir / "tasks",
            secrets or {},
            self._events.put,
            self._metadata_url,
            launcher or ProcessLauncher(),
        )

    @property
    def url(self) -> str:
        """What boto3 takes as AWS_ENDPOINT_URL_ECS."""
        return self._api.url

    def start(self) -> None:
        """Serve; end the tasks that a killed runtime left, and tell that they stopped."""
        self._teller.start()
        for task in self._runner.recover():
            self._tasks[task.id] = task
        self._forget_old()
        self._api.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop all tasks (SIGTERM, then SIGKILL) and the API; tell all events that are taken soon.

        Of those that are not, the leases of what the tasks worked on make up for.
        """
        self._api.stop()
        with self._lock:
            self._stopping = True  # a call that is still being answered starts nothing any more
            for task in self._tasks.values():
                definition = self._definitions.get(task.definition)
                limit = definition.stop_timeout if definition else 30.0
                limit = limit if timeout_s is None else min(limit, timeout_s)
                self._runner.stop(task, "ServiceSchedulerInitiated", _SHUTTING_DOWN, limit)
        self._runner.wait()
        self._events.put(None)
        left = -1
        while self._teller.is_alive() and left != (left := self._events.qsize()):
            self._teller.join(_TELL_S)

    def kill_tasks(self) -> None:
        """SIGKILL for all tasks at once, for somebody who can't wait for `stop`."""
        self._runner.kill_all()

    def interrupt(self, task_arn: str) -> None:
        """Take a task away as Fargate Spot does: SIGTERM, then SIGKILL after its stopTimeout."""
        task = self._find(task_arn)
        definition = self._definitions[task.definition]
        reason = "Your Spot Task was interrupted."
        self._runner.stop(task, "SpotInterruption", reason, definition.stop_timeout)

    def log_path(self, task_arn: str) -> Path:
        """The file with what a task printed."""
        return self._runner.log_path(task_arn.rpartition("/")[2])

    # -- operations, each from its request shape to its response shape -----------------------------

    def run_task(self, request: Shape) -> Shape:
        """RunTask."""
        cluster = self._check_cluster(request)
        definition = self._definition(request["taskDefinition"])
        check_run_task(request, definition)
        with self._lock:
            if self._stopping:
                raise EcsError("ServerException", _SHUTTING_DOWN)
            known = self._tokens.answer(cluster, request)
            if known is not None:
                tasks = [self._tasks[i] for i in known.task_ids if i in self._tasks]
                return {"tasks": [task.describe() for task in tasks], "failures": known.failures}
            fault = self.script.for_call("RunTask")
            if "error" in fault and not fault.get("after"):
                raise scripted_error(fault)
            return self._launch(cluster, definition, request, fault)

    def _launch(
        self, cluster: str, definition: TaskDefinition, request: Shape, fault: Shape
    ) -> Shape:
        self._forget_old()
        failures: list[Shape] = fault.get("failures", [])
        count = max(0, request.get("count", 1) - len(failures))
        tasks = [new_task(definition, cluster, request, self._mark) for _ in range(count)]
        self._accept(tasks, cluster, request, failures)
        answer = {"tasks": [task.describe() for task in tasks], "failures": failures}
        for task in tasks:
            self._begin(task, definition)
        if "error" in fault:
            raise scripted_error(fault)
        return answer

    def _accept(
        self, tasks: list[Task], cluster: str, request: Shape, failures: list[Shape]
    ) -> None:
        """Keep what RunTask made. Without a disk there is no task, and who asked is told so."""
        try:
            for task in tasks:
                self._tasks[task.id] = task
                self._runner.accept(task)
            self._tokens.store(cluster, request, [task.id for task in tasks], failures)
        except OSError:
            for task in tasks:
                self._tasks.pop(task.id, None)
                self._runner.forget(task)
            raise

    def _begin(self, task: Task, definition: TaskDefinition) -> None:
        fault = self.script.for_start()
        if not fault:
            self._runner.start(task, definition)
            return
        self._runner.announce(task)
        if fault["start"] == "fails":
            reason = fault.get("reason", "CannotPullContainerError: pull image manifest: not found")
            self._runner.fail_start(task, reason, with_container=fault.get("containers", False))

    def stop_task(self, request: Shape) -> Shape:
        """StopTask."""
        self._check_cluster(request)
        task = self._find(request["task"])
        definition = self._definitions[task.definition]
        reason = request.get("reason") or "Task stopped by user"
        self._runner.stop(task, "UserInitiated", reason, definition.stop_timeout)
        return {"task": task.describe()}

    def describe_tasks(self, request: Shape) -> Shape:
        """DescribeTasks: unknown tasks are failures with the reason MISSING."""
        self._check_cluster(request)
        asked: list[str] = request["tasks"]
        if len(asked) > 100:
            raise EcsError("InvalidParameterException", "Tasks can not exceed 100 items.")
        found = {name: self._tasks.get(name.rpartition("/")[2]) for name in asked}
        missing = [task_arn(self.cluster, name) for name, task in found.items() if task is None]
        return {
            "tasks": [task.describe() for task in found.values() if task is not None],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in missing],
        }

    def list_tasks(self, request: Shape) -> Shape:
        """ListTasks, by startedBy, family and desiredStatus."""
        self._check_cluster(request)
        wanted = request.get("desiredStatus", "RUNNING")
        arns = [
            task.arn
            for task in list(self._tasks.values())
            if task.facts["desiredStatus"] == wanted
            and request.get("startedBy") in (None, task.facts.get("startedBy"))
            and request.get("family") in (None, task.container.get("name"))
        ]
        first = int(request.get("nextToken", 0))
        last = first + request.get("maxResults", 100)
        rest = {"nextToken": str(last)} if last < len(arns) else {}
        return {"taskArns": arns[first:last], **rest}

    def describe_clusters(self, request: Shape) -> Shape:
        """DescribeClusters."""
        asked = request.get("clusters") or ["default"]
        missing = [name for name in asked if name.rpartition("/")[2] != self.cluster]
        statuses = [task.status for task in list(self._tasks.values())]
        described = cluster_described(self.cluster, statuses)
        return {
            "clusters": [described] if len(missing) < len(asked) else [],
            "failures": [{"arn": cluster_arn(name), "reason": "MISSING"} for name in missing],
        }

    def describe_task_definition(self, request: Shape) -> Shape:
        """DescribeTaskDefinition."""
        try:
            definition = self._definition(request["taskDefinition"])
        except EcsError as error:
            raise EcsError("ClientException", "Unable to describe task definition.") from error
        return {"taskDefinition": definition.describe(), "tags": []}

    # -- parts -----------------------------------------------------------------------------------

    def metadata(self, task_id: str) -> Shape | None:
        """What `$ECS_CONTAINER_METADATA_URI_V4/task` tells a task; None for an unknown one."""
        task = self._tasks.get(task_id)
        if task is None:
            return None
        return task_metadata(task, self._definitions[task.definition])

    def _forget_old(self) -> None:
        """Drop the tasks, and their logs, that ECS wouldn't show any more either."""
        now = datetime.now(UTC)
        for task in list(self._tasks.values()):
            stopped_at = task.facts.get("stoppedAt")
            if stopped_at is not None and now - stopped_at > _DESCRIBABLE:
                del self._tasks[task.id]
                self._runner.forget(task)

    def _metadata_url(self, task_id: str) -> str:
        return f"{self.url}/v4/{task_id}"

    def _check_cluster(self, request: Shape) -> str:
        name = str(request.get("cluster") or "default").rpartition("/")[2]
        if name != self.cluster:
            raise EcsError("ClusterNotFoundException", "Cluster not found.")
        return name

    def _definition(self, named: str) -> TaskDefinition:
        """The definition for a family, `family:revision` or an ARN."""
        name = named.rpartition("/")[2]
        found = self._latest.get(name) or self._definitions.get(f"{ARN}:task-definition/{name}")
        if found is None:
            raise EcsError("ClientException", "TaskDefinition not found.")
        return found

    def _find(self, named: str) -> Task:
        task = self._tasks.get(named.rpartition("/")[2])
        if task is None:
            raise EcsError("InvalidParameterException", "The referenced task was not found.")
        return task

    def _tell(self) -> None:
        for event in iter(self._events.get, None):
            try:
                self._on_event(event)
            except StoppedError:
                task, status = event["detail"]["taskArn"], event["detail"]["lastStatus"]
                log.warning("the database was not told: %s is %s", task, status)
            except Exception:
                log.exception("an ECS event could not be told")
