"""The CloudFormation template, generated from `containers/dockers.json` and `lambda/`.

One template for all stages: what differs between them are its parameters. A part that needs an
image or a zip waits for it: its parameter is empty until the image is pushed or the zip is stored,
so that the repositories can be made first, by the same template.
"""

from __future__ import annotations

import json
import re
from typing import Any

from troposphere import (
    And,
    Condition,
    Equals,
    GetAtt,
    Join,
    Not,
    Output,
    Parameter,
    Ref,
    Sub,
    Template,
    iam,
)

from locaria.deploy.containers import Container
from locaria.deploy.errors import BadInput
from locaria.deploy.functions import ECS_RUN_TASK, TASK_EVENTS, WEBSOCKET_API, Function
from locaria.deploy.settings import LOG_DAYS
from locaria.deploy.template_api import IDENTITY, STAGE, add_websocket_api
from locaria.deploy.template_functions import (
    EVENTS_SECRET,
    WEB_SECRET,
    add_ecs_run_task,
    add_queues,
    add_task_events,
)
from locaria.deploy.template_parts import allow
from locaria.deploy.template_tasks import (
    add_cluster,
    add_container,
    add_site_files,
    secret_parameter,
)

SECRET_ARN = (
    "^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$"  # noqa: S105
)


def build_template(containers: list[Container], functions: list[Function]) -> Template:
    """The template for these images and functions.

    Parameters:
        containers: of dockers.json.
        functions: ecsRunTask and taskEvents always; websocketApi where it exists.

    Raises:
        BadInput: there are too many containers for one stack.
    """
    try:
        return _build(containers, functions)
    except ValueError as error:
        raise BadInput(f"the template is too large: {error}. Use a second stage") from error


def _build(containers: list[Container], functions: list[Function]) -> Template:
    template = Template(Description="Locaria: an INSERT is all it takes to run a container")
    _add_parameters(template, containers, functions)
    template.add_condition("IsArm", Equals(Ref("Architecture"), "ARM64"))
    template.add_condition("HasFiles", Not(Equals(Ref("FilesBucket"), "")))
    template.add_condition("HasKey", Not(Equals(Ref("SecretsKey"), "")))
    template.add_condition("TickWanted", Not(Equals(Ref("TickRate"), "")))
    add_cluster(template)
    for container in containers:
        add_container(template, container)
    add_site_files(template, containers)
    _add_key(template, containers, functions)
    add_queues(template)
    add_ecs_run_task(template, containers)
    add_task_events(template)
    template.add_condition("HasTick", And(Condition("TickWanted"), Condition("HasTaskEvents")))
    if WEBSOCKET_API in functions:
        add_websocket_api(template)
    _add_outputs(template, containers, functions)
    return template


def _add_key(template: Template, containers: list[Container], functions: list[Function]) -> None:
    """Secrets under a key of the site's own need that key, by way of Secrets Manager alone."""
    via = Sub("secretsmanager.${AWS::Region}.${AWS::URLSuffix}")
    statement = allow("kms:Decrypt", Ref("SecretsKey"), {"StringEquals": {"kms:ViaService": via}})
    readers = [f"{container.logical}ExecutionRole" for container in containers]
    readers += [f"{each.logical}Role" for each in (TASK_EVENTS, WEBSOCKET_API) if each in functions]
    template.add_resource(
        iam.PolicyType(
            "KeyPolicy",
            Condition="HasKey",
            PolicyName="key",
            PolicyDocument={"Version": "2012-10-17", "Statement": [statement]},
            Roles=[Ref(role) for role in readers],
        )
    )


