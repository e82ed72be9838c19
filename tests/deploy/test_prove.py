"""A whole deployment: Aurora's side by the stand-in, which calls the deployed function's own zip.

moto keeps what was deployed (stack, zip, secrets, objects) and runs none of it. So the zip is taken
out of the bucket again and served as a Lambda function, ECS is the local one, and the database
calls the ARN that the deployment wrote into its parameters.
"""

import dataclasses
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from locaria.deploy.aws import Aws
from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import load_task_definitions
from locaria.local.aws.lambda_service.environment import LambdaFunction
from locaria.local.aws.lambda_service.queue import DeliveryRules, LambdaQueue
from locaria.resources import CONTAINERS
from tests.conftest import Database
from tests.deploy.conftest import CHOSEN, Account

STACK = "locaria-test"


def deployed_zip(account: Account, parameter: str, folder: Path) -> Path:
    """Unpack the zip that the stack's function was made from."""
    [stack] = account.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    values = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    s3 = account.client("s3")
    body = s3.get_object(Bucket=values["Bucket"], Key=values[parameter])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)
    return folder


@contextmanager
def serving(folder: Path, secrets: dict[str, str]) -> Iterator[LocalEcs]:
    """An ECS with the deployed cluster and families."""
    definitions = [
        dataclasses.replace(each, family=f"{STACK}-{name}", container=name)
        for name, each in load_task_definitions(CONTAINERS / "dockers.json").items()
    ]
    ecs = LocalEcs(
        folder, {each.family: each for each in definitions}, print, secrets=secrets, cluster=STACK
    )
    ecs.start()
    try:
        yield ecs
    finally:
        ecs.stop(timeout_s=1)


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "eu-central-1"])
def test_a_link_is_one_that_a_bucket_of_today_takes(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    aws = Aws(region, dry_run=True, show=print)
    place = {"Bucket": "locaria-test", "Key": "check/a.csv"}
    url = aws.client("s3").generate_presigned_url("get_object", Params=place)
    host = "s3" if region == "us-east-1" else f"s3.{region}"
    assert url.startswith(f"https://locaria-test.{host}.amazonaws.com/check/a.csv?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


def test_a_file_is_loaded_by_the_deployed_function_s_own_zip(
    account: Account, db: Database, owner_dsn: str, tmp_path: Path
) -> None:
    account.environment["LOCARIA_DSN"] = owner_dsn
    variables = {v for c in CHOSEN for v in c.secrets} - {"LOCARIA_DSN"}
    account.environment |= dict.fromkeys(variables, "value")
    account.configure("test")
    done = account.locaria("deploy", "--stage", "test", "--yes", "--no-prove")
    assert done.exit_code == 0, done.output

    with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute(
            "insert into aws_lambda.functions (function_name) values (%s)", [f"{STACK}-ecsRunTask"]
        )
    told = account.client("secretsmanager").get_secret_value(SecretId="locaria/test/LOCARIA_DSN")
    secrets = {"LOCARIA_FETCH_PRIVATE": "1", "LOCARIA_DSN": str(told["SecretString"])}
    folder = deployed_zip(account, "CodeEcsRunTask", tmp_path / "zip")
    rules = DeliveryRules(retry_delays_s=(), failure_destination=None)
    with serving(tmp_path / "ecs", secrets) as ecs:
        environment = {
            "AWS_REGION": "local",
            "AWS_DEFAULT_REGION": "local",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL_ECS": ecs.url,
        }
        function = LambdaFunction(f"{STACK}-ecsRunTask", folder / "ecs_run_task.py", environment)
        with LambdaQueue(db.superuser_dsn, [function], tmp_path / "lambda", rules):
            proved = account.locaria("deploy", "--stage", "test", "--yes", "--prove")
    assert proved.exit_code == 0, proved.output
    assert "Nothing to change" not in proved.output
    assert "was loaded by a task of locaria-test" in proved.output
    with psycopg.connect(db.dsn) as owner:
        [(tables, arn)] = owner.execute(
            "select (select count(*) from pg_tables where tablename like 'locaria_check%'), "
            "task_arn from locaria.tasks"
        ).fetchall()
    assert tables == 0, "nothing is left of the proof"
    assert f"task/{STACK}/" in arn
    s3 = account.client("s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="check/")["KeyCount"] == 0
