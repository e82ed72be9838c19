"""One suite over our ECS and moto's, judged by botocore's model of the real one."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape
from moto import mock_aws

from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import TaskDefinition

MODEL = botocore.session.get_session().get_service_model("ecs")
PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "double": float,
    "timestamp": datetime,
    "list": list,
    "structure": dict,
    "map": dict,
}


def check_shape(value: Any, shape: Shape, path: str = "") -> None:
    """Assert that every member exists in the model and has its type and one of its enum values."""
    assert isinstance(value, PYTHON_TYPES[shape.type_name]), f"{path}: {value!r}"
    if isinstance(shape, StructureShape):
        unknown = set(value) - set(shape.members) - {"ResponseMetadata"}
        assert not unknown, f"{path} has {unknown}, which ECS does not know"
        for name in set(value) & set(shape.members):
            check_shape(value[name], shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            check_shape(item, shape.member, f"{path}[]")
    elif getattr(shape, "enum", None):
        assert value in shape.enum, f"{path}: {value!r} is not one of {shape.enum}"


class Side:
    """A client of one of the two, with the cluster `locaria` and the task definition `work`."""

    def __init__(self, client: Any, network: dict[str, Any], ecs: LocalEcs | None) -> None:
        self.client = client
        self.network = {"awsvpcConfiguration": network}
        self.ecs = ecs

    def run(self, **more: Any) -> Any:
        request = {
            "cluster": "locaria",
            "taskDefinition": "work",
            "launchType": "FARGATE",
            "networkConfiguration": self.network,
        }
        request |= more
        return self.client.run_task(**{k: v for k, v in request.items() if v is not None})


def ours(folder: Path) -> Iterator[Side]:
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    definition = TaskDefinition("work", command, folder, stop_timeout=1)
    ecs = LocalEcs(folder / "state", {definition.family: definition}, lambda event: None)
    ecs.start()
    client = boto3.client(
        "ecs",
        endpoint_url=ecs.url,
        region_name="local",
        aws_access_key_id="-",
        aws_secret_access_key="-",
    )
    yield Side(client, {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}, ecs)
    ecs.stop(timeout_s=1)


def motos(monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "-")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "-")
    with mock_aws():
        client = boto3.client("ecs", region_name="eu-west-1")
        ec2 = boto3.client("ec2", region_name="eu-west-1")
        client.create_cluster(clusterName="locaria")
        client.register_task_definition(
            family="work",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "work", "image": "work", "cpu": 256, "memory": 512}],
        )
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        yield Side(client, {"subnets": [subnet], "securityGroups": [group]}, None)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Side]:
    """Our own ECS, for what moto does not do (clientToken, limits, failures, MISSING)."""
    yield from ours(tmp_path)


@pytest.fixture(params=["ours", "moto"])
def side(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Side]:
    """Both, one after the other."""
    yield from ours(tmp_path) if request.param == "ours" else motos(monkeypatch)


def error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def test_run_task_starts_as_many_as_asked_for(side: Side) -> None:
    response = side.run(count=2, startedBy="locaria-1-1")
    assert response["failures"] == []
    assert len({task["taskArn"] for task in response["tasks"]}) == 2
    assert {task["startedBy"] for task in response["tasks"]} == {"locaria-1-1"}
    assert {task["containers"][0]["name"] for task in response["tasks"]} == {"work"}


def test_overrides_are_shown_as_they_were_given(side: Side) -> None:
    override = {"name": "work", "environment": [{"name": "LOCARIA_DISPATCH", "value": "1"}]}
    response = side.run(overrides={"containerOverrides": [override]})
    assert response["tasks"][0]["overrides"]["containerOverrides"] == [override]


def test_list_tasks_finds_by_started_by(side: Side) -> None:
    arn = side.run(startedBy="locaria-1-1")["tasks"][0]["taskArn"]
    side.run(startedBy="locaria-2-1")
    found = side.client.list_tasks(cluster="locaria", startedBy="locaria-1-1")
    assert found["taskArns"] == [arn]


def test_stop_task_keeps_the_reason(side: Side) -> None:
    arn = side.run()["tasks"][0]["taskArn"]
    stopped = side.client.stop_task(cluster="locaria", task=arn, reason="enough")
    assert stopped["task"]["desiredStatus"] == "STOPPED"
    assert stopped["task"]["stoppedReason"] == "enough"


def test_describe_clusters_knows_the_cluster(side: Side) -> None:
    response = side.client.describe_clusters(clusters=["locaria"])
    assert response["clusters"][0]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cluster": "nowhere"}, "ClusterNotFoundException"),
        ({"taskDefinition": "unknown"}, "ClientException"),
        ({"networkConfiguration": None}, "InvalidParameterException"),
    ],
)
def test_wrong_requests_are_typed_errors(side: Side, change: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        side.run(**change)
    assert error_code(caught.value) == code
    assert isinstance(caught.value, getattr(side.client.exceptions, code))


@pytest.mark.parametrize(
    "change",
    [
        {"count": 11},
        {"count": 0},
        {"startedBy": "x" * 129},
        {"startedBy": "a b"},
        {"clientToken": "x" * 65},
        {"overrides": {"containerOverrides": [{"name": "work", "command": ["x" * 8200]}]}},
        {"overrides": {"containerOverrides": [{"name": "other"}]}},
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]},
        {"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
    ],
)
def test_limits_are_those_of_the_real_one(local: Side, change: dict[str, Any]) -> None:
    with pytest.raises(local.client.exceptions.InvalidParameterException):
        local.run(**change)


def test_unknown_tasks_are_missing(local: Side) -> None:
    arn = "arn:aws:ecs:local:000000000000:task/locaria/" + "0" * 32
    response = local.client.describe_tasks(cluster="locaria", tasks=[arn])
    assert response["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_a_conflict_names_the_tasks(local: Side) -> None:
    arn = local.run(clientToken="t")["tasks"][0]["taskArn"]
    with pytest.raises(local.client.exceptions.ConflictException) as caught:
        local.run(clientToken="t", count=2)
    assert caught.value.response["resourceIds"] == [arn]


def test_every_answer_has_the_shape_of_botocores_model(local: Side) -> None:
    """Asked without boto3, whose parser drops what the model does not know."""
    ecs = local.ecs
    assert ecs is not None
    request = {
        "cluster": "locaria",
        "taskDefinition": "work",
        "networkConfiguration": local.network,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "startedBy": "locaria-1-1",
        "count": 2,
    }
    run = ecs.run_task(request)
    arns = [task["taskArn"] for task in run["tasks"]]
    answers = {
        "RunTask": run,
        "StopTask": ecs.stop_task({"cluster": "locaria", "task": arns[0]}),
        "DescribeTasks": ecs.describe_tasks({"cluster": "locaria", "tasks": [*arns, "0" * 32]}),
        "ListTasks": ecs.list_tasks({"cluster": "locaria", "maxResults": 1}),
        "DescribeClusters": ecs.describe_clusters({"clusters": ["locaria", "nowhere"]}),
        "DescribeTaskDefinition": ecs.describe_task_definition({"taskDefinition": "work"}),
    }
    for operation, answer in answers.items():
        shape = MODEL.operation_model(operation).output_shape
        assert shape is not None
        check_shape(answer, shape, operation)


def test_an_event_tells_a_task_in_the_words_of_the_api(local: Side) -> None:
    arn = local.run()["tasks"][0]["taskArn"]
    assert local.ecs is not None
    event = json.loads(json.dumps(local.ecs._tasks[arn.rpartition("/")[2]].event()))
    assert {key: event[key] for key in ("version", "source", "detail-type", "resources")} == {
        "version": "0",
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "resources": [arn],
    }
    known = set(MODEL.shape_for("Task").members) | {"updatedAt"}
    assert set(event["detail"]) <= known
    assert "stopCode" not in event["detail"]
