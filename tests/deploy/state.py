"""What a deployment leaves behind, in words that two of them can be compared by."""

import json
import re
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.deploy.conftest import Account

# What AWS makes up anew each time: numbers of subnets, groups and secrets, names of roles.
RANDOM = (
    (re.compile(r"\b(subnet|sg|vpc)-[0-9a-f]+"), r"\1"),
    (re.compile(r"(:secret:[\w/]+)-\w{6}\b"), r"\1"),
    (re.compile(r"(role/locaria-\w+-[A-Za-z]+)-\w+"), r"\1"),
    (re.compile(r"(queue\.amazonaws\.com|127\.0\.0\.1:\d+)"), "aws"),
)
DATABASE = """
    select
      (select jsonb_object_agg(p.parameter_name, p.parameter) from locaria.parameters p
        where p.parameter_name in ('fargate_config', 'deployment')) as parameters,
      (select jsonb_agg(to_jsonb(c) - '{last_update}'::text[] order by c.name)
        from locaria.containers c) as containers,
      (select count(*) from locaria.files) as files,
      (select jsonb_agg(r.rolname || ' in ' || g.rolname order by r.rolname, g.rolname)
        from pg_roles r join pg_auth_members m on m.member = r.oid
          join pg_roles g on g.oid = m.roleid
        where r.rolname like 'locaria\\_test\\_%') as logins
"""


def left_behind(account: Account, dsn: str) -> Any:
    """Everything that is in the account and in the database."""
    s3, ecr, ecs = (account.client(each) for each in ("s3", "ecr", "ecs"))
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    definitions = ecs.list_task_definitions()["taskDefinitionArns"]
    secrets = account.client("secretsmanager").list_secrets()["SecretList"]
    told = {
        "buckets": buckets,
        "closed": [s3.get_public_access_block(Bucket=each) for each in buckets],
        "objects": [o["Key"] for b in buckets for o in s3.list_objects_v2(Bucket=b)["Contents"]],
        "secrets": sorted(each["Name"] for each in secrets),
        "images": {
            each["repositoryName"]: ecr.list_images(repositoryName=each["repositoryName"])
            for each in ecr.describe_repositories()["repositories"]
        },
        "tasks": [ecs.describe_task_definition(taskDefinition=each) for each in definitions],
        "stacks": [
            {key: stack[key] for key in ("StackName", "Parameters", "Outputs", "Tags")}
            for stack in account.client("cloudformation").describe_stacks()["Stacks"]
        ],
    }
    with psycopg.connect(dsn, row_factory=dict_row) as owner:
        told["database"] = owner.execute(DATABASE).fetchone()
    told = {key: _without_answers(value) for key, value in told.items()}
    text = json.dumps(told, default=str, sort_keys=True)
    for pattern, instead in RANDOM:
        text = pattern.sub(instead, text)
    return json.loads(text)


def _without_answers(value: Any) -> Any:
    if isinstance(value, dict):
        apart = ("ResponseMetadata", "registeredAt", "imageDigest")
        return {key: _without_answers(each) for key, each in value.items() if key not in apart}
    return [_without_answers(each) for each in value] if isinstance(value, list) else value
