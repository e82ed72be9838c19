"""ECS's nouns: task definitions, tasks and errors, in the shapes of its API and of its events."""

from __future__ import annotations

import copy
import json
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ACCOUNT = "000000000000"
REGION = "local"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
ZONE = "local-a"
STOP_TIMEOUT_S = 30.0  # ECS's default for a container

ACTIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")


class EcsError(Exception):
    """An error that the API answers with; `code` is the name of botocore's exception."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.members = members


@dataclass(frozen=True)
class TaskDefinition:
    """How to run a container here: a command instead of an image.

    Parameters
        family        name of the task definition.
        command       what to run; `python` is the interpreter of the runtime.
        folder        where it runs.
        stop_timeout  seconds from SIGTERM to SIGKILL.
        memory        MiB that it may have where it runs from its image; None: no limit.
        container     name of its one container; that of the family where it is empty.
    """

    family: str
    command: tuple[str, ...]
    folder: Path
    stop_timeout: float = STOP_TIMEOUT_S
    memory: int | None = None
    environment: tuple[tuple[str, str], ...] = ()
    container: str = ""
    revision: int = 1
    registered: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def container_name(self) -> str:
        """The name by which RunTask overrides its container."""
        return self.container or self.family

    @property
    def arn(self) -> str:
        """The ARN with the revision."""
        return f"{ARN}:task-definition/{self.family}:{self.revision}"

    def describe(self) -> dict[str, Any]:
        """The API's shape `TaskDefinition`."""
        return {
            "taskDefinitionArn": self.arn,
            "family": self.family,
            "revision": self.revision,
            "status": "ACTIVE",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "compatibilities": ["EC2", "FARGATE"],
            "cpu": "256",
            "memory": "512",
            "volumes": [],
            "registeredAt": self.registered,
            "containerDefinitions": [
                {
                    "name": self.container_name,
                    "image": f"local/{self.family}",
                    "essential": True,
                    "cpu": 256,
                    "memory": 512,
                    "entryPoint": list(self.command),
                    "stopTimeout": int(self.stop_timeout),
                    "environment": [{"name": k, "value": v} for k, v in self.environment],
                }
            ],
        }


def load_task_definitions(path: Path) -> dict[str, TaskDefinition]:
    """The containers of a `dockers.json`, each as a task definition of the same name.

    Relative to its folder, container `name` lives in `name/`, and its `entry_point` runs there.
    What its image copies is on PYTHONPATH: `modules/`, and the containers that its `modules` name.
    """
    loaded: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return {
        name: _definition(name, entry, path.parent)
        for name, entry in loaded.items()
        if "entry_point" in entry
    }


def _definition(name: str, entry: dict[str, Any], folder: Path) -> TaskDefinition:
    command = [str(word) for word in entry["entry_point"]]
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    return TaskDefinition(
        family=name,
        command=tuple(command),
        folder=folder / name,
        stop_timeout=float(entry.get("stop_timeout", STOP_TIMEOUT_S)),
        memory=entry.get("memory"),
        environment=tuple(_environment(entry, folder)),
    )


def _environment(entry: dict[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    yield "PYTHONPATH", _python_path(entry, folder)
    if "port" in entry:
        yield "LOCARIA_PORT", str(entry["port"])


def _python_path(entry: dict[str, Any], folder: Path) -> str:
    shared = [folder / "modules"]
    shared += [folder / module for module in entry.get("modules", []) if (folder / module).is_dir()]
    ours = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, shared), *([ours] if ours else [])])


