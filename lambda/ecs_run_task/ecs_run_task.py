"""The Lambda function `ecsRunTask`: start, or stop, Fargate tasks for one dispatch.

It is thin on purpose: no database, and no dependency but boto3, which Lambda brings along. The
database sends a payload (`lambda/protocol/run_task.json`); this function checks it against an
allow-list and builds every override itself, so that an event cannot choose a command, a role or
an environment.

A payload may arrive more than once: Lambda's queue delivers at least once, and Lambda retries an
invocation that raised. That is safe, because every request depends on the payload alone: the same
payload gives the same client tokens and parameters, and ECS returns the tasks it already started.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from run_task_errors import (
    EcsRunTaskError,
    LaunchFailed,
    classify,
    code_and_message,
    describe_failure,
    failed_call,
    name_of,
)
from run_task_payload import build_run_task_requests, build_stop_task_request, check_payload

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

log = logging.getLogger("locaria.ecs_run_task")
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # In Lambda: bare JSON lines. Elsewhere the process that loads this module decides.
    log.addHandler(logging.StreamHandler(sys.stdout))
    log.setLevel(logging.INFO)
    log.propagate = False

_client: ECSClient | None = None


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one invocation.

    Args:
        event: a payload as in `lambda/protocol/run_task.json`.
        context: Lambda's context object, of which only the request id is used, in the log.

    Returns:
        For `run_task` `{"tasks": [arn, …], "launched": n}`; for `stop_task`
        `{"task": arn, "stopped": bool}`, where false means that ECS does not know the task.

    Raises:
        EcsRunTaskError: one of the classes in `run_task_errors`.
    """
    try:
        result = _stop_task(event) if check_payload(event) == "stop_task" else _run_task(event)
    except EcsRunTaskError as error:
        _log("failed", event, context, error_type=type(error).__name__, error=str(error))
        raise
    _log("done", event, context, **result)
    return result


def _run_task(payload: dict[str, Any]) -> dict[str, Any]:
    """Request every chunk of tasks, then return the result.

    After a chunk with failures the next chunks are still requested. After an error they are not:
    the next delivery requests the earlier chunks again, for which ECS starts no further task.
    """
    launched = 0
    tasks: list[str] = []
    failures: list[str] = []
    for request in build_run_task_requests(payload):
        started, failed = _request_tasks(request, payload, launched)
        # A conflict need not name the tasks, but it means that they were launched.
        launched += request["count"] - len(failed)
        tasks += started
        failures += failed
    if failures:
        reasons = "; ".join(
            f"{failures.count(reason)} x {reason}" for reason in dict.fromkeys(failures)
        )
        raise LaunchFailed(
            f"{launched} of {payload['count']} tasks launched of {name_of(payload)}: {reasons}. "
            "The missing tasks need a new launch number: for this one ECS repeats its answer."
        )
    return {"tasks": tasks, "launched": launched}


def _request_tasks(
    request: dict[str, Any], payload: dict[str, Any], launched: int
) -> tuple[list[str], list[str]]:
    """Send one RunTask request; return its tasks' ARNs and the reason for each missing task."""
    try:
        response = _ecs().run_task(**request)
    except ClientError as error:
        code, message = code_and_message(error)
        if code == "ConflictException":
            # An earlier delivery used the token with other parameters (the family has a new
            # revision since, for example): the tasks of this launch exist.
            known: object = error.response.get("resourceIds", [])
            return [str(arn) for arn in known] if isinstance(known, list) else [], []
        if classify(message) != "other":
            return [], [describe_failure({"reason": message})] * request["count"]
        before = f" ({launched} of {payload['count']} tasks launched before)" if launched else ""
        raise failed_call(error, "RunTask", payload, before) from error
    except BotoCoreError as error:
        before = f" ({launched} of {payload['count']} tasks launched before)" if launched else ""
        raise failed_call(error, "RunTask", payload, before) from error
    started = [task["taskArn"] for task in response["tasks"]]
    missing = request["count"] - len(started)
    failed = [describe_failure(dict(failure)) for failure in response["failures"]][:missing]
    return started, failed + [describe_failure({})] * (missing - len(failed))


def _stop_task(payload: dict[str, Any]) -> dict[str, Any]:
    """Stop one task; one that ECS no longer knows counts as stopped."""
    try:
        _ecs().stop_task(**build_stop_task_request(payload))
    except ClientError as error:
        code, message = code_and_message(error)
        if code != "ClusterNotFoundException" and "not found" in message.lower():
            return {"task": payload["task_arn"], "stopped": False}
        raise failed_call(error, "StopTask", payload) from error
    except BotoCoreError as error:
        raise failed_call(error, "StopTask", payload) from error
    return {"task": payload["task_arn"], "stopped": True}


def _ecs() -> ECSClient:
    """Return the ECS client, made at first use and kept for later invocations of this sandbox.

    Region and endpoint come from the environment (AWS_REGION, AWS_ENDPOINT_URL_ECS). The retry
    mode is fixed because its default differs between versions of botocore; a retry repeats the
    request with its client token.
    """
    global _client  # noqa: PLW0603 - one client per sandbox is the point
    if _client is None:
        retries: Any = {"mode": "standard", "total_max_attempts": 4}
        _client = boto3.client(
            "ecs", config=Config(retries=retries, connect_timeout=3, read_timeout=15)
        )
    return _client


def _log(what: str, event: object, context: object, **more: object) -> None:
    """Log one line of JSON. Of the event only these keys are copied: it may hold anything."""
    known = event if isinstance(event, dict) else {}
    keys = ("action", "dispatch", "launch", "container", "count", "cluster", "task_arn")
    line = {"event": what, "request_id": getattr(context, "aws_request_id", None)}
    line |= {key: known[key] for key in keys if key in known}
    log.info(json.dumps(line | more))
