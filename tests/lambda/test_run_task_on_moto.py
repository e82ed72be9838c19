"""What moto really implements of ECS: a registered task definition, and the lack of one.

It ignores client tokens and never fails a launch; those answers are in test_run_task_answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

Payload = dict[str, Any]


@pytest.fixture
def network() -> Iterator[Payload]:
    """A cluster, a task definition and a network, and the keys of a payload that name them."""
    with mock_aws():
        ec2 = boto3.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        # moto gives a network interface no DNS name without this, and then fails to read it
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)
        ecs = boto3.client("ecs")
        ecs.create_cluster(clusterName="locaria")
        ecs.register_task_definition(
            family="file_loader",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            # moto needs both here, too; ECS does not
            containerDefinitions=[
                {"name": "file_loader", "image": "file_loader", "cpu": 256, "memory": 512}
            ],
        )
        yield {"subnets": [subnet], "security_groups": [group["GroupId"]]}


def test_tasks_run_with_the_environment_that_names_their_dispatch(
    ecs_run_task: ModuleType, payload: Payload, network: Payload
) -> None:
    result = ecs_run_task.handler(payload | network | {"count": 12}, None)
    assert result["launched"] == len(set(result["tasks"])) == 12
    ecs = boto3.client("ecs")
    assert len(ecs.list_tasks(cluster="locaria", startedBy="locaria-17-1")["taskArns"]) == 12
    (task,) = ecs.describe_tasks(cluster="locaria", tasks=result["tasks"][:1])["tasks"]
    assert task["launchType"] == "FARGATE"
    (override,) = task["overrides"]["containerOverrides"]
    assert {each["name"]: each["value"] for each in override["environment"]} == {
        "LOCARIA_CONTAINER": "file_loader",
        "LOCARIA_DISPATCH": "17",
        "LOCARIA_LAUNCH": "1",
        "LOCARIA_XACT": "123456",
    }


def test_tasks_run_on_spot(ecs_run_task: ModuleType, payload: Payload, network: Payload) -> None:
    spot = payload | network | {"capacity_provider": "FARGATE_SPOT"}
    assert ecs_run_task.handler(spot, None)["launched"] == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cluster": "elsewhere"}, "cluster elsewhere does not exist"),
        ({"task": "unknown"}, "task definition unknown is registered and ACTIVE"),
        ({"task": "file_loader:99"}, "task definition file_loader:99 is registered"),
    ],
)
def test_a_wrong_configuration_is_a_permanent_error_that_names_it(
    ecs_run_task: ModuleType, payload: Payload, network: Payload, change: Payload, told: str
) -> None:
    with pytest.raises(ecs_run_task.EcsRunTaskError, match=told) as caught:
        ecs_run_task.handler(payload | network | change, None)
    assert type(caught.value).__name__ == "PermanentLaunchError"


def test_a_started_task_can_be_stopped_twice(
    ecs_run_task: ModuleType, payload: Payload, network: Payload
) -> None:
    task = ecs_run_task.handler(payload | network, None)["tasks"][0]
    stop = {
        "version": 1,
        "action": "stop_task",
        "cluster": "locaria",
        "task_arn": task,
        "reason": "cancelled by alice",
    }
    for _ in range(2):
        assert ecs_run_task.handler(stop, None) == {"task": task, "stopped": True}
    (stopped,) = boto3.client("ecs").describe_tasks(cluster="locaria", tasks=[task])["tasks"]
    assert stopped["stoppedReason"] == "cancelled by alice"
