"""A deployment that dies half way is gone on with; one at a time; what failed tells its reason."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber
from psycopg.conninfo import make_conninfo

from locaria.deploy.aws import Aws
from locaria.deploy.commands import Commands
from locaria.deploy.database import SiteDatabase
from locaria.deploy.destroy import destroy
from locaria.deploy.errors import DeployError
from locaria.deploy.settings import Settings
from locaria.deploy.stack import apply_stack
from locaria.local.postgres.server import PostgresServer
from tests.conftest import cloned
from tests.deploy.conftest import REGION, Account, Killed
from tests.deploy.state import left_behind

DATABASE_STEPS = ("upgrade", "ensure_login", "register", "save_parameter")


@pytest.fixture
def mortal(ready: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Dies not only at AWS's calls, but at docker's and at the database's, too."""

    def count(cls: type, name: str) -> None:
        real = getattr(cls, name)

        def step(self: Any, *words: Any, **given: Any) -> Any:
            if ready.wire.dead:
                raise Killed
            done = real(self, *words, **given)
            ready.wire.calls.append((cls.__name__, name))
            if ready.wire.dead:
                raise Killed
            return done

        monkeypatch.setattr(cls, name, step)

    count(Commands, "run")
    for name in DATABASE_STEPS:
        count(SiteDatabase, name)
    return ready


