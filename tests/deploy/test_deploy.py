"""`locaria deploy` and `destroy` against moto, which checks every request, and a real Postgres."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from locaria.local.postgres.server import PostgresServer
from locaria.resources import DOCKERS_JSON
from tests.conftest import Database, cloned
from tests.deploy.conftest import CHOSEN, REGION, Account

NAMES = [container.name for container in CHOSEN]
BUCKET = f"locaria-test-123456789012-{REGION}"


def deploy(account: Account, *words: str, **variables: str | None) -> Result:
    return account.deploy(*words, **variables)


def stack_of(account: Account, stage: str = "test") -> dict[str, Any]:
    [told] = account.client("cloudformation").describe_stacks(StackName=f"locaria-{stage}")[
        "Stacks"
    ]
    assert isinstance(told, dict)
    told["Parameters"] = {p["ParameterKey"]: p["ParameterValue"] for p in told["Parameters"]}
    return told


def families(account: Account) -> set[str]:
    found = account.client("ecs").list_task_definition_families(status="ACTIVE")["families"]
    return set(found)


def empty_repositories(account: Account, stage: str) -> None:
    """What CloudFormation does for `EmptyOnDelete`, which moto does not know."""
    ecr = account.client("ecr")
    for name in NAMES:
        repository = f"locaria-{stage}/{name}"
        images = ecr.list_images(repositoryName=repository)["imageIds"]
        ecr.batch_delete_image(repositoryName=repository, imageIds=images)


def nothing_was_made(account: Account) -> bool:
    made = account.client("cloudformation").describe_stacks()["Stacks"]
    made += account.client("s3").list_buckets()["Buckets"]
    made += account.client("secretsmanager").list_secrets()["SecretList"]
    return not made


def secret(account: Account, name: str) -> str:
    told = account.client("secretsmanager").get_secret_value(SecretId=name)
    return str(told["SecretString"])


def test_an_empty_account_is_deployed_to_and_again_nothing_changes(
    ready: Account, db: Database
) -> None:
    db.connect().execute("delete from locaria.parameters where parameter_name = 'deployment'")
    ready.wire.calls.clear()
    done = deploy(ready)
    assert done.exit_code == 0, done.output
    role = ("iam", "CreateServiceLinkedRole")
    assert ready.wire.changes[0] == role, "else ECS could not make an account's first cluster"
    stack = stack_of(ready)
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    arn = r"arn:aws:secretsmanager:eu-west-1:123456789012:secret:locaria/test/LOCARIA_DSN-\w{6}"
    assert re.fullmatch(arn, stack["Parameters"]["SecretLocariaDsn"]), "ECS needs the suffix, too"
    assert families(ready) == {f"locaria-test-{name}" for name in NAMES}
    calls = [words[0] for words in ready.diary() if words[0] in ("login", "tag", "push")]
    assert calls == ["login", *["tag", "push"] * len(NAMES)]
    build = next(words for words in ready.diary() if words[:2] == ["buildx", "build"])
    assert "--platform=linux/amd64" in build

    # What a task gets opens the database, as a loader and as nothing else.
    with psycopg.connect(secret(ready, "locaria/test/LOCARIA_DSN")) as loader:
        loader.execute("select locaria.start_task('file_loader')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.execute("select from locaria.files")
    with psycopg.connect(secret(ready, "locaria/test/events")) as events:
        events.execute("select locaria.tick()")

    with psycopg.connect(db.dsn, row_factory=dict_row) as owner:
        row = owner.execute(
            "select parameter from locaria.parameters where parameter_name = 'fargate_config'"
        ).fetchone()
    assert row is not None
    config = row["parameter"]
    assert config["default"]["arn"].endswith(":123456789012:function:locaria-test-ecsRunTask")
    assert config["default"]["cluster"] == "locaria-test"
    assert config["default"]["subnets"] == ready.network["subnets"]
    assert config["file_loader"]["task"] == "locaria-test-file_loader"

    [rule] = ready.client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    before, updated = ready.diary(), stack.get("LastUpdatedTime")
    again = deploy(ready)
    assert again.exit_code == 0, again.output
    assert "Nothing to change." in again.output
    assert ready.diary()[len(before) :] == []
    assert stack_of(ready).get("LastUpdatedTime") == updated


def test_a_failing_push_is_told_and_the_next_deployment_goes_on_from_there(
    ready: Account,
) -> None:
    failed = deploy(ready, FAKE_PUSH_FAILS="yes")
    assert failed.exit_code == 1
    assert "docker failed (exit code 1)" in failed.output
    assert "denied: requested access" in failed.output
    assert families(ready) == set(), "no task definition names an image that is not there"
    made = secret(ready, "locaria/test/LOCARIA_DSN")

    done = deploy(ready)
    assert done.exit_code == 0, done.output
    assert families(ready) == {f"locaria-test-{name}" for name in NAMES}
    assert secret(ready, "locaria/test/LOCARIA_DSN") == made, "what was there is kept"


def test_a_new_container_is_built_pushed_and_known_and_the_rest_untouched(
    ready: Account, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offer(*names: str) -> None:
        """Let dockers.json have these entries."""
        told = json.loads(DOCKERS_JSON.read_text())
        dockers = tmp_path / "dockers.json"
        dockers.write_text(json.dumps({name: told[name] for name in names}))
        listed = [each for each in CHOSEN if each.name in names]
        monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: listed)
        monkeypatch.setattr("locaria.deploy.target.DOCKERS_JSON", dockers)

    def in_database() -> tuple[set[str], dict[str, Any]]:
        with psycopg.connect(db.dsn) as owner:
            row = owner.execute(
                "select array(select name from locaria.containers), "
                "  (select parameter from locaria.parameters "
                "    where parameter_name = 'fargate_config')"
            ).fetchone()
        assert row is not None
        return set(row[0]), row[1]

    # moto can't update resources whose condition does not hold: the policies for files and key
    key = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd"
    ready.configure("test", "--files-bucket", "site-files", "--secrets-key", key)
    offer("file_loader")
    assert deploy(ready).exit_code == 0
    stack, calls = stack_of(ready)["Parameters"], len(ready.diary())
    assert families(ready) == {"locaria-test-file_loader"}
    assert "place_finder" not in in_database()[0]
    definitions = ready.client("ecs").list_task_definitions()["taskDefinitionArns"]
    with psycopg.connect(db.dsn) as owner:  # what a person adds stays
        owner.execute(
            "update locaria.parameters set parameter = "
            "jsonb_set(parameter, '{file_loader, capacity_provider}', '\"FARGATE_SPOT\"') "
            "where parameter_name = 'fargate_config'"
        )

    offer("file_loader", "place_finder")
    done = deploy(ready, COLUMNS="300")
    assert done.exit_code == 0, done.output
    plan = done.output[: done.output.index("building")].splitlines()
    changes = [line.split()[0] for line in plan[2:] if line[:1].strip() and "as it is" not in line]
    assert changes == ["image", "stack", "containers", "parameters"]
    [image] = [line for line in plan if "build, push" in line]
    assert "/locaria-test/place_finder:" in image
    assert "new: PlaceFinderExecutionRole" in done.output

    words = [each for each in ready.diary()[calls:] if each[0] in ("buildx", "tag", "push")]
    words = [each for each in words if each[1] != "version"]
    assert [each[0] for each in words] == ["buildx", "tag", "push"]
    assert all("place_finder" in " ".join(each) for each in words)
    now = stack_of(ready)["Parameters"]
    assert {name for name in now if now[name] != stack.get(name)} == {"ImagePlaceFinder"}
    assert families(ready) == {f"locaria-test-{name}" for name in NAMES}
    left = ready.client("ecs").list_task_definitions()["taskDefinitionArns"]
    assert set(definitions) < set(left), "the other's revision is the one that it was"
    known, config = in_database()
    assert "place_finder" in known
    assert config["place_finder"] == {"task": "locaria-test-place_finder"}
    assert config["file_loader"]["capacity_provider"] == "FARGATE_SPOT"
    assert "Nothing to change." in deploy(ready).output


def test_one_image_is_rebuilt_and_the_others_stay(ready: Account) -> None:
    assert deploy(ready).exit_code == 0
    before, calls = stack_of(ready)["Parameters"], len(ready.diary())
    done = deploy(ready, "--container", "file_loader", "--rebuild")
    assert done.exit_code == 0, done.output
    after = stack_of(ready)["Parameters"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"ImageFileLoader"}
    assert after["ImageFileLoader"].startswith(before["ImageFileLoader"] + "-")
    builds = [words for words in ready.diary()[calls:] if words[:2] == ["buildx", "build"]]
    assert len(builds) == 1
    assert "Nothing to change." in deploy(ready).output, "the rebuilt image counts as this content"


@pytest.fixture
def other_dsn(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The owner of a second database."""
    with cloned(pg_server, template, f"{request.node.nodeid} 2") as database:
        yield make_conninfo(database.dsn, sslmode="disable")


