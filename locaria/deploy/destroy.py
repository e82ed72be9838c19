"""Taking a stage away: the stack goes, the data stay."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws
from locaria.deploy.errors import DeployError, Refused
from locaria.deploy.settings import Settings
from locaria.deploy.stack import TAG, Stack, await_deletion, check_state, delete_stack, read_stack

STOPPED = "stage destroyed"
_NO_CLUSTER = ("ClusterNotFoundException",)
LONGEST_S = 300.0
"""Until a task that was told to stop must have: Fargate kills it after 120 s at the latest."""


@dataclass(frozen=True)
class Destruction:
    """What would go, and what would stay, one line each."""

    goes: list[str]
    stays: list[str]


def plan_destruction(aws: Aws, settings: Settings) -> Destruction | None:
    """What destroying the stage means; None where there is no stack.

    Raises:
        Refused: the stack is not ours, or is being changed.
    """
    stack = read_stack(aws, settings.stack)
    if stack is None:
        return None
    _check(stack, settings)
    kinds: dict[str, int] = {}
    for resource in stack.template.get("Resources", {}).values():
        kind = resource["Type"].removeprefix("AWS::")
        kinds[kind] = kinds.get(kind, 0) + 1
    goes = [f"stack {stack.name}: {count} of {kind}" for kind, count in sorted(kinds.items())]
    running = len(_tasks(aws, settings.stack))
    goes += [f"{running} running tasks, which are stopped: their files wait"] if running else []
    stays = [
        "the database, with every table and file in it; files that come wait for a deployment",
        f"the bucket {settings.stack}-{aws.account}-{aws.region}",
        f"the secrets locaria/{settings.name}/…, and the logins that they open",
    ]
    return Destruction(goes, stays)


def _check(stack: Stack, settings: Settings) -> None:
    if not stack.is_ours:
        raise Refused(
            f"the stack {stack.name} is not Locaria's: it lacks the tag {TAG}={stack.name}"
        )
    if stack.status.endswith("IN_PROGRESS") and stack.status != "DELETE_IN_PROGRESS":
        raise Refused(check_state(stack, settings.name) or "")


def destroy(aws: Aws, settings: Settings, say: Callable[[str], None], poll_s: float = 3.0) -> None:
    """Take the database's role away, stop the tasks, then delete the stack.

    Raises:
        DeployError: AWS could not do it; the same command goes on from there.
    """
    stack = read_stack(aws, settings.stack)
    if stack is None:
        return
    if stack.status == "DELETE_IN_PROGRESS":
        await_deletion(aws, settings.stack, say, poll_s)
        return
    _detach_role(aws, settings, stack, say)
    _stop_tasks(aws, settings.stack, say, poll_s)
    delete_stack(aws, settings.stack, say, poll_s)


def _detach_role(aws: Aws, settings: Settings, stack: Stack, say: Callable[[str], None]) -> None:
    role = stack.outputs.get("DatabaseRoleArn")
    kind, name = ("DBCluster", settings.db_cluster)
    if settings.db_instance:
        kind, name = "DBInstance", settings.db_instance
    if not (role and name):
        return
    try:
        aws.change(
            "rds",
            f"RemoveRoleFrom{kind}",
            **{f"{kind}Identifier": name},
            RoleArn=role,
            FeatureName="Lambda",
        )
    except ClientError as error:
        # Detached already, by an earlier try; whatever else it is, the stack can go.
        say(f"{kind} {name}: {error.response['Error']['Message']}")


def _stop_tasks(aws: Aws, cluster: str, say: Callable[[str], None], poll_s: float) -> None:
    """ECS deletes no cluster on which something runs; nothing new is started any more."""
    deadline = time.monotonic() + LONGEST_S
    told: set[str] = set()
    while tasks := _tasks(aws, cluster):
        for task in tasks:
            if task not in told:
                told.add(task)
                aws.change("ecs", "StopTask", cluster=cluster, task=task, reason=STOPPED)
        if aws.dry_run:
            return
        if time.monotonic() > deadline:
            raise DeployError(f"{len(tasks)} tasks on cluster {cluster} do not stop")
        say(f"waiting for {len(tasks)} tasks to stop")
        time.sleep(poll_s)


def _tasks(aws: Aws, cluster: str) -> list[str]:
    """The tasks that run, or are to run, on the cluster."""
    told = aws.find(_NO_CLUSTER, "ecs", "ListTasks", cluster=cluster, desiredStatus="RUNNING")
    leaving = aws.find(_NO_CLUSTER, "ecs", "ListTasks", cluster=cluster, desiredStatus="STOPPED")
    found = list(told["taskArns"]) if told else []
    return found + _still_there(aws, cluster, list(leaving["taskArns"]) if leaving else [])


def _still_there(aws: Aws, cluster: str, tasks: list[str]) -> list[str]:
    """Which of the tasks that were told to stop have not stopped yet."""
    if not tasks:
        return []
    told = aws.ask("ecs", "DescribeTasks", cluster=cluster, tasks=tasks[:100])["tasks"]
    return [each["taskArn"] for each in told if each["lastStatus"] != "STOPPED"]
