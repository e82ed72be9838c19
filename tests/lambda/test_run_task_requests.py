"""The payload becomes RunTask requests: a pure function, tested as a table."""

from __future__ import annotations

import string
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

Payload = dict[str, Any]

FARGATE: Payload = {"launchType": "FARGATE"}
SPOT = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}


def variables(request: dict[str, Any]) -> dict[str, str]:
    (override,) = request["overrides"]["containerOverrides"]
    return {each["name"]: each["value"] for each in override["environment"]}


def is_valid_for_ecs(request: dict[str, Any], operation: str = "RunTask") -> bool:
    """botocore's own model judges the request, and refuses what it does not know."""
    shape = boto3.client("ecs").meta.service_model.operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    return True


def test_a_payload_becomes_exactly_this_request(protocol: ModuleType, payload: Payload) -> None:
    (request,) = protocol.build_run_task_requests(payload)
    token = request.pop("clientToken")
    assert request == {
        "cluster": "locaria",
        "taskDefinition": "file_loader",
        "count": 2,
        "launchType": "FARGATE",
        "startedBy": "locaria-17-1",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "DISABLED",
            }
        },
        "overrides": {
            "containerOverrides": [
                {
                    "name": "file_loader",
                    "environment": [
                        {"name": "LOCARIA_CONTAINER", "value": "file_loader"},
                        {"name": "LOCARIA_DISPATCH", "value": "17"},
                        {"name": "LOCARIA_LAUNCH", "value": "1"},
                        {"name": "LOCARIA_XACT", "value": "123456"},
                    ],
                }
            ]
        },
    }
    assert 0 < len(token) <= 64
    assert set(token) <= set(string.ascii_letters + string.digits + "-")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, FARGATE),
        ({"capacity_provider": "FARGATE_SPOT"}, SPOT),
        (
            {"capacity_provider": "FARGATE"},
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
        ),
        ({"platform_version": "1.4.0"}, FARGATE | {"platformVersion": "1.4.0"}),
        ({"platform_version": "LATEST"}, FARGATE | {"platformVersion": "LATEST"}),
        ({"task": "file_loader:7"}, {"taskDefinition": "file_loader:7"}),
        ({"dispatch": 2**63 - 1}, {"startedBy": "locaria-9223372036854775807-1"}),
        ({"launch": 3}, {"startedBy": "locaria-17-3"}),
        ({"origin": "gis_1"}, {"startedBy": "locaria-17-1-gis_1"}),
        (
            {"assign_public_ip": "ENABLED", "subnets": ["subnet-1", "subnet-2"]},
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": ["subnet-1", "subnet-2"],
                        "securityGroups": ["sg-1"],
                        "assignPublicIp": "ENABLED",
                    }
                }
            },
        ),
    ],
)
def test_each_key_of_the_payload_lands_in_its_place(
    protocol: ModuleType, payload: Payload, given: Payload, expected: dict[str, Any]
) -> None:
    (request,) = protocol.build_run_task_requests(payload | given)
    assert {key: request[key] for key in expected} == expected
    assert is_valid_for_ecs(request)
    # ECS refuses a request that has both
    assert ("launchType" in request) != ("capacityProviderStrategy" in request)


@pytest.mark.parametrize(
    ("count", "chunks"),
    [
        (1, [1]),
        (10, [10]),
        (11, [10, 1]),
        (25, [10, 10, 5]),
        (1000, [10] * 100),
    ],
)
def test_ecs_is_asked_for_at_most_ten_tasks_at_a_time(
    protocol: ModuleType, payload: Payload, count: int, chunks: list[int]
) -> None:
    requests = protocol.build_run_task_requests(payload | {"count": count})
    assert [request["count"] for request in requests] == chunks
    assert len({request["clientToken"] for request in requests}) == len(chunks)
    assert all(is_valid_for_ecs(request) for request in requests)


def test_without_a_transaction_the_container_is_told_none(
    protocol: ModuleType, payload: Payload
) -> None:
    del payload["xact"]
    (request,) = protocol.build_run_task_requests(payload)
    assert "LOCARIA_XACT" not in variables(request)


def test_the_same_payload_always_gives_the_same_requests(
    protocol: ModuleType, payload: Payload
) -> None:
    payload["count"] = 25
    again = dict(reversed(list(payload.items())))
    assert protocol.build_run_task_requests(payload) == protocol.build_run_task_requests(again)


@pytest.mark.parametrize("change", [{"dispatch": 18}, {"launch": 2}, {"origin": "another"}])
def test_another_launch_gets_another_token(
    protocol: ModuleType, payload: Payload, change: Payload
) -> None:
    (one,) = protocol.build_run_task_requests(payload)
    (other,) = protocol.build_run_task_requests(payload | change)
    assert one["clientToken"] != other["clientToken"]


def test_tokens_of_launches_and_chunks_never_meet(protocol: ModuleType, payload: Payload) -> None:
    tokens = [
        protocol.client_token(payload | {"dispatch": dispatch, "launch": launch}, chunk)
        for dispatch in (1, 11, 111)
        for launch in (1, 11, 111)
        for chunk in (0, 1, 11)
    ]
    assert len(set(tokens)) == len(tokens)


def test_a_token_stays_what_it_is_between_versions_of_the_function(
    protocol: ModuleType, payload: Payload
) -> None:
    # Changing how tokens are made would start tasks twice when a deployment falls between two
    # deliveries of one payload.
    assert protocol.client_token(payload, 0) == (
        "locaria-0884a06567b085bda4570c1df405c692b722c7a36b812594"
    )


def test_the_longest_names_fit_into_the_overrides_that_ecs_allows(
    protocol: ModuleType, payload: Payload
) -> None:
    longest = {"container": "c" * 255, "dispatch": 2**63 - 1, "launch": 2**31 - 1, "xact": "9" * 20}
    (request,) = protocol.build_run_task_requests(payload | longest)
    assert len(str(request["overrides"])) < 8192
    assert len(request["startedBy"]) <= 128
    assert is_valid_for_ecs(request)


def test_a_stop_becomes_exactly_this_request(protocol: ModuleType) -> None:
    stop = {"version": 1, "action": "stop_task", "cluster": "locaria", "task_arn": "a"}
    request = protocol.build_stop_task_request(stop | {"reason": "wrong file " * 100})
    assert request == {
        "cluster": "locaria",
        "task": "a",
        "reason": ("wrong file " * 100)[:255],
    }
    assert is_valid_for_ecs(request, "StopTask")
    assert protocol.build_stop_task_request(stop)["reason"] == "stopped by Locaria"