def _add_parameters(
    template: Template, containers: list[Container], functions: list[Function]
) -> None:
    def add(name: str, description: str, kind: str = "String", **more: object) -> None:
        template.add_parameter(Parameter(name, Type=kind, Description=description, **more))

    add(
        "Name",
        "Of the stack; everything bears it in front",
        Default="locaria",
        AllowedPattern="^[a-z][a-z0-9-]{0,39}$",
    )
    add("Subnets", "Of the tasks, in one VPC", "List<AWS::EC2::Subnet::Id>")
    add("FunctionSubnets", "Of the functions that need the database", "List<AWS::EC2::Subnet::Id>")
    add(
        "SecurityGroups",
        "That let tasks and functions reach the database and S3",
        "List<AWS::EC2::SecurityGroup::Id>",
    )
    add("Bucket", "Where the zips and the object store are")
    add("FilesBucket", "A bucket of the site's own with files to load; empty: none", Default="")
    add("FilesPrefix", "What of it: incoming/", Default="")
    add(
        "Architecture",
        "Of images and functions",
        Default="X86_64",
        AllowedValues=["X86_64", "ARM64"],
    )
    days = "How long CloudWatch keeps logs"
    add("LogDays", days, "Number", Default=30, AllowedValues=list(LOG_DAYS))
    add("SecretsKey", "ARN of the secrets' KMS key; empty: the account's own", Default="")
    add("TickRate", "rate(1 minute); empty where pg_cron calls tick()", Default="rate(1 minute)")
    for variable in sorted({each for c in containers for each in c.secrets}):
        what = f"ARN of the secret that tasks get as {variable}"
        add(secret_parameter(variable), what, AllowedPattern=SECRET_ARN)
    add(EVENTS_SECRET, "ARN of the secret with taskEvents' DSN", AllowedPattern=SECRET_ARN)
    if WEBSOCKET_API in functions:
        add(WEB_SECRET, "ARN of the secret with websocketApi's DSN", AllowedPattern=SECRET_ARN)
        for parameter, variable in IDENTITY.items():
            add(parameter, f"{variable} of websocketApi: who may connect", Default="")
    for container in containers:
        add(f"Image{container.logical}", "Its image; empty: not pushed yet", Default="")
    for function in functions:
        add(function.code_parameter, "S3 key of its zip; empty: not stored yet", Default="")


def _add_outputs(
    template: Template, containers: list[Container], functions: list[Function]
) -> None:
    def add(name: str, value: object, condition: str | None = None) -> None:
        output = Output(name, Value=value)
        if condition:
            output.Condition = condition
        template.add_output(output)

    add("ClusterName", Ref("Cluster"))
    add("SubnetIds", Join(",", Ref("Subnets")))
    add("SecurityGroupIds", Join(",", Ref("SecurityGroups")))
    add("DatabaseRoleArn", GetAtt("DatabaseRole", "Arn"))
    add("EcsRunTaskArn", GetAtt("EcsRunTask", "Arn"), "HasEcsRunTask")
    add("DeadLettersUrl", Ref("DeadLetters"))
    for container in containers:
        add(
            f"{container.logical}RepositoryUri",
            GetAtt(f"{container.logical}Repository", "RepositoryUri"),
        )
    if WEBSOCKET_API in functions:
        url = "wss://${WebsocketGateway}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
        add("WebsocketUrl", Sub(f"{url}/{STAGE}"), f"Has{WEBSOCKET_API.logical}")


# AWS's limits (CloudFormation quotas; IAM quotas, "role inline policies"). Those on the numbers of
# resources, parameters and outputs troposphere knows.
BODY_LIMIT = 1_048_576
POLICY_LIMIT = 10_240
_LONGEST = {"Name": 35, "AWS::Partition": 10, "AWS::Region": 14, "AWS::AccountId": 12}
_ARN_OF_ROLE = 39 + 64


def check_template(template: dict[str, Any], body: bytes) -> list[str]:
    """Which limits of AWS a template breaks, one line each; many containers can do it."""
    told = []
    if len(body) > BODY_LIMIT:
        told.append(f"{len(body):,} bytes, and CloudFormation takes {BODY_LIMIT:,}")
    role = template["Resources"][f"{ECS_RUN_TASK.logical}Role"]["Properties"]
    size = sum(_longest(policy["PolicyDocument"]) for policy in role["Policies"])
    if size > POLICY_LIMIT:
        told.append(
            f"the role of {ECS_RUN_TASK.name} names every container, in up to {size:,} characters, "
            f"and IAM takes {POLICY_LIMIT:,}"
        )
    return [f"the template is too large: {each}. Use a second stage for some" for each in told]


def _longest(document: Any) -> int:
    """How many characters a policy has at most, once its names are put in."""

    def put_in(value: Any) -> Any:
        if isinstance(value, list):
            return [put_in(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "Fn::Sub" in value:
            fill = r"\$\{([^}]+)\}"
            return re.sub(fill, lambda found: "x" * _LONGEST.get(found[1], 64), value["Fn::Sub"])
        if "Fn::GetAtt" in value or "Ref" in value:
            return "x" * _ARN_OF_ROLE
        return {key: put_in(each) for key, each in value.items()}

    return len(json.dumps(put_in(document), separators=(",", ":")))
