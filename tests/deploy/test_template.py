"""The template, read against what the sources list: docs of the first set-up, by hand, on AWS."""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from locaria.deploy.containers import Container, load_containers
from locaria.deploy.errors import DeployError
from locaria.deploy.functions import ECS_RUN_TASK, TASK_EVENTS, WEBSOCKET_API, Function
from locaria.deploy.settings import make_settings
from locaria.deploy.template import build_template
from locaria.resources import CONTAINERS

Resource = dict[str, Any]

LOADER = next(each for each in load_containers() if each.name == "file_loader")
LISTENER = dataclasses.replace(
    LOADER,
    name="a_listener",
    type="listener",
    port=8123,
    storage=50,
    secrets=("API_KEY", "LOCARIA_DSN"),
    object_store="write",
)
FUNCTIONS = [ECS_RUN_TASK, TASK_EVENTS, WEBSOCKET_API]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """A template with a loader and a listener."""
    built: dict[str, Any] = json.loads(build_template([LOADER, LISTENER], FUNCTIONS).to_json())
    return built


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Resource]:
    """Its resources by name."""
    found: dict[str, Resource] = template["Resources"]
    return found


def of_type(resources: dict[str, Resource], kind: str) -> dict[str, Resource]:
    return {name: each for name, each in resources.items() if each["Type"] == f"AWS::{kind}"}


