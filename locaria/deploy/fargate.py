"""`fargate_config`: how the database starts containers on this stage."""

from __future__ import annotations

from typing import Any

from locaria.deploy.target import Target


def fargate_config(target: Target) -> dict[str, Any]:
    """What the deployment itself says of it."""
    settings, aws = target.settings, target.aws
    function = f"arn:{aws.partition}:lambda:{aws.region}:{aws.account}:function"
    shared = {
        "arn": f"{function}:{settings.stack}-ecsRunTask",
        "region": aws.region,
        "mode": "Event",
        "cluster": settings.stack,
        "subnets": settings.subnets,
        "security_groups": settings.security_groups,
        "assign_public_ip": "ENABLED" if settings.assign_public_ip else "DISABLED",
        "capacity_provider": settings.capacity_provider,
    }
    each = {container.name: {"task": target.family(container.name)} for container in target.wanted}
    return {"default": shared, **each}


def merged_config(target: Target, there: dict[str, Any]) -> dict[str, Any]:
    """As it should be: what a person added stays, what was taken out of dockers.json goes."""
    wanted = fargate_config(target)
    kept = {
        key: value
        for key, value in there.items()
        if key in wanted or not isinstance(value, dict) or value.get("task") != target.family(key)
    }
    return kept | {key: kept.get(key, {}) | wanted[key] for key in wanted}
