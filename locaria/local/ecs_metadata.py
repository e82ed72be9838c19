"""What a task can ask about itself: the task metadata endpoint, version 4."""

from __future__ import annotations

from typing import Any

from locaria.local.ecs_model import Task, TaskDefinition


def task_metadata(task: Task, definition: TaskDefinition) -> dict[str, Any]:
    """What `$ECS_CONTAINER_METADATA_URI_V4/task` tells a task."""
    return {
        "Cluster": task.facts["clusterArn"],
        "TaskARN": task.arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "DesiredStatus": task.facts["desiredStatus"],
        "KnownStatus": task.status,
        "LaunchType": "FARGATE",
        "AvailabilityZone": task.facts["availabilityZone"],
        "Containers": [
            {"Name": each["name"], "ContainerARN": each["containerArn"], "Image": each["image"]}
            for each in task.facts["containers"]
        ],
    }