def statements(role: Resource) -> Iterator[dict[str, Any]]:
    """The statements of all policies of a role."""
    for policy in role["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def actions(role: Resource) -> set[str]:
    found: set[str] = set()
    for statement in statements(role):
        given = statement["Action"]
        found |= {given} if isinstance(given, str) else set(given)
    return found


@pytest.mark.parametrize(
    ("containers", "functions"),
    [(load_containers(), FUNCTIONS), ([LOADER, LISTENER], FUNCTIONS[:2])],
    ids=["as it is", "with a listener, without the WebSocket API"],
)
def test_cfn_lint_finds_nothing(containers: list[Container], functions: list[Function]) -> None:
    template = build_template(containers, functions).to_json()
    assert lint(template, config=ManualArgs(regions=["eu-west-1", "us-east-1"])) == []


def test_it_is_the_same_text_every_time() -> None:
    again = [build_template([LOADER, LISTENER], FUNCTIONS).to_json() for _ in range(2)]
    assert again[0] == again[1]


def test_everything_that_the_sources_name_is_there(resources: dict[str, Resource]) -> None:
    kinds = [each["Type"] for each in resources.values()]
    wanted = {
        "AWS::ECS::Cluster": 1,
        "AWS::ECR::Repository": 2,
        "AWS::ECS::TaskDefinition": 2,
        "AWS::Lambda::Function": 3,
        "AWS::Lambda::EventInvokeConfig": 1,
        "AWS::Lambda::EventSourceMapping": 1,
        "AWS::Events::Rule": 1,
        "AWS::SQS::Queue": 2,
        "AWS::Scheduler::Schedule": 1,
        "AWS::ApiGatewayV2::Api": 1,
        "AWS::ApiGatewayV2::Route": 3,
        "AWS::Logs::LogGroup": 5,
        # per image a task role and an execution role; per function one; the database's, the tick's
        "AWS::IAM::Role": 2 * 2 + 3 + 2,
    }
    assert {kind: kinds.count(kind) for kind in wanted} == wanted


def test_an_image_s_repository_scans_and_forgets(resources: dict[str, Resource]) -> None:
    for name, repository in of_type(resources, "ECR::Repository").items():
        facts = repository["Properties"]
        assert facts["ImageScanningConfiguration"] == {"ScanOnPush": True}, name
        assert facts["ImageTagMutability"] == "IMMUTABLE"
        rules = json.loads(facts["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert [rule["action"]["type"] for rule in rules] == ["expire", "expire"]


def test_no_policy_allows_every_action_or_every_resource(resources: dict[str, Resource]) -> None:
    # Each of these is one for which AWS knows no name of a resource (service authorization
    # reference), or which EC2 asks for before there is an interface that could be named.
    nameless = {
        "ecr:GetAuthorizationToken",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    }
    for name, role in of_type(resources, "IAM::Role").items():
        for statement in statements(role):
            given = statement["Action"]
            given = {given} if isinstance(given, str) else set(given)
            assert not any("*" in action for action in given), name
            if statement["Resource"] == "*":
                assert given <= nameless, name


def test_function_code_can_t_use_the_right_to_make_interfaces(
    resources: dict[str, Resource],
) -> None:
    for name in ("TaskEvents", "WebsocketApi"):
        denied = [s for s in statements(resources[f"{name}Role"]) if s["Effect"] == "Deny"]
        assert len(denied) == 1
        assert "lambda:SourceFunctionArn" in denied[0]["Condition"]["ArnEquals"]


def test_ecs_run_task_may_start_these_tasks_on_this_cluster_and_pass_their_roles(
    resources: dict[str, Resource],
) -> None:
    role = resources["EcsRunTaskRole"]
    assert actions(role) == {
        "ecs:RunTask",
        "ecs:StopTask",
        "iam:PassRole",
        "sqs:SendMessage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    by_action = {str(s["Action"]): s for s in statements(role)}
    run = by_action["ecs:RunTask"]
    assert run["Condition"] == {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}}}
    families = [each["Fn::Sub"].rpartition("task-definition/")[2] for each in run["Resource"]]
    assert families == ["${Name}-file_loader:*", "${Name}-a_listener:*"]
    passed = by_action["iam:PassRole"]
    assert passed["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }
    assert {each["Fn::GetAtt"][0] for each in passed["Resource"]} == {
        f"{name}{kind}Role"
        for name in ("FileLoader", "AListener")
        for kind in ("Task", "Execution")
    }


def test_the_database_may_invoke_that_one_function(resources: dict[str, Resource]) -> None:
    role = resources["DatabaseRole"]
    [statement] = statements(role)
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"]["Fn::Sub"].endswith(":function:${Name}-ecsRunTask")
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "rds.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_each_execution_role_reads_its_own_secrets_and_writes_its_own_log(
    resources: dict[str, Resource],
) -> None:
    by_name = {}
    for name in ("FileLoader", "AListener"):
        told = {
            str(s["Action"]): s["Resource"] for s in statements(resources[f"{name}ExecutionRole"])
        }
        by_name[name] = told["secretsmanager:GetSecretValue"]
        assert told["['logs:CreateLogStream', 'logs:PutLogEvents']"] == {
            "Fn::GetAtt": [f"{name}Logs", "Arn"]
        }
    assert by_name["FileLoader"] == [{"Ref": "SecretLocariaDsn"}]
    assert by_name["AListener"] == [{"Ref": "SecretApiKey"}, {"Ref": "SecretLocariaDsn"}]


def test_a_task_may_touch_the_object_store_only_where_dockers_json_says_so(
    resources: dict[str, Resource],
) -> None:
    assert resources["FileLoaderTaskRole"]["Properties"]["Policies"] == []
    files = resources["FilesPolicy"]
    assert files["Condition"] == "HasFiles"
    [statement] = files["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:GetObject"
    listener = actions(resources["AListenerTaskRole"])
    assert listener == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
    }


# What IAM calls the operations that containers use on S3 (service authorization reference).
S3_RIGHTS = {
    "head_object": {"GetObject"},
    "get_object": {"GetObject"},
    "delete_objects": {"DeleteObject"},
    "list_objects_v2": {"ListBucket"},
    "list_multipart_uploads": {"ListBucketMultipartUploads"},
    "abort_multipart_upload": {"AbortMultipartUpload"},
    "create_multipart_upload": {"PutObject"},
    "upload_part": {"PutObject"},
    "complete_multipart_upload": {"PutObject"},
    "put_object": {"PutObject"},
    "generate_presigned_url": {"GetObject"},
    "copy": {"GetObject", "PutObject"},
}


def test_who_writes_to_the_object_store_may_do_all_that_its_code_does(
    resources: dict[str, Resource],
) -> None:
    code = (CONTAINERS / "modules" / "object_store" / "s3.py").read_text()
    found = re.findall(r'_client\.(?:get_paginator\("(\w+)|(\w+)\()', code)
    used = {page or call for page, call in found}
    assert {"list_multipart_uploads", "copy"} < used
    needed = {f"s3:{right}" for operation in used for right in S3_RIGHTS[operation]}
    assert needed <= actions(resources["AListenerTaskRole"])


def test_every_container_has_of_the_object_store_what_its_code_does_with_it() -> None:
    """What a task opens by LOCARIA_OBJECT_STORE; s3:// paths of files are FilesPolicy's."""
    told = {each.name: each.object_store for each in load_containers()}
    for name, allowed in told.items():
        code = "".join(path.read_text() for path in (CONTAINERS / name).glob("*.py"))
        opens = bool(re.search(r"\bopen_stores?\(", code))
        assert (allowed is not None) == opens, name
    assert told["file_download"] == told["bundle_processor"] == "write"
    assert told["file_loader"] is told["os_opendata"] is None


def container_of(resources: dict[str, Resource], name: str) -> dict[str, Any]:
    [container] = resources[f"{name}Task"]["Properties"]["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


def test_secrets_are_environment_variables_and_stand_nowhere_in_clear(
    resources: dict[str, Resource],
) -> None:
    container = container_of(resources, "AListener")
    assert container["Secrets"] == [
        {"Name": "API_KEY", "ValueFrom": {"Ref": "SecretApiKey"}},
        {"Name": "LOCARIA_DSN", "ValueFrom": {"Ref": "SecretLocariaDsn"}},
    ]
    in_clear = {each["Name"] for each in container["Environment"]}
    assert in_clear == {"PGAPPNAME", "LOCARIA_OBJECT_STORE", "LOCARIA_PORT"}


def test_a_task_runs_on_fargate_in_the_given_network(resources: dict[str, Resource]) -> None:
    facts = resources["AListenerTask"]["Properties"]
    assert facts["NetworkMode"] == "awsvpc"
    assert facts["RequiresCompatibilities"] == ["FARGATE"]
    assert facts["EphemeralStorage"] == {"SizeInGiB": 50}
    assert facts["Family"] == {"Fn::Sub": "${Name}-a_listener"}
    container = container_of(resources, "AListener")
    assert container["Name"] == "a_listener", "which ecsRunTask overrides by name"
    assert container["PortMappings"] == [{"ContainerPort": 8123, "Protocol": "tcp"}]
    assert container["HealthCheck"]["Command"] == ["CMD", "healthcheck"], "that of the image"
    assert "HealthCheck" not in container_of(resources, "FileLoader")
    for name in ("TaskEvents", "WebsocketApi"):
        network = resources[name]["Properties"]["VpcConfig"]
        assert network["SubnetIds"] == {"Ref": "FunctionSubnets"}
    assert "VpcConfig" not in resources["EcsRunTask"]["Properties"], "it needs no database"


def test_logs_go_to_a_group_that_exists_before_the_first_task(
    resources: dict[str, Resource],
) -> None:
    for name, group in of_type(resources, "Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogDays"}, name
    options = container_of(resources, "FileLoader")["LogConfiguration"]["Options"]
    assert options["awslogs-group"] == {"Ref": "FileLoaderLogs"}


def test_what_failed_and_what_ecs_tells_reach_the_database_by_one_queue(
    resources: dict[str, Resource],
) -> None:
    queue = {"Fn::GetAtt": ["Events", "Arn"]}
    retries = resources["EcsRunTaskRetries"]["Properties"]
    assert retries["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    assert retries["MaximumEventAgeInSeconds"] == 3600, "as long as ECS remembers a token"
    assert retries["MaximumRetryAttempts"] == 2
    [target] = resources["TaskStateRule"]["Properties"]["Targets"]
    assert target["Arn"] == queue
    pattern = resources["TaskStateRule"]["Properties"]["EventPattern"]
    assert pattern["detail"] == {"clusterArn": [{"Fn::GetAtt": ["Cluster", "Arn"]}]}
    mapping = resources["EventsToTaskEvents"]["Properties"]
    assert mapping["EventSourceArn"] == queue
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5}
    events = resources["Events"]["Properties"]
    assert events["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    timeout = resources["TaskEvents"]["Properties"]["Timeout"]
    assert events["VisibilityTimeout"] == 6 * timeout


def test_the_schedule_sends_what_the_function_takes_for_a_tick(
    resources: dict[str, Resource],
) -> None:
    tick = resources["Tick"]
    assert tick["Condition"] == "HasTick"
    target = tick["Properties"]["Target"]
    assert json.loads(target["Input"]) == {"action": "tick"}
    assert target["Arn"] == {"Fn::GetAtt": ["TaskEvents", "Arn"]}


def test_the_websocket_api_has_its_routes_and_posts_to_its_own_connections(
    resources: dict[str, Resource],
) -> None:
    routes = of_type(resources, "ApiGatewayV2::Route")
    keys = {each["Properties"]["RouteKey"] for each in routes.values()}
    assert keys == {"$connect", "$disconnect", "$default"}
    assert set(resources["WebsocketStage"]["DependsOn"]) == routes.keys()
    assert resources["WebsocketIntegration"]["Properties"]["IntegrationMethod"] == "POST"
    posting = next(
        s
        for s in statements(resources["WebsocketApiRole"])
        if s["Action"] == "execute-api:ManageConnections"
    )
    allowed = [each["Fn::Sub"].partition("/v1/")[2] for each in posting["Resource"]]
    assert allowed == ["POST/@connections/*", "DELETE/@connections/*"]
    variables = resources["WebsocketApi"]["Properties"]["Environment"]["Variables"]
    assert variables["LOCARIA_JWKS_URL"] == {"Ref": "JwksUrl"}
    assert variables["LOCARIA_WEB_ORIGINS"] == {"Ref": "WebOrigins"}


def test_nothing_is_made_for_an_image_or_a_zip_that_is_not_there_yet(
    template: dict[str, Any],
) -> None:
    conditions = template["Conditions"]
    assert conditions["HasImageFileLoader"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ImageFileLoader"}, ""]}]
    }
    assert template["Resources"]["FileLoaderTask"]["Condition"] == "HasImageFileLoader"
    assert "Condition" not in template["Resources"]["FileLoaderRepository"]
    assert template["Resources"]["EcsRunTask"]["Condition"] == "HasEcsRunTask"


def test_who_may_connect_stands_in_the_settings_and_is_checked() -> None:
    stage = {"region": "eu-west-1", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    provider = {"jwks_url": "https://id.example.org/keys", "jwt_issuer": "x", "jwt_audience": "y"}
    settings = make_settings("test", stage | {"identity": provider}, "here")
    assert settings.identity == provider
    with pytest.raises(DeployError, match=r"identity\.jwks is not a setting"):
        make_settings("test", stage | {"identity": {"jwks": "x"}}, "here")
    with pytest.raises(DeployError, match="needs jwt_issuer and jwt_audience"):
        make_settings("test", stage | {"identity": {"jwks_url": "x"}}, "here")
