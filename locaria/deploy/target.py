"""What a stage should be, computed from settings and checkout, and what of it is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from locaria.deploy import database as site
from locaria.deploy.aws import Aws
from locaria.deploy.bucket import Bucket
from locaria.deploy.commands import Commands
from locaria.deploy.containers import Container
from locaria.deploy.functions import WEBSOCKET_API, Function
from locaria.deploy.images import Engine, content_tag, find_engine
from locaria.deploy.settings import Settings
from locaria.deploy.stack import Stack, read_stack
from locaria.deploy.template import build_template
from locaria.deploy.template_api import IDENTITY
from locaria.deploy.template_functions import EVENTS_SECRET, WEB_SECRET
from locaria.deploy.template_tasks import secret_parameter
from locaria.deploy.zips import Zip
from locaria.install import read_dockers
from locaria.resources import DOCKERS_JSON

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
        self.stack_shown = False
        self.secret_texts: dict[str, str] = {}
        self.now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        self.bucket = Bucket(aws, f"{settings.stack}-{aws.account}-{aws.region}")

    @cached_property
    def template(self) -> dict[str, Any]:
        """The template as plain values."""
        built: dict[str, Any] = json.loads(
            build_template(self.containers, list(self.zips)).to_json()
        )
        return built

    @cached_property
    def template_body(self) -> bytes:
        """The template as it is stored, in as few bytes as can be."""
        return json.dumps(self.template, sort_keys=True, separators=(",", ":")).encode()

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
            if told is not None and "DeletedDate" in told:
                self.deleted_secrets.append(name)
            elif told is not None:
                found[parameter] = str(told["ARN"])
        return found

    @cached_property
    def deleted_secrets(self) -> list[str]:
        """Secrets that wait to be deleted, and whose names can't be used meanwhile."""
        return []

    def secret_text(self, parameter: str) -> str | None:
        """What a secret says; None where there is none yet."""
        arn = self.secret_arns.get(parameter)
        if arn is None or arn == PENDING:
            return None
        if arn not in self.secret_texts:
            told = self.aws.ask("secretsmanager", "GetSecretValue", SecretId=arn)
            self.secret_texts[arn] = str(told.get("SecretString", ""))
        return self.secret_texts[arn]

    @cached_property
    def engine(self) -> Engine:
        """What builds images here. Raises DeployError."""
        return find_engine(self.commands)

    @property
    def registry(self) -> str:
        """The host of ECR in this account and region."""
        return f"{self.aws.account}.dkr.ecr.{self.aws.region}.{self.aws.domain}"

    @property
    def dockers(self) -> Path:
        """The list of containers."""
        return DOCKERS_JSON

    def family(self, name: str) -> str:
        """The task definition of a container."""
        return f"{self.settings.stack}-{name}"

    def repository(self, container: Container) -> str:
        """The name of an image's repository."""
        return f"{self.settings.stack}/{container.name}"

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tag that each container's image should have; empty: it is to have none yet."""
        return {container.name: self._tag(container) for container in self.containers}

    @property
    def wanted(self) -> list[Container]:
        """The containers that are to have an image, once this deployment is done."""
        return [container for container in self.containers if self.tags[container.name]]

    def _tag(self, container: Container) -> str:
        only = self.options.container
        deployed = self.deployed_tag(container)
        if only not in (None, container.name):
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
        """The image that the container's tasks run; empty for none."""
        tag = self.tags[container.name]
        return f"{self.registry}/{self.repository(container)}:{tag}" if tag else ""

    def parameters(self) -> dict[str, str]:
        """The stack's parameters, as far as they are known now."""
        settings = self.settings
        subnets = settings.function_subnets or settings.subnets
        values = {
            "Name": settings.stack,
            "Subnets": ",".join(settings.subnets),
            "FunctionSubnets": ",".join(subnets),
            "SecurityGroups": ",".join(settings.security_groups),
            "Bucket": self.bucket.name,
            "FilesBucket": settings.files_bucket,
            "FilesPrefix": settings.files_prefix,
            "Architecture": settings.architecture,
            "LogDays": str(settings.log_days),
            "TickRate": settings.tick_rate,
            "SecretsKey": settings.secrets_key,
        }
        if WEBSOCKET_API in self.zips:
            for parameter, variable in IDENTITY.items():
                name = variable.removeprefix("LOCARIA_").lower()
                values[parameter] = settings.identity.get(name, "")
        for parameter in self.secret_names:
            values[parameter] = self.secret_arns.get(parameter, PENDING)
        values |= {f"Image{c.logical}": self.uri(c) for c in self.containers}
        return values | {function.code_parameter: zip.key for function, zip in self.zips.items()}

    def record(self) -> dict[str, Any]:
        """What a finished deployment writes about itself into the database."""
        return {
            **self.stage,
            "sql": site.sql_digest(),
            "containers": site.containers_digest(DOCKERS_JSON),
            "names": sorted(read_dockers(DOCKERS_JSON)),
        }

    @property
    def stage(self) -> dict[str, str]:
        """Which stage this is: a database belongs to one."""
        return {
            "stage": self.settings.name,
            "account": self.aws.account,
            "region": self.aws.region,
        }

    @cached_property
    def deployed(self) -> dict[str, Any]:
        """What the last deployment wrote there, as this run found it."""
        return self.site.deployed()

    def retired(self) -> list[str]:
        """Containers that the last deployment had and this one has no more."""
        return sorted({*self.deployed.get("names", [])} - {*self.record()["names"]})

    # -- what is there ---------------------------------------------------------------------------

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

    @cached_property
    def has_ecs_role(self) -> bool:
        """Whether the account has ECS's own role; where there is a stack, it was seen to."""
        if self.stack is not None:
            return True
        asked = {"RoleName": "AWSServiceRoleForECS"}
        return self.aws.find(("NoSuchEntity",), "iam", "GetRole", **asked) is not None

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