@dataclass
class Task:
    """One task. What the API tells about it is in `facts`, in the API's words."""

    id: str
    cluster: str
    definition: str
    facts: dict[str, Any]
    pid: int | None = None
    process_mark: str | None = None

    @property
    def arn(self) -> str:
        """The ARN of the task."""
        return str(self.facts["taskArn"])

    @property
    def status(self) -> str:
        """`lastStatus`."""
        return str(self.facts["lastStatus"])

    @property
    def container(self) -> dict[str, Any]:
        """The facts of its one container; a new, unconnected dict when it has none."""
        containers = self.facts["containers"]
        return containers[0] if containers else {}

    def change(self, **facts: Any) -> None:
        """Change facts; a change of status counts up `version` and is dated."""
        status = facts.get("lastStatus")
        if status is not None and self.facts["containers"]:
            self.container["lastStatus"] = (
                status if status in ("RUNNING", "STOPPED") else self.container["lastStatus"]
            )
        self.facts.update(facts)
        self.facts["version"] += 1
        self.facts["updatedAt"] = datetime.now(UTC)

    def describe(self) -> dict[str, Any]:
        """The API's shape `Task`."""
        return copy.deepcopy({k: v for k, v in self.facts.items() if k != "updatedAt"})

    def event(self) -> dict[str, Any]:
        """The EventBridge event "ECS Task State Change" that tells how the task is now."""
        detail = json.loads(json.dumps(self.facts, default=_iso))
        detail.pop("tags", None)
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": ACCOUNT,
            "time": _iso(datetime.now(UTC).replace(microsecond=0)),
            "region": REGION,
            "resources": [self.arn],
            "detail": detail,
        }

    def save(self, folder: Path) -> None:
        """Write the task to a file, in one step."""
        path = folder / f"{self.id}.json"
        growing = path.with_suffix(".new")
        growing.write_text(json.dumps(vars(self), default=_iso))
        growing.replace(path)

    @classmethod
    def load(cls, path: Path) -> Task:
        """Read what `save` wrote."""
        task = cls(**json.loads(path.read_text()))
        for name, value in task.facts.items():
            if name.endswith("At"):
                task.facts[name] = datetime.fromisoformat(value)
        return task


def new_task(
    definition: TaskDefinition, cluster: str, request: dict[str, Any], mark: str = ""
) -> Task:
    """A task as it is right after RunTask accepted it; its id begins with `mark`."""
    task_id = mark + uuid.uuid4().hex[len(mark) :]
    arn = f"{ARN}:task/{cluster}/{task_id}"
    now = datetime.now(UTC)
    network = request["networkConfiguration"]["awsvpcConfiguration"]
    interface = {"name": "subnetId", "value": network["subnets"][0]}
    strategy = request.get("capacityProviderStrategy")
    facts: dict[str, Any] = {
        "taskArn": arn,
        "taskDefinitionArn": definition.arn,
        "clusterArn": f"{ARN}:cluster/{cluster}",
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "containers": [_new_container(definition, cluster, task_id, arn)],
        "overrides": _overrides(request, definition),
        "attachments": [
            {
                "id": str(uuid.uuid4()),
                "type": "ElasticNetworkInterface",
                "status": "PRECREATED",
                "details": [interface],
            }
        ],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": ZONE,
        "connectivity": "CONNECTED",
        "connectivityAt": now,
        "cpu": "256",
        "memory": "512",
        "ephemeralStorage": {"sizeInGiB": 20},
        "enableExecuteCommand": False,
        "group": request.get("group", f"family:{definition.family}"),
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "createdAt": now,
        "updatedAt": now,
        "tags": request.get("tags", []),
        "version": 1,
    }
    if strategy:
        facts["capacityProviderName"] = strategy[0]["capacityProvider"]
    if request.get("startedBy"):
        facts["startedBy"] = request["startedBy"]
    return Task(task_id, cluster, definition.arn, facts)


def _new_container(
    definition: TaskDefinition, cluster: str, task_id: str, task_arn: str
) -> dict[str, Any]:
    return {
        "containerArn": f"{ARN}:container/{cluster}/{task_id}/{uuid.uuid4()}",
        "taskArn": task_arn,
        "name": definition.container_name,
        "image": f"local/{definition.family}",
        "lastStatus": "PENDING",
        "networkInterfaces": [],
        "cpu": "256",
        "memory": "512",
    }


def _overrides(request: dict[str, Any], definition: TaskDefinition) -> dict[str, Any]:
    given = request.get("overrides") or {}
    containers = given.get("containerOverrides") or [{"name": definition.container_name}]
    return {"inferenceAcceleratorOverrides": [], **given, "containerOverrides": containers}


def task_arn(cluster: str, named: str) -> str:
    """The ARN of a task that is named by it, or by its id."""
    return named if named.startswith("arn:") else f"{ARN}:task/{cluster}/{named}"


def cluster_arn(named: str) -> str:
    """The ARN of a cluster that is named by it, or by its name."""
    return named if named.startswith("arn:") else f"{ARN}:cluster/{named}"


def _iso(value: object) -> str:
    """Times as in events, `2026-01-31T10:00:00.123Z`; paths as text."""
    if isinstance(value, datetime):
        precision = "milliseconds" if value.microsecond else "seconds"
        return value.isoformat(timespec=precision).replace("+00:00", "Z")
    return str(value)
