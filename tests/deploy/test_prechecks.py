"""Bad input: each said before anything is changed, by a clear line and an exit code."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.backends import get_backend

from locaria.deploy.containers import load_containers
from locaria.deploy.database_checks import complaints
from locaria.deploy.functions import list_functions
from locaria.deploy.settings_file import FILE
from locaria.deploy.stack import HEALTHY, Stack, check_state
from locaria.deploy.template import build_template, check_template
from tests.conftest import Database
from tests.deploy.conftest import CHOSEN, REGION, Account

USAGE, UNREACHABLE, REFUSED = 2, 4, 5


def test_what_is_given_wrong_is_told_as_usage(ready: Account) -> None:
    unknown = ready.locaria("deploy", "--stage", "staging", "--yes")
    assert unknown.exit_code == USAGE
    assert 'there is no stage "staging"' in unknown.output
    assert "known: test" in unknown.output
    assert 'there is no AWS region "eu-west-9"' in ready.refused(USAGE, "--region", "eu-west-9")
    assert 'there is no container "none"' in ready.refused(USAGE, "--container", "none")
    assert "--rebuild needs --container" in ready.refused(USAGE, "--rebuild")
    assert "no database" in ready.refused(USAGE, LOCARIA_DSN=None)
    assert "can't be read" in (said := ready.refused(USAGE, LOCARIA_DSN="host=x canary"))
    assert "canary" not in said
    with (ready.folder / FILE).open("a") as file:
        file.write("regoin = 1\n")
    assert "regoin is not a setting; region is" in ready.refused(USAGE)


def test_credentials_are_asked_for_in_words(ready: Account) -> None:
    said = ready.refused(REFUSED, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert "no AWS credentials" in said
    assert "aws sso login" in said
    assert "could not be found" in ready.refused(REFUSED, "--profile", "nobody")
    for code, told in (
        ("ExpiredToken", "these AWS credentials have expired"),
        ("InvalidClientTokenId", "AWS does not take these credentials"),
        ("AccessDenied", "not allowed: sts:GetCallerIdentity"),
    ):
        ready.wire.faults = {("sts", "GetCallerIdentity"): (code, "says AWS")}
        assert f"{told}: says AWS" in ready.refused(REFUSED).replace(
            "sts:GetCallerIdentity: says", "sts:GetCallerIdentity: says"
        )
    ready.wire.faults = {("ec2", "DescribeSubnets"): ("RequestExpired", "Request has expired")}
    assert "these AWS credentials have expired" in ready.refused(REFUSED)
    ready.wire.faults = {}
    said = ready.refused(REFUSED, AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert "Could not connect to the endpoint URL" in said
    ready.configure("test", "--account", "999999999999")
    assert "these credentials belong to account 123456789012" in ready.refused(REFUSED)


def test_a_network_that_does_not_fit_is_told(ready: Account) -> None:
    said = ready.refused(REFUSED, "--region", "eu-west-2")
    assert "does not exist" in said
    assert "Is eu-west-2 the right region for stage test?" in said
    ready.configure("test", "--function-subnet", "subnet-00000000")
    assert "does not exist" in ready.refused(REFUSED)
    ready.configure("test", "--function-subnet", "", "--security-group", "sg-00000000")
    assert "sg-00000000" in ready.refused(REFUSED)
    ec2 = ready.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    ready.configure("test", "--function-subnet", other)
    said = ready.refused(REFUSED)
    assert "subnets and security groups are in different VPCs" in said
    assert vpc in said


def test_a_database_that_can_t_be_reached_is_told_without_its_password(ready: Account) -> None:
    wrong = "postgresql://nobody:canary@127.0.0.1:1/nowhere"
    said = ready.refused(UNREACHABLE, LOCARIA_DSN=wrong)
    assert "can't connect to the database" in said
    assert "canary" not in said
    ready.configure("test", "--db-cluster", "absent")
    assert "DBCluster absent: " in ready.refused(REFUSED)


GOOD_FACTS: dict[str, Any] = {
    "version": 150003,
    "me": "owner",
    "name": "gis",
    "is_replica": False,
    "may_create": True,
    "other_owner": None,
    "has_schema": False,
    "may_extend": False,
    "offers_lambda": True,
    "may_invoke": True,
    "may_name": True,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"version": 130014}, "a PostgreSQL 13, and Locaria needs 14 or newer"),
        ({"is_replica": True}, "a read replica: give the writer's address"),
        ({"may_create": False}, "grant create on database gis to owner"),
        ({"may_create": False, "has_schema": True}, None),
        ({"has_schema": True, "other_owner": "gis_owner"}, "connect as gis_owner"),
        ({"may_invoke": False}, "may not call aws_lambda.invoke. As rds_superuser: grant usage"),
        ({"may_name": False}, "may not call aws_lambda.invoke. As rds_superuser: grant usage"),
        ({"may_invoke": None}, "As rds_superuser: create extension aws_lambda cascade"),
        ({"may_invoke": None, "may_extend": True}, None),
        ({"may_invoke": None, "offers_lambda": False}, "has no extension aws_lambda"),
    ],
    ids=str,
)
def test_what_a_database_lacks_is_told(change: dict[str, Any], said: str | None) -> None:
    told = complaints(GOOD_FACTS | change)
    assert told == [] if said is None else said in told[0]


@contextmanager
def changed(db: Database, before: str, after: str) -> Iterator[None]:
    """Something that a superuser changes for a while."""
    with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute(before)  # type: ignore[arg-type]
        try:
            yield
        finally:
            superuser.execute(after)  # type: ignore[arg-type]


def test_an_owner_without_rights_is_told_before_anything_is_made(
    ready: Account, db: Database
) -> None:
    role = "alter role locaria_owner"
    with changed(db, f"{role} nocreaterole", f"{role} createrole"):
        said = ready.refused(REFUSED)
    assert "locaria_owner may make no logins: alter role locaria_owner createrole" in said
    schema = "usage on schema aws_lambda"
    with changed(db, f"revoke {schema} from locaria_owner", f"grant {schema} to locaria_owner"):
        assert "may not call aws_lambda.invoke" in ready.refused(REFUSED)
    with changed(
        db, "alter schema aws_lambda rename to away", "alter schema away rename to aws_lambda"
    ):
        assert "this server has no extension aws_lambda" in ready.refused(REFUSED)
    with changed(
        db,
        "alter schema locaria owner to postgres",
        "alter schema locaria owner to locaria_owner",
    ):
        assert "schema locaria is postgres's" in ready.refused(REFUSED)


def test_a_group_that_the_owner_may_not_give_away_is_told(ready: Account, db: Database) -> None:
    """From PostgreSQL 16 on; before it, CREATEROLE is enough."""
    with db.connect() as owner:
        if owner.info.server_version < 160000:
            pytest.skip("before PostgreSQL 16 CREATEROLE gives any group away")
    grant = "grant locaria_events to locaria_owner with admin true, inherit false, set false"
    with changed(db, "revoke locaria_events from locaria_owner cascade", grant):
        said = ready.refused(REFUSED)
    assert "locaria_owner may not give locaria_events to a login" in said


def test_a_database_of_another_stage_is_refused(ready: Account) -> None:
    assert ready.deploy().exit_code == 0
    ready.configure("prod")
    ready.wire.calls.clear()
    done = ready.locaria("deploy", "--stage", "prod", "--yes", "--no-prove")
    assert done.exit_code == REFUSED
    assert "this database belongs to stage test in account 123456789012, eu-west-1" in done.output
    assert ready.wire.changes == []


STATES = (
    boto3.Session().client("cloudformation", REGION).meta.service_model.shape_for("StackStatus")
)


@pytest.mark.parametrize("status", sorted({*STATES.enum} - {"DELETE_COMPLETE"}))
def test_every_state_of_a_stack_can_be_changed_or_is_told_with_what_to_do(status: str) -> None:
    said = check_state(Stack("locaria-test", status, "because"), "test")
    if status in HEALTHY:
        assert said is None
        return
    assert said is not None
    assert f"the stack locaria-test is in {status} (because): " in said
    command = "locaria destroy --stage test" if status.startswith(("ROLL", "DEL")) else "aws "
    if status.endswith("IN_PROGRESS"):
        command = "aws cloudformation"
    assert command in said
    assert "{" not in said


def test_a_stack_that_takes_no_changes_is_told_first(ready: Account) -> None:
    template = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    made = {"StackName": "locaria-test", "TemplateBody": template}
    cloudformation = ready.client("cloudformation")
    cloudformation.create_stack(**made)
    said = ready.refused(REFUSED)
    assert "there is a stack locaria-test that Locaria did not make" in said
    destroyed = ready.locaria("destroy", "--stage", "test", "--yes")
    assert destroyed.exit_code == REFUSED
    assert "is not Locaria's" in destroyed.output

    [stack] = get_backend("cloudformation")["123456789012"][REGION].stacks.values()
    stack.tags = {"locaria": "locaria-test"}
    for status, words in (
        ("ROLLBACK_COMPLETE", "locaria destroy --stage test"),
        ("UPDATE_IN_PROGRESS", "aws cloudformation wait stack-update-complete"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ):
        stack.status = status
        said = ready.refused(REFUSED)
        assert f"the stack locaria-test is in {status}" in said
        assert words in said
    stack.status = "UPDATE_IN_PROGRESS"
    busy = ready.locaria("destroy", "--stage", "test", "--yes")
    assert busy.exit_code == REFUSED
    assert "somebody changes it now" in busy.output
    assert ready.wire.changes == []


def test_an_image_over_its_limit_is_told_before_anything_is_changed(ready: Account) -> None:
    ready.wire.calls.clear()
    done = ready.deploy(FAKE_IMAGE_BYTES=str(9 * 2**30))
    assert done.exit_code == REFUSED
    assert "the image of file_loader has 9,216 MiB, and its limit is 2,048" in done.output
    assert ready.wire.changes == []


def test_who_has_neither_docker_nor_buildah_is_told(ready: Account) -> None:
    (ready.folder / "bin" / "docker").unlink()
    said = ready.refused(REFUSED, PATH=str(ready.folder / "bin"))
    assert "nothing here can build images" in said
    assert "apt-get install buildah" in said


def test_a_bucket_of_somebody_else_is_not_used(ready: Account) -> None:
    ready.wire.faults = {("s3", "HeadBucket"): ("403", "Forbidden")}
    said = ready.refused(REFUSED)
    assert f"the bucket locaria-test-123456789012-{REGION} belongs to another account" in said


@pytest.fixture
def with_api_key(ready: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """dockers.json asks for a secret of the site's own."""
    asking = dataclasses.replace(CHOSEN[0], secrets=("API_KEY", "LOCARIA_DSN"))
    monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: [asking])
    return ready


