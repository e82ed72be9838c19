"""Every way in which ECS can answer has its own path."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber
from fake_ecs import FakeEcs, arn, launched
from function_modules import LAMBDA

Payload = dict[str, Any]

CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different "
    "availability zone"
)
QUOTA = "You\u2019ve reached the limit on the number of vCPUs you can run concurrently"


def outcome(module: ModuleType, payload: Payload) -> tuple[str, str]:
    """The errorType and errorMessage that Lambda would put in an on-failure record."""
    with pytest.raises(module.EcsRunTaskError) as caught:
        module.handler(payload, None)
    return type(caught.value).__name__, str(caught.value)


@pytest.fixture
def stop() -> Payload:
    return {
        "version": 1,
        "action": "stop_task",
        "cluster": "locaria",
        "task_arn": arn(1),
        "reason": "cancelled",
    }


def test_tasks_that_start_are_returned(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    ecs.will_answer(launched(1, 2))
    assert ecs_run_task.handler(payload, None) == {"tasks": [arn(1), arn(2)], "launched": 2}


def test_what_is_sent_is_what_the_builder_made(
    ecs_run_task: ModuleType, protocol: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    payload["count"] = 12
    ecs.will_answer(launched(*range(10)), launched(10, 11))
    ecs_run_task.handler(payload, None)
    assert ecs.requests == protocol.build_run_task_requests(payload)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (CAPACITY, "capacity"),
        ("RESOURCE:ENI", "capacity"),
        (QUOTA, "vCPU quota"),
        (QUOTA.replace("\u2019", "'"), "vCPU quota"),
        ("ATTRIBUTE", "other"),
    ],
)
def test_failures_in_a_successful_answer_raise_and_name_the_reason(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, reason: str, kind: str
) -> None:
    ecs.will_answer(launched(failures=[{"reason": reason}, {"reason": reason}]))
    name, message = outcome(ecs_run_task, payload)
    assert name == "LaunchFailed"
    assert message.startswith("0 of 2 tasks launched of file_loader (dispatch 17, launch 1)")
    assert f"2 x {kind}: {reason}" in message
    assert "new launch number" in message


def test_each_different_reason_is_named_with_its_detail(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    odd = {"reason": "LOCATION", "detail": "no such zone"}
    ecs.will_answer(launched(1, failures=[{"reason": CAPACITY}, odd]))
    name, message = outcome(ecs_run_task, payload | {"count": 3})
    assert name == "LaunchFailed"
    assert message.startswith("1 of 3 tasks")
    assert f"1 x capacity: {CAPACITY}; 1 x other: LOCATION (no such zone)" in message


def test_fewer_tasks_without_a_word_are_a_failure_too(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    ecs.will_answer(launched())
    name, message = outcome(ecs_run_task, payload)
    assert name == "LaunchFailed"
    assert "2 x other: ECS started no task and gave no reason" in message


def test_a_failed_chunk_does_not_keep_the_next_from_being_tried(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    ecs.will_answer(launched(failures=[{"reason": CAPACITY}] * 10), launched(*range(10)))
    name, message = outcome(ecs_run_task, payload | {"count": 20})
    assert name == "LaunchFailed"
    assert message.startswith("10 of 20 tasks launched")


@pytest.mark.parametrize("reason", [CAPACITY, QUOTA])
def test_a_shortage_that_comes_as_an_error_is_still_a_failed_launch(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, reason: str
) -> None:
    ecs.will_refuse("ClientException", reason)
    name, message = outcome(ecs_run_task, payload)
    assert name == "LaunchFailed"
    assert reason in message


def test_a_taken_token_means_launched(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    ecs.will_refuse("ConflictException", "token in use", resourceIds=[arn(1), arn(2)])
    assert ecs_run_task.handler(payload, None) == {"tasks": [arn(1), arn(2)], "launched": 2}


def test_a_taken_token_that_names_no_task_means_launched(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    ecs.will_refuse("ConflictException", "token in use")
    assert ecs_run_task.handler(payload, None) == {"tasks": [], "launched": 2}


@pytest.mark.parametrize(
    "fault",
    [
        (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
        (500, {"__type": "ServerException", "message": "Internal Error"}),
        (503, {}),
        EndpointConnectionError(endpoint_url="https://ecs"),
        ConnectTimeoutError(endpoint_url="https://ecs"),
        ReadTimeoutError(endpoint_url="https://ecs"),
    ],
)
def test_a_passing_fault_is_retried_under_the_same_token(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, fault: Any
) -> None:
    ecs.will_answer(fault, fault, launched(1, 2))
    assert ecs_run_task.handler(payload, None)["launched"] == 2
    assert len(ecs.requests) == 3
    assert ecs.requests[0] == ecs.requests[1] == ecs.requests[2]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ((400, {"__type": "ThrottlingException", "message": "Rate exceeded"}), "Rate exceeded"),
        ((500, {"__type": "ServerException", "message": "Internal Error"}), "Internal Error"),
        ((503, {}), "503"),
        (EndpointConnectionError(endpoint_url="https://ecs"), "Could not connect"),
    ],
)
def test_a_fault_that_stays_raises_a_retryable_error(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, fault: Any, told: str
) -> None:
    ecs.will_answer(*[fault] * 4)
    name, message = outcome(ecs_run_task, payload)
    assert name == "RetryableLaunchError"
    assert told in message
    assert "Send the same payload again" in message
    assert len(ecs.requests) == 4


def test_a_second_delivery_repeats_the_tokens_of_the_first(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload
) -> None:
    payload["count"] = 15
    throttled = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    ecs.will_answer(launched(*range(10)), *[throttled] * 4)
    name, message = outcome(ecs_run_task, payload)
    assert name == "RetryableLaunchError"
    assert "10 of 15 tasks launched before" in message
    first = ecs.requests.copy()
    ecs.requests.clear()
    ecs.will_answer(launched(*range(10)), launched(*range(10, 15)))
    assert ecs_run_task.handler(payload, None)["launched"] == 15
    assert ecs.requests == first[:2]


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        (
            "AccessDeniedException",
            "User: arn:aws:sts::1:assumed-role/f/f is not authorized to perform: ecs:RunTask on "
            "resource: arn:aws:ecs:eu-west-1:1:task-definition/file_loader:3 because no "
            "identity-based policy allows the ecs:RunTask action",
            "allow ecs:RunTask on arn:aws:ecs:eu-west-1:1:task-definition/file_loader:3 to the "
            "role of this Lambda function",
        ),
        (
            "AccessDeniedException",
            "User: x is not authorized to perform: iam:PassRole on resource: "
            "arn:aws:iam::1:role/task, with an explicit deny",
            "allow iam:PassRole on arn:aws:iam::1:role/task to the role of this Lambda function, "
            "on condition that iam:PassedToService is ecs-tasks.amazonaws.com",
        ),
        ("AccessDeniedException", "no", "allow ecs:RunTask to the role of this Lambda function"),
        ("ClusterNotFoundException", "Cluster not found.", "cluster locaria does not exist"),
        ("ClientException", "TaskDefinition not found.", "task definition file_loader is registe"),
        ("InvalidParameterException", "subnet-1 does not exist", "the subnets and security groups"),
        ("InvalidParameterException", "Override for container", "a container named file_loader"),
        ("PlatformUnknownException", "9.9.9", "correct `platform_version`"),
        ("PlatformTaskDefinitionIncompatibilityException", "", "needs another platform"),
        ("UnsupportedFeatureException", "", "does not offer"),
        ("BlockedException", "", "AWS Support"),
        ("UnrecognizedClientException", "token invalid", "check its role and AWS_REGION"),
        ("SomethingNewException", "", "check in fargate_config"),
    ],
)
def test_a_permanent_refusal_is_tried_once_and_says_what_to_do(
    ecs_run_task: ModuleType,
    ecs: FakeEcs,
    payload: Payload,
    code: str,
    message: str,
    advice: str,
) -> None:
    ecs.will_refuse(code, message)
    name, told = outcome(ecs_run_task, payload)
    assert name == "PermanentLaunchError"
    assert told.startswith("RunTask of file_loader (dispatch 17, launch 1): " + code)
    assert message in told
    assert advice in told
    assert len(ecs.requests) == 1


def test_a_function_without_credentials_says_so(
    ecs_run_task: ModuleType, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    name, message = outcome(ecs_run_task, payload)
    assert name == "PermanentLaunchError"
    assert "NoCredentialsError" in message


@pytest.mark.parametrize("change", [{"command": ["id"]}, {"version": 2}, {"count": 0}])
def test_a_refused_payload_reaches_no_aws(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, change: Payload
) -> None:
    assert outcome(ecs_run_task, payload | change)[0] == "PayloadError"
    assert ecs.requests == []


def test_a_task_is_stopped(ecs_run_task: ModuleType, ecs: FakeEcs, stop: Payload) -> None:
    ecs.will_answer((200, {"task": {"taskArn": arn(1)}}))
    assert ecs_run_task.handler(stop, None) == {"task": arn(1), "stopped": True}
    assert ecs.actions == ["StopTask"]
    assert ecs.requests == [{"cluster": "locaria", "task": arn(1), "reason": "cancelled"}]


@pytest.mark.parametrize("code", ["InvalidParameterException", "ClientException"])
def test_an_unknown_task_is_as_good_as_stopped(
    ecs_run_task: ModuleType, ecs: FakeEcs, stop: Payload, code: str
) -> None:
    ecs.will_refuse(code, "The referenced task was not found.")
    assert ecs_run_task.handler(stop, None) == {"task": arn(1), "stopped": False}


@pytest.mark.parametrize(
    ("code", "message", "name", "told"),
    [
        ("ClusterNotFoundException", "Cluster not found.", "PermanentStopError", "does not exist"),
        ("AccessDeniedException", "no", "PermanentStopError", "allow ecs:StopTask"),
        ("InvalidParameterException", "bad", "PermanentStopError", "check the cluster locaria"),
        ("ThrottlingException", "Rate exceeded", "RetryableStopError", "Rate exceeded"),
    ],
)
def test_a_stop_that_fails_says_why(
    ecs_run_task: ModuleType,
    ecs: FakeEcs,
    stop: Payload,
    code: str,
    message: str,
    name: str,
    told: str,
) -> None:
    for _ in range(4):
        ecs.will_refuse(code, message)
    got = outcome(ecs_run_task, stop)
    assert got[0] == name
    assert told in got[1]


def test_the_answers_used_here_are_answers_of_ecs(
    ecs_run_task: ModuleType, protocol: ModuleType, payload: Payload
) -> None:
    """Stubber checks both the request and the answer against botocore's model of ECS."""
    (request,) = protocol.build_run_task_requests(payload)
    with Stubber(ecs_run_task._ecs()) as stubber:
        answer = launched(1, failures=[{"reason": CAPACITY, "detail": "d"}])
        assert isinstance(answer, tuple)
        stubber.add_response("run_task", answer[1], request)
        assert outcome(ecs_run_task, payload)[0] == "LaunchFailed"
        stubber.add_client_error(
            "run_task",
            "ConflictException",
            modeled_fields={"resourceIds": [arn(1)]},
            expected_params=request,
        )
        assert ecs_run_task.handler(payload, None)["tasks"] == [arn(1)]
        stubber.assert_no_pending_responses()


