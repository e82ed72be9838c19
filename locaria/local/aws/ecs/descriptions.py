"""What ECS tells of its cluster, and a task of itself."""

from __future__ import annotations

from typing import Any

from locaria.local.aws.ecs.model import ACTIVE, Task, TaskDefinition, cluster_arn


def cluster_described(name: str, statuses: list[str]) -> dict[str, Any]:
    """A cluster as DescribeClusters tells it, by the statuses of its tasks."""
    return {
        "clusterArn": cluster_arn(name),
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": statuses.count("RUNNING"),
        "pendingTasksCount": sum(status in ACTIVE[:3] for status in statuses),
        "activeServicesCount": 0,
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
    }


def task_metadata(task: Task, definition: TaskDefinition) -> dict[str, Any]:
    """What `$ECS_CONTAINER_METADATA_URI_V4/task` (version 4) tells a task."""
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