def test_secrets_that_are_not_there_are_told(with_api_key: Account) -> None:
    ready = with_api_key
    assert "export API_KEY=… to make it" in ready.refused(REFUSED)
    assert "export API_KEY=… to make it" in ready.refused(REFUSED, API_KEY="")
    gone = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:nothing-AbCdEf"
    ready.configure("test", "--secret", f"API_KEY={gone}")
    assert f"the secret {gone} of locaria.toml is not there" in ready.refused(REFUSED)
    ready.configure("test", "--secret", "API_KEY=", "--owner-secret", gone)
    said = ready.refused(REFUSED, LOCARIA_DSN=None)
    assert f"the secret {gone} (owner_secret in locaria.toml) is not there" in said
    ready.configure("test", "--owner-secret", "")
    secrets = ready.client("secretsmanager")
    secrets.create_secret(Name="locaria/test/API_KEY", SecretString="x")
    secrets.delete_secret(SecretId="locaria/test/API_KEY", RecoveryWindowInDays=7)
    said = ready.refused(REFUSED)
    assert "the secret locaria/test/API_KEY is being deleted" in said
    assert "aws secretsmanager restore-secret --secret-id locaria/test/API_KEY" in said


def test_dockers_json_that_breaks_its_schema_is_told(
    ready: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockers = tmp_path / "dockers.json"
    dockers.write_text('{"one": {"description": "x", "type": "loader", "cpu": 1}}')
    monkeypatch.setattr(
        "locaria.deploy.containers.load_containers", lambda: load_containers(dockers)
    )
    said = ready.refused(USAGE)
    assert "one: 'entry_point' is a required property" in said
    assert "one.cpu: 1 is not one of" in said


def test_a_template_over_aws_s_limits_is_told(
    ready: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [dataclasses.replace(CHOSEN[0], name=f"loader_{n}") for n in range(100)]
    template = json.loads(build_template(many[:25], list_functions()).to_json())
    assert check_template(template, b"") == []
    [said] = check_template(template, b"x" * 1_048_577)
    assert "1,048,577 bytes, and CloudFormation takes 1,048,576" in said
    monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: many[:40])
    assert "the role of ecsRunTask names every container" in ready.refused(REFUSED)
    monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: many)
    assert "Maximum number of resources 500 reached" in ready.refused(USAGE)


def test_a_wheel_that_is_missing_is_told(ready: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from locaria.deploy import zips  # noqa: PLC0415 - patched here

    def fails(*_: object) -> Callable[[], None]:
        raise zips.ZipError("task_events: no wheel for psycopg")

    monkeypatch.setattr("locaria.deploy.zips.build_zips", fails)
    assert "task_events: no wheel for psycopg" in ready.refused(USAGE)