def test_one_client_serves_all_invocations(ecs_run_task: ModuleType) -> None:
    assert ecs_run_task._ecs() is ecs_run_task._ecs()
    assert ecs_run_task._ecs().meta.config.retries == {
        "mode": "standard",
        "total_max_attempts": 4,
    }


def test_the_endpoint_comes_from_the_environment(
    ecs_run_task: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:4567")
    monkeypatch.setenv("AWS_REGION", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "local")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert ecs_run_task._ecs().meta.endpoint_url == "http://127.0.0.1:4567"
    assert ecs_run_task._ecs().meta.region_name == "local"


def test_each_invocation_logs_one_line_of_json(
    ecs_run_task: ModuleType, ecs: FakeEcs, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    context = SimpleNamespace(aws_request_id="4c1d")
    ecs.will_answer(launched(1, 2), launched(failures=[{"reason": CAPACITY}] * 2))
    ecs_run_task.handler(payload, context)
    with pytest.raises(ecs_run_task.LaunchFailed):
        ecs_run_task.handler(payload, context)
    done, failed = (json.loads(record.getMessage()) for record in caplog.records)
    assert done["event"] == "done"
    assert (done["request_id"], done["dispatch"], done["launched"]) == ("4c1d", 17, 2)
    assert (failed["event"], failed["error_type"]) == ("failed", "LaunchFailed")


def test_what_a_refused_event_carries_does_not_get_into_the_log(
    ecs_run_task: ModuleType, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    canary = {"environment": {"PGPASSWORD": "canary"}, "xact": "canary"}
    message = outcome(ecs_run_task, payload | canary)[1]
    assert "canary" not in message + caplog.text


def test_in_lambda_the_lines_go_to_stdout_bare() -> None:
    script = "import ecs_run_task\ntry: ecs_run_task.handler({}, None)\nexcept Exception: pass"
    environment = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "PYTHONPATH": "."}
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=LAMBDA / "ecs_run_task",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = run.stdout.splitlines()
    assert json.loads(line)["error_type"] == "PayloadError"
    assert run.stderr == ""


def test_the_names_of_the_errors_are_part_of_the_protocol(
    ecs_run_task: ModuleType,
) -> None:
    subclasses: Callable[[], list[type]] = ecs_run_task.EcsRunTaskError.__subclasses__
    assert {each.__name__ for each in subclasses()} == {
        "PayloadError",
        "LaunchFailed",
        "PermanentLaunchError",
        "RetryableLaunchError",
        "PermanentStopError",
        "RetryableStopError",
    }