@pytest.fixture
def second_dsn(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The owner of a second database."""
    with cloned(pg_server, template, f"{request.node.nodeid} 2") as database:
        yield make_conninfo(database.dsn, sslmode="disable")


def test_a_deployment_that_dies_again_and_again_ends_as_one_that_did_not(
    mortal: Account, owner_dsn: str, second_dsn: str
) -> None:
    undisturbed = mortal.deploy()
    assert undisturbed.exit_code == 0, undisturbed.output
    steps = len(mortal.wire.changes)
    wanted = left_behind(mortal, owner_dsn)
    mortal.empty()
    mortal.environment["LOCARIA_DSN"] = second_dsn
    mortal.configure("test")

    deaths = 0
    while deaths < steps:
        mortal.wire.calls.clear()
        mortal.wire.die_after = 1 + 2 * deaths
        try:
            done = mortal.deploy()
        except Killed:
            deaths += 1
            continue
        break
    assert deaths > 4
    assert done.exit_code == 0, done.output
    assert left_behind(mortal, second_dsn) == wanted
    mortal.wire.die_after = None
    assert "Nothing to change." in mortal.deploy().output


def test_a_second_deployment_at_the_same_time_is_refused(ready: Account, owner_dsn: str) -> None:
    with SiteDatabase(owner_dsn).alone():
        said = ready.refused(5)
    assert "somebody deploys to this database now: locaria deploy by " in said
    assert ", pid " in said
    assert ready.deploy("--dry-run").exit_code == 0


def test_what_was_not_proved_is_proved_by_the_next(ready: Account) -> None:
    assert ready.deploy().exit_code == 0
    shown = ready.locaria("deploy", "--stage", "test", "--dry-run")
    assert "one file, by a task" in shown.output
    assert "insert into locaria.files" in shown.output
    target_proved(ready)
    again = ready.locaria("deploy", "--stage", "test", "--dry-run")
    assert "Nothing to change." in again.output
    changed = ready.locaria(
        "deploy", "--stage", "test", "--dry-run", "--container", "file_loader", "--rebuild"
    )
    assert "one file, by a task" in changed.output


def target_proved(account: Account) -> None:
    site = SiteDatabase(str(account.environment["LOCARIA_DSN"]))
    site.save_parameter("deployment", site.deployed() | {"proved": True})


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    told = {
        "StackId": "arn:locaria-test",
        "EventId": str(number),
        "StackName": "locaria-test",
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return told | ({"ResourceStatusReason": reason} if reason else {})


def stack(status: str) -> dict[str, Any]:
    return {
        "Stacks": [
            {
                "StackName": "locaria-test",
                "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
                "StackStatus": status,
                "Tags": [{"Key": "locaria", "Value": "locaria-test"}],
            }
        ]
    }


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Aws, Stubber]]:
    """CloudFormation as a list of answers: moto's stacks never fail."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    aws = Aws(REGION, dry_run=False, show=lambda line: None)
    with Stubber(aws.client("cloudformation")) as stub:
        yield aws, stub
        stub.assert_no_pending_responses()


def apply(aws: Aws) -> list[str]:
    said: list[str] = []
    apply_stack(aws, "locaria-test", "https://x", {"Name": "x"}, say=said.append, poll_s=0)
    return said


def expected(**more: object) -> dict[str, Any]:
    return {
        "StackName": "locaria-test",
        "TemplateURL": "https://x",
        "Parameters": [{"ParameterKey": "Name", "ParameterValue": "x"}],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": "locaria", "Value": "locaria-test"}],
        **more,
    }


def test_a_resource_that_can_t_be_created_is_told_with_its_reason(
    stubbed: tuple[Aws, Stubber],
) -> None:
    aws, stub = stubbed
    stub.add_client_error("describe_stacks", "ValidationError", "Stack x does not exist")
    stub.add_response("create_stack", {"StackId": "arn:x"}, expected(DisableRollback=True))
    stub.add_response("describe_stacks", stack("CREATE_IN_PROGRESS"))
    begun = event(1, "FileLoaderRepository", "CREATE_IN_PROGRESS")
    stub.add_response("describe_stack_events", {"StackEvents": [begun]})
    stub.add_response("describe_stacks", stack("CREATE_FAILED"))
    failed = [
        event(3, "Cluster", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "FileLoaderRepository", "CREATE_FAILED", "The repository exists already"),
        begun,
    ]
    stub.add_response("describe_stack_events", {"StackEvents": failed})
    with pytest.raises(DeployError) as caught:
        apply(aws)
    assert str(caught.value) == (
        "the stack is in CREATE_FAILED: FileLoaderRepository: The repository exists already"
    )
    assert caught.value.hint == "Put it right, then run the same command again."


def test_a_stack_that_stopped_half_way_is_gone_on_with_and_kept(
    stubbed: tuple[Aws, Stubber],
) -> None:
    aws, stub = stubbed
    stub.add_response("describe_stacks", stack("CREATE_FAILED"))
    stub.add_response("get_template", {"TemplateBody": "{}"})
    before = event(3, "Cluster", "CREATE_FAILED", "of the last time")
    stub.add_response("describe_stack_events", {"StackEvents": [before]})
    stub.add_response("update_stack", {"StackId": "arn:x"}, expected(DisableRollback=True))
    stub.add_response("describe_stacks", stack("UPDATE_COMPLETE"))
    done = event(4, "Cluster", "CREATE_COMPLETE")
    stub.add_response("describe_stack_events", {"StackEvents": [done, before]})
    assert apply(aws) == ["00:00:00 CREATE_COMPLETE Cluster"]


def test_an_update_that_is_rolled_back_tells_why(stubbed: tuple[Aws, Stubber]) -> None:
    aws, stub = stubbed
    stub.add_response("describe_stacks", stack("UPDATE_COMPLETE"))
    stub.add_response("get_template", {"TemplateBody": "{}"})
    stub.add_response("describe_stack_events", {"StackEvents": []})
    stub.add_response("update_stack", {"StackId": "arn:x"}, expected())
    stub.add_response("describe_stacks", stack("UPDATE_ROLLBACK_COMPLETE"))
    why = event(1, "EcsRunTask", "UPDATE_FAILED", "no such key")
    stub.add_response("describe_stack_events", {"StackEvents": [why]})
    with pytest.raises(DeployError, match="UPDATE_ROLLBACK_COMPLETE: EcsRunTask: no such key"):
        apply(aws)


def test_somebody_else_s_update_at_the_same_time_is_told(stubbed: tuple[Aws, Stubber]) -> None:
    aws, stub = stubbed
    stub.add_response("describe_stacks", stack("UPDATE_COMPLETE"))
    stub.add_response("get_template", {"TemplateBody": "{}"})
    stub.add_response("describe_stack_events", {"StackEvents": []})
    words = "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated."
    stub.add_client_error("update_stack", "ValidationError", words)
    with pytest.raises(DeployError, match=r"CloudFormation refused: .* can not be updated"):
        apply(aws)


def test_a_deletion_that_goes_on_already_is_waited_for(stubbed: tuple[Aws, Stubber]) -> None:
    aws, stub = stubbed
    leaving = stack("DELETE_IN_PROGRESS")
    leaving["Stacks"][0]["StackId"] = "arn:locaria-test"
    stub.add_response("describe_stacks", leaving)
    stub.add_response("get_template", {"TemplateBody": "{}"})
    stub.add_response("describe_stacks", leaving)
    stub.add_response("describe_stack_events", {"StackEvents": []})
    stub.add_response("describe_stacks", leaving, {"StackName": "arn:locaria-test"})
    stub.add_response("describe_stack_events", {"StackEvents": []})
    stub.add_response("describe_stacks", stack("DELETE_FAILED"))
    why = event(1, "Cluster", "DELETE_FAILED", "a task is still running")
    stub.add_response("describe_stack_events", {"StackEvents": [why]})
    settings = Settings("test", REGION, ["subnet-1"], ["sg-1"])
    with pytest.raises(DeployError, match="DELETE_FAILED: Cluster: a task is still running"):
        destroy(aws, settings, print, poll_s=0)
