"""The template against AWS's rules: who may do what, as one table; names, limits, what is kept."""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from locaria.deploy.containers import FARGATE_MEMORY_MIB, load_containers
from locaria.deploy.functions import list_functions
from locaria.deploy.settings import STAGE_LENGTH
from locaria.deploy.template import build_template
from locaria.deploy.template_parts import Statement

Resource = dict[str, Any]
LOADER = next(each for each in load_containers() if each.name == "file_loader")
READER = dataclasses.replace(LOADER, name="a_reader", object_store="read", secrets=("API_KEY",))


@pytest.fixture(scope="module")
def resources() -> dict[str, Resource]:
    """The resources of a loader and of one that reads the object store."""
    built = json.loads(build_template([LOADER, READER], list_functions()).to_json())
    found: dict[str, Resource] = built["Resources"]
    return found


def words(value: Any) -> Any:
    """A resource's name in a policy, shortened: where it points, not how it is written."""
    if isinstance(value, list):
        return " ".join(words(each) for each in value)
    if isinstance(value, str):
        return value
    if "Fn::GetAtt" in value:
        return value["Fn::GetAtt"][0]
    text = str(value.get("Ref") or value.get("Fn::Sub"))
    for left_out in ("arn:${AWS::Partition}:", "${AWS::Region}:${AWS::AccountId}:"):
        text = text.replace(left_out, "")
    return text


def rights(role: Resource) -> Iterator[tuple[str, str, str]]:
    """Action, resource and condition of every line of a role's policies."""
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield from lines(statement)


def lines(statement: Statement) -> Iterator[tuple[str, str, str]]:
    actions = statement["Action"]
    told = " ".join(
        f"{k} {words(v)}" for c in statement.get("Condition", {}).values() for k, v in c.items()
    )
    for action in [actions] if isinstance(actions, str) else actions:
        denied = "not " if statement["Effect"] == "Deny" else ""
        yield f"{denied}{action}", words(statement["Resource"]), told


def log(name: str) -> set[tuple[str, str, str]]:
    return {(f"logs:{action}", name, "") for action in ("CreateLogStream", "PutLogEvents")}


def network(name: str) -> set[tuple[str, str, str]]:
    actions = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets")
    actions += ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
    itself = f"lambda:SourceFunctionArn lambda:function:${{Name}}-{name}"
    allowed = {(f"ec2:{action}", "*", "") for action in actions}
    return allowed | {(f"not ec2:{action}", "*", itself) for action in actions}


def execution(name: str, secret: str) -> set[tuple[str, str, str]]:
    pull = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")
    return {
        ("ecr:GetAuthorizationToken", "*", ""),
        *((f"ecr:{action}", f"{name}Repository", "") for action in pull),
        ("secretsmanager:GetSecretValue", secret, ""),
        *log(f"{name}Logs"),
    }


STORE = "s3:::${Bucket}"
PASSED = "iam:PassedToService ecs-tasks.amazonaws.com"
ROLES = "FileLoaderTaskRole FileLoaderExecutionRole AReaderTaskRole AReaderExecutionRole"
CONNECTIONS = " ".join(
    f"execute-api:${{WebsocketGateway}}/v1/{verb}/@connections/*" for verb in ("POST", "DELETE")
)
# Who may do what with what, and when. A new line here is a decision.
MATRIX = {
    "FileLoaderTaskRole": set[tuple[str, str, str]](),
    "FileLoaderExecutionRole": execution("FileLoader", "SecretLocariaDsn"),
    "AReaderTaskRole": {
        ("s3:GetObject", f"{STORE}/objects/*", ""),
        ("s3:ListBucket", STORE, "s3:prefix objects/*"),
    },
    "AReaderExecutionRole": execution("AReader", "SecretApiKey"),
    "EcsRunTaskRole": {
        (
            "ecs:RunTask",
            "ecs:task-definition/${Name}-file_loader:* ecs:task-definition/${Name}-a_reader:*",
            "ecs:cluster Cluster",
        ),
        ("ecs:StopTask", "ecs:task/${Cluster}/*", ""),
        ("iam:PassRole", ROLES, PASSED),
        ("sqs:SendMessage", "Events", ""),
        *log("EcsRunTaskLogs"),
    },
    "TaskEventsRole": {
        ("sqs:ReceiveMessage", "Events", ""),
        ("sqs:DeleteMessage", "Events", ""),
        ("sqs:GetQueueAttributes", "Events", ""),
        ("secretsmanager:GetSecretValue", "LoginEvents", ""),
        *network("taskEvents"),
        *log("TaskEventsLogs"),
    },
    "WebsocketApiRole": {
        ("execute-api:ManageConnections", CONNECTIONS, ""),
        ("secretsmanager:GetSecretValue", "LoginWeb", ""),
        *network("websocketApi"),
        *log("WebsocketApiLogs"),
    },
    "DatabaseRole": {("lambda:InvokeFunction", "lambda:function:${Name}-ecsRunTask", "")},
    "TickRole": {("lambda:InvokeFunction", "lambda:function:${Name}-taskEvents", "")},
}
TRUST = {
    "Task": ("ecs-tasks", "ecs:*"),
    "Execution": ("ecs-tasks", "ecs:*"),
    "Database": ("rds", "rds:*"),
    "Tick": ("scheduler", "scheduler:schedule-group/default"),
}


def test_every_role_may_do_what_stands_in_the_table_and_nothing_else(
    resources: dict[str, Resource],
) -> None:
    roles = {name: set(rights(r)) for name, r in resources.items() if r["Type"] == "AWS::IAM::Role"}
    assert roles == MATRIX


