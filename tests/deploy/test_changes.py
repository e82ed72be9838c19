"""What changes between two deployments, and taking a stage away."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from locaria.deploy import zips
from locaria.resources import DOCKERS_JSON
from tests.conftest import Database
from tests.deploy.conftest import CHOSEN, REGION, Account

KEY = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd"
Offer = Callable[..., None]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Lets dockers.json have these entries."""

    def offer(*names: str) -> None:
        told = json.loads(DOCKERS_JSON.read_text())
        dockers = tmp_path / "dockers.json"
        dockers.write_text(json.dumps({name: told[name] for name in names}))
        listed = [each for each in CHOSEN if each.name in names]
        monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: listed)
        monkeypatch.setattr("locaria.deploy.target.DOCKERS_JSON", dockers)

    return offer


def parameters(account: Account) -> dict[str, str]:
    [told] = account.client("cloudformation").describe_stacks()["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in told["Parameters"]}


def families(account: Account) -> set[str]:
    found = account.client("ecs").list_task_definition_families(status="ACTIVE")["families"]
    return set(found)


def empty_repository(account: Account, name: str) -> None:
    """What CloudFormation does for `EmptyOnDelete`, which moto does not know."""
    ecr = account.client("ecr")
    images = ecr.list_images(repositoryName=f"locaria-test/{name}")["imageIds"]
    ecr.batch_delete_image(repositoryName=f"locaria-test/{name}", imageIds=images)


def ask(db: Database, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(db.dsn, row_factory=dict_row) as owner:
        return owner.execute(query).fetchall()  # type: ignore[arg-type]


def deployed(account: Account, *words: str) -> str:
    done = account.deploy(*words, COLUMNS="300")
    assert done.exit_code == 0, done.output
    return done.output


def test_a_container_that_is_taken_out_goes_and_its_files_say_why_they_wait(
    ready: Account, db: Database, offer: Offer
) -> None:
    # moto can't update resources whose condition does not hold: the policies for files and key
    ready.configure("test", "--files-bucket", "site-files", "--secrets-key", KEY)
    offer("file_loader", "place_finder")
    deployed(ready)
    with psycopg.connect(db.dsn) as owner:
        owner.execute("insert into locaria.files (container) values ('place_finder')")
    empty_repository(ready, "place_finder")

    offer("file_loader")
    said = deployed(ready)
    assert "1 files wait for it: they stay, and `why` tells them" in said
    assert "retired: place_finder" in said
    template = ready.client("cloudformation").get_template(StackName="locaria-test")
    assert "PlaceFinder" not in json.dumps(template["TemplateBody"]), "nor its task definition"
    left = ready.client("ecr").describe_repositories()["repositories"]
    assert [each["repositoryName"] for each in left] == ["locaria-test/file_loader"]
    [status] = ask(db, "select why from locaria.status")
    assert "container place_finder is not deployed any more" in status["why"]
    [config] = ask(
        db, "select parameter from locaria.parameters where parameter_name = 'fargate_config'"
    )
    assert set(config["parameter"]) == {"default", "file_loader"}
    assert "Nothing to change." in deployed(ready)


def test_one_container_alone_is_deployed_to_an_empty_account(ready: Account, db: Database) -> None:
    deployed(ready, "--container", "file_loader")
    assert families(ready) == {"locaria-test-file_loader"}
    pushed = [words[1] for words in ready.diary() if words[0] == "push"]
    assert len(pushed) == 1
    [row] = ask(
        db, "select parameter from locaria.parameters where parameter_name = 'fargate_config'"
    )
    assert "place_finder" not in row["parameter"], "there is nothing to start"
    deployed(ready)
    assert families(ready) == {f"locaria-test-{each.name}" for each in CHOSEN}


def test_a_secret_that_was_made_anew_or_whose_database_moved_is_put_right(
    ready: Account, db: Database
) -> None:
    deployed(ready)
    secrets, name = ready.client("secretsmanager"), "locaria/test/LOCARIA_DSN"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    said = deployed(ready)
    assert "login locaria_test_loader is in locaria_loader" in said
    told = secrets.get_secret_value(SecretId=name)["SecretString"]
    with psycopg.connect(told) as loader:
        loader.execute("select locaria.start_task('file_loader')")
    assert "Nothing to change." in deployed(ready)

    ready.configure("test", "--database-host", "db.example.org", "--database-port", "5433")
    said = deployed(ready)
    assert "new address of the database" in said
    assert "--secret-string '***'" in said
    moved = conninfo_to_dict(secrets.get_secret_value(SecretId=name)["SecretString"])
    assert (moved["host"], moved["port"]) == ("db.example.org", "5433")
    assert moved["password"] == conninfo_to_dict(told)["password"]
    assert "Nothing to change." in deployed(ready)

    own = secrets.create_secret(Name="ours", SecretString='{"username": "x"}')["ARN"]
    ready.configure("test", "--secret", f"LOCARIA_DSN={own}")
    deployed(ready)
    assert parameters(ready)["SecretLocariaDsn"] == own
    assert secrets.get_secret_value(SecretId="ours")["SecretString"] == '{"username": "x"}'


def test_a_changed_setting_function_or_login_is_brought_there_and_nothing_else(
    ready: Account, db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready.configure("test", "--identity", "web_origins=https://a.example.org")
    deployed(ready)
    before = parameters(ready)
    assert before["WebOrigins"] == "https://a.example.org"
    ready.configure("test", "--identity", "web_origins=")
    assert "WebOrigins = " in deployed(ready)
    assert changed(ready, before) == {"WebOrigins"}
    assert parameters(ready)["WebOrigins"] == "", "what is taken away is taken away there, too"

    before, real, copy = parameters(ready), zips.build_zips, tmp_path / "lambda"
    shutil.copytree(zips.LAMBDA, copy)
    with (copy / "ecs_run_task" / "ecs_run_task.py").open("a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(zips, "build_zips", lambda architecture: real(architecture, copy))
    deployed(ready)
    assert changed(ready, before) == {"CodeEcsRunTask"}

    told = ready.client("secretsmanager").get_secret_value(SecretId="locaria/test/web")
    with psycopg.connect(told["SecretString"]) as web:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web.execute("select from locaria.status")
        web.rollback()
        web.execute("set role locaria_reader")
        web.execute("select from locaria.status")
    with psycopg.connect(db.dsn, autocommit=True) as owner:  # somebody's hand
        owner.execute("alter role locaria_test_web inherit")
    assert "login locaria_test_web is in" in deployed(ready)


def changed(account: Account, before: dict[str, str]) -> set[str]:
    after = parameters(account)
    return {name for name in after if after[name] != before.get(name)}


def test_a_dry_run_of_a_change_shows_each_call_and_makes_none(ready: Account) -> None:
    rds = ready.client("rds")
    facts = {"DBClusterIdentifier": "site", "Engine": "aurora-postgresql"}
    rds.create_db_cluster(**facts, MasterUsername="owner", MasterUserPassword="for tests only")
    ready.configure("test", "--db-cluster", "site")
    ready.wire.calls.clear()
    shown = deployed(ready, "--dry-run")
    assert shown.count("aws cloudformation create-stack ") == 1
    assert shown.count("aws cloudformation update-stack ") == 1
    assert "aws rds add-role-to-db-cluster --db-cluster-identifier site" in shown
    assert "create role locaria_test_loader login password '***'" in shown
    assert "aws s3api put-public-access-block" in shown
    assert ready.wire.changes == []
    assert {words[0] for words in ready.diary()} <= {"buildx", "info"}
    assert not [words for words in ready.diary() if words[:2] == ["buildx", "build"]]

    made = deployed(ready)
    calls = [line for line in made.splitlines() if line.startswith("aws ")]
    dry = [line for line in shown.splitlines() if line.startswith("aws ")]
    assert [line.split()[:3] for line in calls] == [line.split()[:3] for line in dry]


def test_destroy_stops_what_runs_and_again_there_is_nothing_to_destroy(ready: Account) -> None:
    deployed(ready)
    ecs = ready.client("ecs")
    network = {"subnets": ready.network["subnets"][:1], "securityGroups": []}
    [task] = ecs.run_task(
        cluster="locaria-test",
        launchType="FARGATE",
        taskDefinition="locaria-test-file_loader",
        networkConfiguration={"awsvpcConfiguration": network},
    )["tasks"]
    for name in CHOSEN:
        empty_repository(ready, name.name)
    words = ["destroy", "--stage", "test"]
    ready.wire.calls.clear()
    shown = ready.locaria(*words, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "1 running tasks, which are stopped: their files wait" in shown.output
    assert f"aws ecs stop-task --cluster locaria-test --task {task['taskArn']}" in shown.output
    assert "aws cloudformation delete-stack --stack-name locaria-test" in shown.output
    assert ready.wire.changes == []
    for answer in ("\n", "prod\n", ""):
        asked = ready.locaria(*words, answer=answer)
        assert asked.exit_code == 1
        assert ready.wire.changes == []

    gone = ready.locaria(*words, "--yes")
    assert gone.exit_code == 0, gone.output
    assert ready.wire.changes == [("ecs", "StopTask"), ("cloudformation", "DeleteStack")]
    again = ready.locaria(*words, "--yes")
    assert again.exit_code == 0, again.output
    assert "There is no stack locaria-test: nothing to destroy." in again.output
    kept = [each["Name"] for each in ready.client("s3").list_buckets()["Buckets"]]
    assert kept == [f"locaria-test-123456789012-{REGION}"]
    secrets = ready.client("secretsmanager").list_secrets()["SecretList"]
    assert len(secrets) == 3
