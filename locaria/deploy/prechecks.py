"""What must be right before anything is changed, asked in the order in which it can go wrong."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws
from locaria.deploy.database_checks import check_database, check_stage
from locaria.deploy.errors import BadInput, Refused
from locaria.deploy.logins import login_parameters, wrong_logins
from locaria.deploy.settings import Settings
from locaria.deploy.stack import check_state
from locaria.deploy.target import Target
from locaria.deploy.template import check_template
from locaria.deploy.template_tasks import secret_parameter


def check_account(aws: Aws, settings: Settings) -> None:
    """Credentials, region, account. Raises Refused."""
    known = aws.regions()
    if settings.region not in known:
        near = ", ".join(each for each in known if each[:3] == settings.region[:3]) or "none near"
        raise BadInput(f'there is no AWS region "{settings.region}" (in those parts: {near})')
    if settings.account and aws.account != settings.account:
        raise Refused(
            f"these credentials belong to account {aws.account}, and stage {settings.name} "
            f"is in {settings.account}",
            "Choose another profile (--profile), or put account right in locaria.toml.",
        )


def check_network(aws: Aws, settings: Settings) -> None:
    """Subnets and security groups are there, in one VPC. Raises Refused."""
    subnets = sorted({*settings.subnets, *settings.function_subnets})
    found = _described(aws, settings, "Subnets", {"SubnetIds": subnets})
    groups = _described(aws, settings, "SecurityGroups", {"GroupIds": settings.security_groups})
    vpcs = {str(each["VpcId"]) for each in found + groups}
    if len(vpcs) > 1:
        raise Refused(
            f"subnets and security groups are in different VPCs: {', '.join(sorted(vpcs))}"
        )


def _described(aws: Aws, settings: Settings, kind: str, asked: dict[str, Any]) -> list[Any]:
    try:
        return list(aws.ask("ec2", f"Describe{kind}", **asked)[kind])
    except ClientError as error:
        raise Refused(
            f"region {settings.region}: {error.response['Error']['Message']}",
            f"Is {settings.region} the right region for stage {settings.name}? "
            f"Subnets and security groups belong to one: locaria configure --stage {settings.name}",
        ) from error


def check_target(target: Target) -> None:
    """Stack, database, secrets, tools, limits: everything that a deployment is going to need.

    Raises:
        Refused: with every fault, one a line.
        Unreachable: there is no connection to the database.
    """
    wrong = [check_state(target.stack, target.settings.name), _database_server(target)]
    wrong += _secrets(target) + check_template(target.template, target.template_body)
    wrong += check_database(target.site, [])  # it says itself when it can't be reached
    told = [each for each in wrong if each]
    if told:
        raise Refused("\n".join(told))
    check_stage(target.deployed, target.stage)
    # Only now, since a server that is too old does not know the questions.
    if told := check_database(target.site, list(wrong_logins(target).values())):
        raise Refused("\n".join(told))
    target.bucket.is_there()  # it says itself whose it is
    if any(not target.has_image(container) for container in target.wanted):
        _ = target.engine  # it says itself what is missing
    if secret_parameter("LOCARIA_DSN") not in target.secret_arns:
        warn_of_place(target)


def warn_of_place(target: Target) -> None:
    """Say so when tasks would look for the database on their own machine."""
    host = str(target.settings.database_host or target.site.parts.get("host") or "")
    if not host or host.startswith(("/", "127.", "localhost", "::1")):
        target.say(
            f"Warning: tasks would look for the database at {host or 'a local socket'}, on their "
            "own machine. Say where they find it: locaria configure --database-host"
        )


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
    logins = login_parameters(target)
    for parameter, name in target.secret_names.items():
        variable = name.rpartition("/")[2]
        if parameter in target.secret_arns:
            continue
        if name in target.deleted_secrets:
            told.append(
                f"the secret {name} is being deleted, and its name can't be used meanwhile: "
                f"aws secretsmanager restore-secret --secret-id {name}"
            )
        elif parameter in logins and not name.startswith("arn:"):
            continue
        elif name.startswith("arn:"):
            told.append(f"the secret {name} of locaria.toml is not there")
        elif variable not in values:
            told.append(
                f"the secret {variable}, which dockers.json asks for, is not there: "
                f"export {variable}=… to make it, or name its ARN in locaria.toml"
            )
    return told