def test_stages_stand_side_by_side_and_one_can_go(ready: Account, other_dsn: str) -> None:
    ready.configure("prod")
    assert deploy(ready).exit_code == 0
    words = ["deploy", "--stage", "prod", "--yes", "--no-prove"]
    other = ready.locaria(*words, LOCARIA_DSN=other_dsn)
    assert other.exit_code == 0, other.output
    assert families(ready) == {f"locaria-{s}-{n}" for s in ("test", "prod") for n in NAMES}

    asked = ready.locaria("destroy", "--stage", "test", answer="no\n")
    assert asked.exit_code == 1
    assert stack_of(ready)["StackStatus"].endswith("COMPLETE")
    empty_repositories(ready, "test")
    gone = ready.locaria("destroy", "--stage", "test", answer="test\n")
    assert gone.exit_code == 0, gone.output
    assert "the bucket " + BUCKET in gone.output
    living = ready.client("cloudformation").describe_stacks()["Stacks"]
    assert [each["StackName"] for each in living] == ["locaria-prod"]
    kept = [each["Name"] for each in ready.client("s3").list_buckets()["Buckets"]]
    assert BUCKET in kept
    login = secret(ready, "locaria/test/LOCARIA_DSN")

    back = deploy(ready)
    assert back.exit_code == 0, back.output
    assert secret(ready, "locaria/test/LOCARIA_DSN") == login


