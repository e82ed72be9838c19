"""What RunTask refuses, as the real one does (limits: botocore's model and the API reference)."""

from __future__ import annotations

import json
import re
from typing import Any

from locaria.local.aws.ecs.model import EcsError, TaskDefinition

_STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{1,128}")
_TOKEN = re.compile(r"[!-~]{1,64}")
_BOTH = (
    "Specifying both a launch type and capacity provider strategy is not supported. "
    "Remove one and try again."
)


def check_run_task(request: dict[str, Any], definition: TaskDefinition) -> None:
    """Raises EcsError for a request that ECS would not accept."""
    for is_bad, message in (
        (not 1 <= request.get("count", 1) <= 10, "count must be between 1 and 10."),
        (not _fits(_STARTED_BY, request.get("startedBy")), "startedBy is not valid."),
        (not _fits(_TOKEN, request.get("clientToken")), "clientToken is not valid."),
        (len(request.get("tags", [])) > 50, "tags must have at most 50 items."),
        (_is_too_long(request), "Container Overrides length must be at most 8192"),
        (bool(request.get("launchType") and request.get("capacityProviderStrategy")), _BOTH),
    ):
        if is_bad:
            raise EcsError("InvalidParameterException", message)
    _check_network(request)
    _check_overrides(request, definition)
    _check_strategy(request)


def _fits(pattern: re.Pattern[str], value: str | None) -> bool:
    return value is None or pattern.fullmatch(value) is not None


def _is_too_long(request: dict[str, Any]) -> bool:
    return len(json.dumps(request.get("overrides") or {}, separators=(",", ":"))) > 8192


def _check_network(request: dict[str, Any]) -> None:
    network = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if network is None:
        raise EcsError(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    if not network.get("subnets"):
        raise EcsError("InvalidParameterException", "subnets can not be empty.")


def _check_overrides(request: dict[str, Any], definition: TaskDefinition) -> None:
    for override in (request.get("overrides") or {}).get("containerOverrides", []):
        if override.get("name") != definition.container_name:
            raise EcsError(
                "InvalidParameterException",
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition.",
            )


def _check_strategy(request: dict[str, Any]) -> None:
    strategy = request.get("capacityProviderStrategy")
    if not strategy:
        return
    unknown = [s for s in strategy if s["capacityProvider"] not in ("FARGATE", "FARGATE_SPOT")]
    if unknown:
        raise EcsError(
            "InvalidParameterException",
            "The specified capacity provider was not found. Specify a valid name and try again.",
        )
    if not any(s.get("weight", 0) for s in strategy):
        raise EcsError(
            "InvalidParameterException",
            "At least one capacity provider must have a weight greater than 0.",
        )
