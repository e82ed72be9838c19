"""The template's ECS side: cluster, and per image repository, log group, roles, task definition."""

from __future__ import annotations

import json
from typing import Any

from troposphere import Equals, GetAtt, Not, Ref, Sub, Template, ecr, ecs, iam

from locaria.deploy.containers import Container, logical_name
from locaria.deploy.template_parts import allow, arn, make_log_group, make_role, may_log, named

CLUSTER = "Cluster"
KEPT_IMAGES = 20
TASKS = "ecs-tasks.amazonaws.com"

LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Layers that no tag names any more",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": f"The last {KEPT_IMAGES} images, to go back to",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": KEPT_IMAGES,
            },
            "action": {"type": "expire"},
        },
    ]
}


def secret_parameter(variable: str) -> str:
    """The template's parameter with the ARN of a secret: SecretLocariaDsn."""
    return f"Secret{logical_name(variable)}"


def add_cluster(template: Template) -> None:
    """The cluster, which can start on Fargate and on Fargate Spot."""
    template.add_resource(
        ecs.Cluster(
            CLUSTER,
            ClusterName=Ref("Name"),
            CapacityProviders=["FARGATE", "FARGATE_SPOT"],
            ClusterSettings=[ecs.ClusterSetting(Name="containerInsights", Value="disabled")],
        )
    )


def add_container(template: Template, container: Container) -> None:
    """Everything of one image. Its task definition waits for an image to be there."""
    title = container.logical
    template.add_condition(f"HasImage{title}", Not(Equals(Ref(f"Image{title}"), "")))
    template.add_resource(
        ecr.Repository(
            f"{title}Repository",
            RepositoryName=named(f"/{container.name}"),
            ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=True),
            ImageTagMutability="IMMUTABLE",
            EncryptionConfiguration=ecr.EncryptionConfiguration(EncryptionType="AES256"),
            LifecyclePolicy=ecr.LifecyclePolicy(
                LifecyclePolicyText=json.dumps(LIFECYCLE, separators=(",", ":"))
            ),
            EmptyOnDelete=True,
        )
    )
    make_log_group(template, f"{title}Logs", named(f"/{container.name}"))
    source = arn("ecs", "*")
    make_role(template, f"{title}ExecutionRole", TASKS, _execution(container), source=source)
    make_role(template, f"{title}TaskRole", TASKS, _task(container), source=source)
    template.add_resource(_task_definition(container))


def add_site_files(template: Template, containers: list[Container]) -> None:
    """All tasks may read the site's own files, where a bucket of them is given."""
    statement = allow(
        "s3:GetObject", Sub("arn:${AWS::Partition}:s3:::${FilesBucket}/${FilesPrefix}*")
    )
    template.add_resource(
        iam.PolicyType(
            "FilesPolicy",
            Condition="HasFiles",
            PolicyName="files",
            PolicyDocument={"Version": "2012-10-17", "Statement": [statement]},
            Roles=[Ref(f"{container.logical}TaskRole") for container in containers],
        )
    )


def _execution(container: Container) -> list[Any]:
    """What ECS does before the container runs: pull, read the secrets, open the log."""
    title = container.logical
    return [
        # ECR's login is for the whole registry: AWS knows no resource for it.
        allow("ecr:GetAuthorizationToken", "*"),
        allow(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
            ],
            GetAtt(f"{title}Repository", "Arn"),
        ),
        allow(
            "secretsmanager:GetSecretValue",
            [Ref(secret_parameter(variable)) for variable in container.secrets],
        ),
        may_log(f"{title}Logs"),
    ]


def _task(container: Container) -> list[Any]:
    """What the container itself may do: nothing of ECS, IAM or Secrets Manager."""
    if not container.object_store:
        return []
    bucket = "arn:${AWS::Partition}:s3:::${Bucket}"
    below, listed = Sub(f"{bucket}/objects/*"), {"StringLike": {"s3:prefix": "objects/*"}}
    reads = [
        allow("s3:GetObject", below),
        # Without it S3 answers 403, not 404, for an object that is not there.
        allow("s3:ListBucket", Sub(bucket), listed),
    ]
    if container.object_store == "read":
        return reads
    writes = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    # IAM has no condition for what of the bucket's unfinished uploads is listed.
    return [*reads, allow(writes, below), allow("s3:ListBucketMultipartUploads", Sub(bucket))]


def _task_definition(container: Container) -> Any:
    title = container.logical
    definition = ecs.TaskDefinition(
        f"{title}Task",
        Condition=f"HasImage{title}",
        Family=named(f"-{container.name}"),
        RequiresCompatibilities=["FARGATE"],
        NetworkMode="awsvpc",
        Cpu=str(container.cpu),
        Memory=str(container.memory),
        RuntimePlatform=ecs.RuntimePlatform(
            CpuArchitecture=Ref("Architecture"), OperatingSystemFamily="LINUX"
        ),
        ExecutionRoleArn=GetAtt(f"{title}ExecutionRole", "Arn"),
        TaskRoleArn=GetAtt(f"{title}TaskRole", "Arn"),
        ContainerDefinitions=[_container_definition(container)],
    )
    if container.storage:
        definition.EphemeralStorage = ecs.EphemeralStorage(SizeInGiB=container.storage)
    return definition


def _container_definition(container: Container) -> Any:
    environment = [ecs.Environment(Name="PGAPPNAME", Value=f"locaria {container.name}")]
    if container.object_store:
        place = ecs.Environment(Name="LOCARIA_OBJECT_STORE", Value=Sub("s3://${Bucket}/objects"))
        environment.append(place)
    if container.port:
        environment.append(ecs.Environment(Name="LOCARIA_PORT", Value=str(container.port)))
    definition = ecs.ContainerDefinition(
        Name=container.name,
        Image=Ref(f"Image{container.logical}"),
        Essential=True,
        Cpu=container.cpu,
        Memory=container.memory,
        StopTimeout=container.stop_timeout,
        Environment=environment,
        Secrets=[
            ecs.Secret(Name=variable, ValueFrom=Ref(secret_parameter(variable)))
            for variable in container.secrets
        ],
        # A full buffer drops lines instead of holding up the loader: what matters stands in the
        # database, and ECS's own default is the same since June 2025, only smaller.
        LogConfiguration=ecs.LogConfiguration(
            LogDriver="awslogs",
            Options={
                "awslogs-group": Ref(f"{container.logical}Logs"),
                "awslogs-region": Ref("AWS::Region"),
                "awslogs-stream-prefix": container.name,
                "mode": "non-blocking",
                "max-buffer-size": "10m",
            },
        ),
        LinuxParameters=ecs.LinuxParameters(InitProcessEnabled=True),
    )
    if container.port:
        definition.PortMappings = [ecs.PortMapping(ContainerPort=container.port, Protocol="tcp")]
    if container.type == "listener":
        definition.HealthCheck = ecs.HealthCheck(
            Command=["CMD", "healthcheck"],  # of the image: ECS does not heed its HEALTHCHECK
            Interval=30,
            Timeout=5,
            Retries=3,
            StartPeriod=60,
        )
    return definition
