"""What a stage should be, computed from settings and checkout, and what of it is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from locaria.deploy import database as site
from locaria.deploy.aws import Aws
from locaria.deploy.commands import Commands
from locaria.deploy.containers import Container
from locaria.deploy.functions import WEBSOCKET_API, Function
from locaria.deploy.images import Engine, content_tag, find_engine
from locaria.deploy.settings import Settings
from locaria.deploy.stack import Stack, read_stack
from locaria.deploy.template import build_template
from locaria.deploy.template_functions import EVENTS_SECRET, WEB_SECRET
from locaria.deploy.template_tasks import secret_parameter
from locaria.deploy.zips import Zip

Say = Callable[[str], None]
PENDING = "(made by this deployment)"


@dataclass(frozen=True)
class Options:
    """What one run of the command wants.

    Attributes:
        container: build only this image; None: whatever is not there yet.
        rebuild: build `container` even when nothing in it has changed.
        base: base image in place of the Dockerfiles' own.
        secrets: values for secrets that are not there yet, by environment variable.
    """

    container: str | None = None
    rebuild: bool = False
    base: str | None = None
    secrets: dict[str, str] | None = None
    poll_s: float = 3.0


class Target:
    """A stage on AWS: what it should be, and what of it is there.

    Parameters:
        owner_dsn: of the owner of Locaria's schema.
        say: takes what is to be shown to a person.
    """

    def __init__(
        self,
        settings: Settings,
        aws: Aws,
        commands: Commands,
        *,
        containers: list[Container],
        zips: dict[Function, Zip],
        owner_dsn: str,
        options: Options,
        say: Say,
    ) -> None:
        self.settings = settings
        self.aws = aws
        self.commands = commands
        self.containers = containers
        self.zips = zips
        self.options = options
        self.say = say
        self.site = site.SiteDatabase(owner_dsn, settings.database_host, settings.database_port)
        self.now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"

    @property
    def bucket(self) -> str:
        """The bucket of zips and object store; it outlives the stack."""
        return f"{self.settings.stack}-{self.aws.account}-{self.aws.region}"

    @cached_property
    def template(self) -> dict[str, Any]:
        """The template as plain values."""
        built: dict[str, Any] = json.loads(
            build_template(self.containers, list(self.zips)).to_json()
        )
        return built

    @cached_property
    def stack(self) -> Stack | None:
        """The stack as this run found it."""
        return read_stack(self.aws, self.settings.stack)

    @cached_property
    def secret_names(self) -> dict[str, str]:
        """The secrets' names in Secrets Manager, or their ARNs, by the template's parameter."""
        variables = {each for container in self.containers for each in container.secrets}
        given = self.settings.secrets
        prefix = f"locaria/{self.settings.name}"
        names = {
            secret_parameter(variable): given.get(variable, f"{prefix}/{variable}")
            for variable in sorted(variables)
        }
        names[EVENTS_SECRET] = f"{prefix}/{site.EVENTS.variable}"
        if WEBSOCKET_API in self.zips:
            names[WEB_SECRET] = f"{prefix}/{site.WEB.variable}"
        return names

    @cached_property
    def secret_arns(self) -> dict[str, str]:
        """ARNs of the secrets that are there, by the template's parameter."""
        found = {}
        for parameter, name in self.secret_names.items():
            told = self.aws.find(
                ("ResourceNotFoundException",), "secretsmanager", "DescribeSecret", SecretId=name
            )
            if told is not None and "DeletedDate" not in told:
                found[parameter] = str(told["ARN"])
        return found

    @cached_property
    def engine(self) -> Engine:
        """What builds images here. Raises DeployError."""
        return find_engine(self.commands)

    @property
    def registry(self) -> str:
        """The host of ECR in this account and region."""
        domain = "amazonaws.com.cn" if self.aws.partition == "aws-cn" else "amazonaws.com"
        return f"{self.aws.account}.dkr.ecr.{self.aws.region}.{domain}"

    def repository(self, container: Container) -> str:
        """The name of an image's repository."""
        return f"{self.settings.stack}/{container.name}"

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tag that each container's image should have."""
        return {container.name: self._tag(container) for container in self.containers}

    def _tag(self, container: Container) -> str:
        only = self.options.container
        deployed = self.deployed_tag(container)
        if only not in (None, container.name) and deployed:
            return deployed
        made_of = content_tag(container, self.settings.architecture, self.options.base)
        if only == container.name and self.options.rebuild:
            return f"{made_of}-{self.now}"
        return deployed if deployed.startswith(made_of) else made_of

    def deployed_tag(self, container: Container) -> str:
        """The tag of the image that the stack names now; empty for none."""
        known = self.stack.parameters if self.stack else {}
        return known.get(f"Image{container.logical}", "").rpartition(":")[2]

    def uri(self, container: Container) -> str:
        """The image that the container's tasks run."""
        return f"{self.registry}/{self.repository(container)}:{self.tags[container.name]}"

    def parameters(self) -> dict[str, str]:
        """The stack's parameters, as far as they are known now."""
        settings = self.settings
        subnets = settings.function_subnets or settings.subnets
        values = {
            "Name": settings.stack,
            "Subnets": ",".join(settings.subnets),
            "FunctionSubnets": ",".join(subnets),
            "SecurityGroups": ",".join(settings.security_groups),
            "Bucket": self.bucket,
            "FilesBucket": settings.files_bucket,
            "FilesPrefix": settings.files_prefix,
            "Architecture": settings.architecture,
            "LogDays": str(settings.log_days),
            "TickRate": settings.tick_rate,
        }
        for name, value in settings.identity.items():
            values[name.title().replace("_", "")] = value
        for parameter in self.secret_names:
            values[parameter] = self.secret_arns.get(parameter, PENDING)
        values |= {f"Image{c.logical}": self.uri(c) for c in self.containers}
        return values | {function.code_parameter: zip.key for function, zip in self.zips.items()}

    def fargate_config(self) -> dict[str, Any]:
        """How the database starts containers; what a person added there is kept."""
        settings = self.settings
        account, region = self.aws.account, self.aws.region
        function = f"arn:{self.aws.partition}:lambda:{region}:{account}:function"
        shared = {
            "arn": f"{function}:{settings.stack}-ecsRunTask",
            "region": region,
            "mode": "Event",
            "cluster": settings.stack,
            "subnets": settings.subnets,
            "security_groups": settings.security_groups,
            "assign_public_ip": "ENABLED" if settings.assign_public_ip else "DISABLED",
            "capacity_provider": settings.capacity_provider,
        }
        config = {"default": shared}
        for container in self.containers:
            config[container.name] = {"task": f"{settings.stack}-{container.name}"}
        return config

    # -- what is there ---------------------------------------------------------------------------

    def has_bucket(self) -> bool:
        """Whether the bucket is there."""
        missing = ("404", "NoSuchBucket", "NotFound")
        return self.aws.find(missing, "s3", "HeadBucket", Bucket=self.bucket) is not None

    def has_zip(self, zip: Zip) -> bool:
        """Whether this zip is stored."""
        missing = ("404", "NoSuchKey", "NotFound")
        asked = {"Bucket": self.bucket, "Key": zip.key}
        return self.aws.find(missing, "s3", "HeadObject", **asked) is not None

    def has_image(self, container: Container) -> bool:
        """Whether the container's image is in the registry."""
        found = self.aws.find(
            ("RepositoryNotFoundException", "ImageNotFoundException"),
            "ecr",
            "DescribeImages",
            repositoryName=self.repository(container),
            imageIds=[{"imageTag": self.tags[container.name]}],
        )
        return bool(found and found["imageDetails"])

    def database_kind(self) -> tuple[str, str | None]:
        """DBCluster or DBInstance, and its identifier; None where none is named."""
        if self.settings.db_cluster:
            return "DBCluster", self.settings.db_cluster
        return "DBInstance", self.settings.db_instance

    def role_is_attached(self) -> bool:
        """Whether the database may use the role that calls Lambda."""
        kind, name = self.database_kind()
        told = self.aws.ask("rds", f"Describe{kind}s", **{f"{kind}Identifier": name})
        roles = told[f"{kind}s"][0].get("AssociatedRoles", [])
        wanted = (self.stack.outputs if self.stack else {}).get("DatabaseRoleArn")
        return any(role["RoleArn"] == wanted for role in roles)

    def config_is_right(self, there: dict[str, Any]) -> bool:
        """Whether fargate_config says what it should, beside what a person added."""
        wanted = self.fargate_config()
        return all(there.get(key, {}) == there.get(key, {}) | wanted[key] for key in wanted)

    def has_repository(self, container: Container) -> bool:
        """Whether the image's repository is there."""
        name = self.repository(container)
        missing = ("RepositoryNotFoundException",)
        asked = {"repositoryNames": [name]}
        return self.aws.find(missing, "ecr", "DescribeRepositories", **asked) is not None

    def known_image(self, container: Container) -> str:
        """The image that the stack names now; empty for none."""
        known = self.stack.parameters if self.stack else {}
        return known.get(f"Image{container.logical}", "")

    def local_tag(self, container: Container) -> str:
        """The image's name on this machine."""
        return f"localhost/locaria/{container.name}:{self.tags[container.name]}"
