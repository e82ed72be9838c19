"""What must be right before anything is changed, asked in the order in which it can go wrong."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws
from locaria.deploy.errors import DeployError
from locaria.deploy.settings import Settings
from locaria.deploy.stack import check_state
from locaria.deploy.target import Target


def check_account(aws: Aws, settings: Settings) -> None:
    """Credentials, region, account. Raises DeployError."""
    known = aws.regions()
    if settings.region not in known:
        near = ", ".join(each for each in known if each[:3] == settings.region[:3]) or "none near"
        raise DeployError(f'there is no AWS region "{settings.region}" (in those parts: {near})')
    if settings.account and aws.account != settings.account:
        raise DeployError(
            f"these credentials belong to account {aws.account}, and stage {settings.name} "
            f"is in {settings.account}",
            "Choose another profile (--profile), or put account right in locaria.toml.",
        )


def check_network(aws: Aws, settings: Settings) -> None:
    """Subnets and security groups are there, in one VPC. Raises DeployError."""
    subnets = sorted({*settings.subnets, *settings.function_subnets})
    found = _described(aws, settings, "Subnets", {"SubnetIds": subnets})
    groups = _described(aws, settings, "SecurityGroups", {"GroupIds": settings.security_groups})
    vpcs = {str(each["VpcId"]) for each in found + groups}
    if len(vpcs) > 1:
        raise DeployError(
            f"subnets and security groups are in different VPCs: {', '.join(sorted(vpcs))}"
        )


def _described(aws: Aws, settings: Settings, kind: str, asked: dict[str, Any]) -> list[Any]:
    try:
        return list(aws.ask("ec2", f"Describe{kind}", **asked)[kind])
    except ClientError as error:
        raise DeployError(
            f"region {settings.region}: {error.response['Error']['Message']}",
            f"Is {settings.region} the right region for stage {settings.name}? "
            f"Subnets and security groups belong to one: locaria configure --stage {settings.name}",
        ) from error


def check_target(target: Target) -> None:
    """Stack, database, secrets, tools: everything that a deployment is going to need.

    Raises:
        DeployError: with every fault, one a line.
    """
    wrong = [check_state(target.stack, target.settings.name), _database_server(target)]
    wrong += _secrets(target)
    told = [each for each in wrong if each]
    if told:
        raise DeployError("\n".join(told))
    with target.site.connect():
        pass  # it says itself what is wrong
    if any(not target.has_image(container) for container in target.containers):
        _ = target.engine  # it says itself what is missing


def _database_server(target: Target) -> str | None:
    kind, name = target.database_kind()
    if name is None:
        return None
    try:
        target.aws.ask("rds", f"Describe{kind}s", **{f"{kind}Identifier": name})
    except ClientError as error:
        return f"{kind} {name}: {error.response['Error']['Message']}"
    return None


def _secrets(target: Target) -> list[str]:
    """Secrets that are not there, and for which no value is given either."""
    told = []
    values = target.options.secrets or {}
    for parameter, name in target.secret_names.items():
        variable = name.rpartition("/")[2]
        if parameter in target.secret_arns or variable in ("LOCARIA_DSN", "events", "web"):
            continue
        if name.startswith("arn:"):
            told.append(f"the secret {name} of locaria.toml is not there")
        elif variable not in values:
            told.append(
                f"the secret {variable}, which dockers.json asks for, is not there: "
                f"export {variable}=… to make it, or name its ARN in locaria.toml"
            )
    return told
