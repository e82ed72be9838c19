"""Taking a stage away: the stack goes, the data stay."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws
from locaria.deploy.errors import DeployError
from locaria.deploy.settings import Settings
from locaria.deploy.stack import delete_stack, read_stack

NOTHING = "there is no stack {}: nothing to destroy"


def plan_destruction(aws: Aws, settings: Settings) -> tuple[list[str], list[str]]:
    """What would go, and what would stay, one line each.

    Raises:
        DeployError: there is no such stack.
    """
    stack = read_stack(aws, settings.stack)
    if stack is None:
        raise DeployError(NOTHING.format(settings.stack))
    kinds: dict[str, int] = {}
    for resource in stack.template["Resources"].values():
        kind = resource["Type"].removeprefix("AWS::")
        kinds[kind] = kinds.get(kind, 0) + 1
    goes = [f"stack {stack.name}: {count} of {kind}" for kind, count in sorted(kinds.items())]
    stays = [
        "the database, with every table and file in it",
        f"the bucket {settings.stack}-{aws.account}-{aws.region}",
        f"the secrets locaria/{settings.name}/…, and the logins that they open",
    ]
    return goes, stays


def destroy(aws: Aws, settings: Settings, say: Callable[[str], None], poll_s: float = 3.0) -> None:
    """Detach the role from the database, then delete the stack. Raises DeployError."""
    stack = read_stack(aws, settings.stack)
    if stack is None:
        raise DeployError(NOTHING.format(settings.stack))
    role = stack.outputs.get("DatabaseRoleArn")
    kind, name = ("DBCluster", settings.db_cluster)
    if settings.db_instance:
        kind, name = "DBInstance", settings.db_instance
    if role and name:
        try:
            aws.change(
                "rds",
                f"RemoveRoleFrom{kind}",
                **{f"{kind}Identifier": name},
                RoleArn=role,
                FeatureName="Lambda",
            )
        except ClientError as error:
            # Detached already, by an earlier try; whatever else it is, the stack can go.
            say(f"{kind} {name}: {error.response['Error']['Message']}")
    delete_stack(aws, settings.stack, say, poll_s)