def test_a_dry_run_prints_every_command_and_call_and_does_none(
    ready: Account, db: Database
) -> None:
    db.connect().execute("delete from locaria.parameters where parameter_name = 'deployment'")
    shown = deploy(ready, "--dry-run", "--prove")
    assert shown.exit_code == 0, shown.output
    for line in (
        "docker buildx build --platform=linux/amd64",
        f"aws s3api create-bucket --bucket {BUCKET}",
        "aws secretsmanager create-secret --name locaria/test/LOCARIA_DSN",
        "--secret-string '***'",
        "aws cloudformation create-stack --stack-name locaria-test",
        "docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "docker push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/locaria-test/file_loader:",
        "locaria db upgrade",
        "insert into locaria.files",
    ):
        assert line in shown.output
    assert nothing_was_made(ready)
    assert not any(words[0] in ("login", "push", "tag") for words in ready.diary())
    assert not any(words[:2] == ["buildx", "build"] for words in ready.diary())


def test_the_role_is_attached_to_the_database_that_calls_lambda(ready: Account) -> None:
    rds = ready.client("rds")
    facts = {"DBInstanceClass": "db.t3.medium", "Engine": "postgres", "AllocatedStorage": 20}
    login = {"MasterUsername": "owner", "MasterUserPassword": "for tests only"}
    rds.create_db_instance(DBInstanceIdentifier="site", **facts, **login)
    ready.configure("test", "--db-instance", "site")
    done = deploy(ready)
    assert done.exit_code == 0, done.output
    [role] = rds.describe_db_instances(DBInstanceIdentifier="site")["DBInstances"][0][
        "AssociatedRoles"
    ]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack_of(ready)["Outputs"]}
    assert role["RoleArn"] == outputs["DatabaseRoleArn"]
    assert role["FeatureName"] == "Lambda"
    assert "Nothing to change." in deploy(ready).output
