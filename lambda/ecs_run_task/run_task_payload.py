"""The payload, version 1, and its translation into requests of ECS: pure functions, no AWS.

`lambda/protocol/run_task.json` is the same as a JSON Schema; a test compares the two.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from run_task_errors import PayloadError

PAYLOAD_VERSION = 1

TASKS_PER_CALL = 10
"""ECS starts at most 10 tasks per call (API reference of RunTask, `count`)."""

STOP_REASON_LENGTH = 255
"""Longer reasons are cut, never refused: the task must stop in any case."""


class Text(NamedTuple):
    """A string that matches `pattern` as a whole."""

    pattern: str

    def complaint(self, value: object) -> str | None:
        """Return what is wrong with the value, as the end of a sentence, or None."""
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return None
        return f"must be a string matching {self.pattern}"


class Integer(NamedTuple):
    """A whole number between `low` and `high`, both included."""

    low: int
    high: int

    def complaint(self, value: object) -> str | None:
        """Return what is wrong with the value, as the end of a sentence, or None."""
        # Not isinstance(): a bool is an int to it.
        if type(value) is int and self.low <= value <= self.high:
            return None
        return f"must be a whole number from {self.low} to {self.high}"


class TextList(NamedTuple):
    """1 to `most` different strings, each matching `pattern` as a whole."""

    pattern: str
    most: int

    def complaint(self, value: object) -> str | None:
        """Return what is wrong with the value, as the end of a sentence, or None."""
        good = isinstance(value, list) and 1 <= len(value) <= self.most
        if good and isinstance(value, list):
            item = Text(self.pattern)
            good = not any(item.complaint(each) for each in value)
            good = good and len(set(value)) == len(value)
        if good:
            return None
        return f"must be a list of 1 to {self.most} different strings matching {self.pattern}"


Field = Text | Integer | TextList

_NAME = "[A-Za-z0-9_-]{1,255}"
_ARN = "arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}"
_CLUSTER = Text(f"{_NAME}|{_ARN}:cluster/{_NAME}")

REQUIRED: dict[str, dict[str, Field]] = {
    "run_task": {
        "dispatch": Integer(1, 2**63 - 1),
        "launch": Integer(1, 2**31 - 1),
        "container": Text(_NAME),
        "count": Integer(1, 1000),
        "task": Text(f"{_NAME}(:[0-9]+)?|{_ARN}:task-definition/{_NAME}(:[0-9]+)?"),
        "cluster": _CLUSTER,
        "subnets": TextList("subnet-[A-Za-z0-9-]+", 16),
        "security_groups": TextList("sg-[A-Za-z0-9-]+", 5),
    },
    "stop_task": {
        "cluster": _CLUSTER,
        "task_arn": Text(f"{_ARN}:task/({_NAME}/)?{_NAME}"),
    },
}
OPTIONAL: dict[str, dict[str, Field]] = {
    "run_task": {
        "xact": Text("[0-9]{1,20}"),
        "origin": Text("[A-Za-z0-9_-]{1,64}"),
        "assign_public_ip": Text("ENABLED|DISABLED"),
        "platform_version": Text("LATEST|[0-9]+[.][0-9]+[.][0-9]+"),
        "capacity_provider": Text("FARGATE|FARGATE_SPOT"),
    },
    "stop_task": {"reason": Text(r"[\s\S]*")},
}
_FIXED_ELSEWHERE = re.compile("command|entry|role|env|override|image|secret|user", re.IGNORECASE)


def check_payload(payload: object) -> str:
    """Check a payload against the allow-list of its action.

    Returns:
        The action: `run_task` or `stop_task`.

    Raises:
        PayloadError: the message names every fault.
    """
    if not isinstance(payload, dict):
        raise PayloadError(f"the event must be a JSON object, not {type(payload).__name__}")
    version, action = payload.get("version"), payload.get("action")
    if type(version) is not int or version != PAYLOAD_VERSION:
        raise PayloadError(
            f"this function understands payloads of version {PAYLOAD_VERSION}, not {version!r}: "
            "deploy the function that belongs to the database's version of Locaria"
        )
    if not isinstance(action, str) or action not in REQUIRED:
        raise PayloadError(f"unknown action {action!r}: expected one of {', '.join(REQUIRED)}")
    required = REQUIRED[action]
    fields = required | OPTIONAL[action]
    wrong = [f"{key} is missing" for key in required if key not in payload]
    for key in payload.keys() - {"version", "action"}:
        complaint = fields[key].complaint(payload[key]) if key in fields else _why_refused(key)
        if complaint:
            wrong.append(f"{key} {complaint}")
    if wrong:
        raise PayloadError(f"{action} payload refused: {'; '.join(sorted(wrong))}")
    return action


def _why_refused(key: object) -> str:
    if _FIXED_ELSEWHERE.search(str(key)):
        return "is never taken from an event: the task definition and this function fix it"
    return "is not a key of this payload"


def client_token(payload: dict[str, Any], chunk: int) -> str:
    """Return the idempotency token of one chunk of a launch: at most 64 printable ASCII characters.

    ECS keeps tokens per cluster, but dispatch numbers begin at 1 in every database: `origin`, if
    the payload has it, keeps databases that share a cluster from getting each other's tasks.
    """
    key = [payload.get("origin"), payload["dispatch"], payload["launch"], chunk]
    return f"locaria-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:48]}"


def started_by(payload: dict[str, Any]) -> str:
    """Return the mark on a task that links its events to the launch that requested it."""
    parts = ["locaria", payload["dispatch"], payload["launch"], payload.get("origin")]
    return "-".join(str(part) for part in parts if part is not None)


def build_run_task_requests(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn a `run_task` payload into RunTask requests, each for up to 10 tasks.

    Nothing but the payload goes in: no time, no request id, no environment of this function. A
    parameter that differed between two deliveries would make ECS answer ConflictException.

    Raises:
        PayloadError: the payload is not valid; see `check_payload`.
    """
    if check_payload(payload) != "run_task":
        raise PayloadError("only a run_task payload can become RunTask requests")
    common: dict[str, Any] = {
        "cluster": payload["cluster"],
        "taskDefinition": payload["task"],
        "startedBy": started_by(payload),
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": payload["subnets"],
                "securityGroups": payload["security_groups"],
                "assignPublicIp": payload.get("assign_public_ip", "DISABLED"),
            }
        },
        "overrides": {"containerOverrides": [_container_override(payload)]},
    }
    if "capacity_provider" in payload:
        # The default weight is 0, and ECS refuses a strategy whose weights are all 0.
        provider = {"capacityProvider": payload["capacity_provider"], "weight": 1}
        common["capacityProviderStrategy"] = [provider]
    else:
        common["launchType"] = "FARGATE"
    if "platform_version" in payload:
        common["platformVersion"] = payload["platform_version"]
    firsts = range(0, payload["count"], TASKS_PER_CALL)
    return [
        {
            **common,
            "count": min(TASKS_PER_CALL, payload["count"] - first),
            "clientToken": client_token(payload, chunk),
        }
        for chunk, first in enumerate(firsts)
    ]


def _container_override(payload: dict[str, Any]) -> dict[str, Any]:
    variables = {
        "LOCARIA_CONTAINER": payload["container"],
        "LOCARIA_DISPATCH": str(payload["dispatch"]),
        "LOCARIA_LAUNCH": str(payload["launch"]),
    }
    if "xact" in payload:
        variables["LOCARIA_XACT"] = payload["xact"]
    return {
        "name": payload["container"],
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
    }


def build_stop_task_request(payload: dict[str, Any]) -> dict[str, Any]:
    """Turn a checked `stop_task` payload into the StopTask request."""
    reason = payload.get("reason") or "stopped by Locaria"
    return {
        "cluster": payload["cluster"],
        "task": payload["task_arn"],
        "reason": reason[:STOP_REASON_LENGTH],
    }