def test_every_role_is_taken_by_its_service_for_this_account_alone(
    resources: dict[str, Resource],
) -> None:
    for name in MATRIX:
        [trust] = resources[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        kind = next((k for k in TRUST if name.endswith(f"{k}Role")), None)
        if kind is None or name == "EcsRunTaskRole":
            assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}, name
            continue
        service, source = TRUST[kind]
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        condition = trust["Condition"]
        assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert words(condition["ArnLike"]["aws:SourceArn"]) == source


def test_policies_that_come_with_a_setting(resources: dict[str, Resource]) -> None:
    files, key = resources["FilesPolicy"], resources["KeyPolicy"]
    assert (files["Condition"], key["Condition"]) == ("HasFiles", "HasKey")
    [reading] = files["Properties"]["PolicyDocument"]["Statement"]
    [(action, where, _)] = lines(reading)
    assert (action, where) == (
        "s3:GetObject",
        "s3:::${FilesBucket}/${FilesPrefix}*",
    )
    [opening] = key["Properties"]["PolicyDocument"]["Statement"]
    via = "kms:ViaService secretsmanager.${AWS::Region}.${AWS::URLSuffix}"
    assert set(lines(opening)) == {("kms:Decrypt", "SecretsKey", via)}
    assert {role["Ref"] for role in key["Properties"]["Roles"]} == {
        name
        for name, allowed in MATRIX.items()
        if any(action == "secretsmanager:GetSecretValue" for action, _, _ in allowed)
    }


def test_queues_take_from_the_rule_alone_and_what_is_undeliverable_is_kept(
    resources: dict[str, Resource],
) -> None:
    for queue in ("Events", "DeadLetters"):
        policy = resources[f"{queue}Policy"]["Properties"]
        assert policy["Queues"] == [{"Ref": queue}]
        [statement] = policy["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert set(lines(statement)) == {("sqs:SendMessage", queue, "aws:SourceArn TaskStateRule")}
    [target] = resources["TaskStateRule"]["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
    permission = resources["WebsocketPermission"]["Properties"]
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert words(permission["SourceArn"]) == "execute-api:${WebsocketGateway}/v1/*"


def test_every_task_definition_has_what_fargate_asks_for() -> None:
    built = json.loads(build_template(load_containers(), list_functions()).to_json())
    for container in load_containers():
        task = built["Resources"][f"{container.logical}Task"]["Properties"]
        assert int(task["Memory"]) in FARGATE_MEMORY_MIB[int(task["Cpu"])], container.name
        assert {"ExecutionRoleArn", "TaskRoleArn", "RuntimePlatform"} <= task.keys()
        [told] = task["ContainerDefinitions"]
        assert told["Essential"]
        assert told["Memory"] <= int(task["Memory"])
        assert told["Cpu"] <= int(task["Cpu"])
        assert 2 <= told["StopTimeout"] <= 120
        assert told["LinuxParameters"] == {"InitProcessEnabled": True}, "SIGTERM reaches the loader"
        # By the group's resource, not by its name: CloudFormation makes the group first.
        group = told["LogConfiguration"]["Options"]["awslogs-group"]
        assert built["Resources"][group["Ref"]]["Type"] == "AWS::Logs::LogGroup"


NAME_LIMITS = {
    "FunctionName": (r"[a-zA-Z0-9_-]+", 64),
    "RepositoryName": (r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*", 256),
    "QueueName": (r"[A-Za-z0-9_-]+", 80),
    "LogGroupName": (r"[.\-_/#A-Za-z0-9]+", 512),
    "ClusterName": (r"[A-Za-z0-9_-]+", 255),
    "Family": (r"[A-Za-z0-9_-]+", 255),
}


def test_the_longest_names_are_ones_that_aws_takes() -> None:
    longest = dataclasses.replace(LOADER, name="a" * 41)
    built = json.loads(build_template([longest], list_functions()).to_json())
    name, seen = "locaria-" + "s" * STAGE_LENGTH, set()
    for title, resource in built["Resources"].items():
        assert len(title) <= 255
        for key, (shape, most) in NAME_LIMITS.items():
            told = resource["Properties"].get(key)
            if told is None:
                continue
            seen.add(key)
            text = name if "Ref" in told else told["Fn::Sub"].replace("${Name}", name)
            assert re.fullmatch(shape, text), text
            assert len(text) <= most
        if resource["Type"] == "AWS::Scheduler::Schedule":
            assert len(f"{name}-tick") <= 64
        assert "RoleName" not in resource["Properties"], "CloudFormation keeps roles within 64"
    assert seen == NAME_LIMITS.keys()
    pattern = built["Parameters"]["Name"]["AllowedPattern"]
    assert re.fullmatch(pattern, name)


def test_data_and_secrets_are_not_in_the_stack(resources: dict[str, Resource]) -> None:
    kinds = {each["Type"].split("::")[1] for each in resources.values()}
    assert not kinds & {"S3", "SecretsManager", "RDS", "DynamoDB", "KMS"}, "destroy keeps them"
    built = json.loads(build_template([LOADER, READER], list_functions()).to_json())
    secrets = {name: p for name, p in built["Parameters"].items() if "AllowedPattern" in p}
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:locaria/test/LOCARIA_DSN"
    for name in ("SecretLocariaDsn", "SecretApiKey", "LoginEvents", "LoginWeb"):
        pattern = secrets[name]["AllowedPattern"]
        assert re.search(pattern, f"{arn}-AbCdEf"), name
        for wrong in ("postgresql://u:p@h/d", arn, f"{arn}-*", f"{arn}-AbCdEf:key::"):
            assert not re.search(pattern, wrong), wrong
    days = built["Parameters"]["LogDays"]["AllowedValues"]
    assert 31 not in days
    assert 30 in days
