"""An INSERT never fails, and waits briefly at most, when AWS is slow, down or badly configured."""

import time

import pytest

from tests.sql.scenario import Scenario, refused


def short_timeouts(scene: Scenario) -> None:
    scene.set_parameter("dispatch_config", connect_timeout_ms=30, request_timeout_ms=30)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("unreachable", "Unable to connect to endpoint"),
        ("slow", "Timeout was reached"),
        ("denied", "permission denied for function invoke"),
        ("throttled", "Rate Exceeded"),
    ],
)
def test_a_failing_lambda_does_not_fail_inserts_and_is_called_once(
    scene: Scenario, fault: str, said: str
) -> None:
    short_timeouts(scene)
    start = scene.at(seconds=0)
    scene.fault(fault)
    file = scene.insert_file()
    (dispatch,) = scene.dispatches()
    assert dispatch["status"] == "pending"
    assert said in dispatch["error"]
    assert (dispatch["next_try"] - start).total_seconds() == 2
    accepted = len(scene.invocations())
    assert accepted == (1 if fault == "slow" else 0)

    scene.fault(None)
    scene.insert_files(3)
    scene.insert_file(status="DOWNLOAD_REQUESTED")
    assert len(scene.invocations()) == accepted, (
        "the circuit is open: commits leave the call to tick()"
    )
    assert (
        said in scene.view(file)["why"] and "tick() tries again in 2 s" in scene.view(file)["why"]
    )
    assert len(scene.dispatches()) == 2, "one pending dispatch per container is enough"

    scene.tick(seconds=1)
    assert len(scene.invocations()) == accepted, "the pause is not over"
    scene.tick(seconds=3)
    assert len(scene.invocations()) == accepted + 2
    assert scene.owner.execute("select * from locaria.circuits").fetchall() == []
    assert scene.view(file)["phase"] == "dispatched"
    scene.insert_files(3)
    assert len(scene.dispatches()) == 2 or scene.dispatches()[-1]["status"] == "invoked"


def test_a_failing_lambda_delays_an_insert_by_the_configured_timeout_at_most(
    scene: Scenario,
) -> None:
    """The settings are changed for the call and restored: those of the application are kept."""
    scene.fault("unreachable")
    scene.app.execute("set aws_lambda.connect_timeout_ms = 60000")
    scene.set_parameter("dispatch_config", connect_timeout_ms=20)
    app = scene.session("app", autocommit=False)
    app.execute("set aws_lambda.connect_timeout_ms = 60000")
    app.execute("set statement_timeout = '20s'")
    scene.insert_file(connection=app)
    app.execute("set constraints all immediate")
    row = app.execute("select current_setting('aws_lambda.connect_timeout_ms') as ms").fetchone()
    assert row == {"ms": "60000"}
    app.commit()
    assert scene.dispatches()[0]["error"] is not None


def test_tick_tries_again_with_doubling_pauses_up_to_a_limit(scene: Scenario) -> None:
    scene.fault("throttled")
    scene.set_parameter("dispatch_config", retry_first_s=2, retry_most_s=20)
    start = scene.at(seconds=0)
    scene.insert_file()
    pauses = []
    at = 0.0
    for _ in range(6):
        circuit = scene.owner.execute("select * from locaria.circuits").fetchone()
        assert circuit is not None
        retry_at = (circuit["retry_at"] - start).total_seconds()
        pauses.append(retry_at - at)
        at = retry_at
        scene.tick(seconds=at - 0.5)
        scene.tick(seconds=at)
    assert pauses == [2, 4, 8, 16, 20, 20]
    assert scene.dispatches()[0]["failures"] == 7
    scene.fault(None)
    scene.tick(seconds=at + 20)
    assert scene.dispatches()[0]["status"] == "invoked"
    assert scene.dispatches()[0]["error"] is None


def test_changed_parameters_are_tried_at_the_next_tick(scene: Scenario) -> None:
    scene.fault("denied")
    scene.set_parameter("dispatch_config", retry_first_s=10000, retry_most_s=100000)
    scene.at(seconds=0)
    scene.insert_file()
    scene.fault(None)
    scene.tick(seconds=10)
    assert scene.invocations() == []
    scene.set_parameter("fargate_config", corrected=True)
    scene.tick()
    assert len(scene.invocations()) == 1


def test_a_parameter_replaced_by_delete_and_insert_is_tried_at_once_too(
    scene: Scenario,
) -> None:
    scene.fault("denied")
    scene.set_parameter("dispatch_config", retry_first_s=10000, retry_most_s=100000)
    scene.insert_file()
    scene.fault(None)
    scene.owner.execute(
        """
        with old as (delete from locaria.parameters where parameter_name = 'lambda_config' returning *)
        insert into locaria.parameters (parameter_name, parameter) select 'lambda_config_2', parameter from old
        """
    )
    scene.tick()
    assert len(scene.invocations()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "update locaria.parameters set parameter = '{}' where parameter_name = 'fargate_config'",
            "no configuration for",
        ),
        (
            "delete from locaria.parameters where parameter_name = 'fargate_config'",
            "no configuration for",
        ),
        (
            "update locaria.parameters set parameter = '{\"default\": {}}' where parameter_name = 'fargate_config'",
            'no "arn"',
        ),
        (
            "update locaria.parameters set parameter = '{\"default\": \"x\"}' where parameter_name = 'fargate_config'",
            "",
        ),
        (
            "update locaria.parameters set parameter = '{\"file_loader\": [1]}' where parameter_name = 'fargate_config'",
            "",
        ),
        (
            'update locaria.parameters set parameter = \'{"default": {"arn": "no_such"}}\' where parameter_name = \'fargate_config\'',
            "Function not found",
        ),
        ("delete from locaria.parameters where parameter_name <> 'x'", ""),
        (
            'update locaria.parameters set parameter = \'{"connect_timeout_ms": "soon", "retry_first_s": "later"}\' where parameter_name = \'dispatch_config\'',
            "",
        ),
        (
            "update locaria.parameters set parameter = '{\"connect_timeout_ms\": -5}' where parameter_name = 'dispatch_config'",
            "",
        ),
        (
            'update locaria.parameters set parameter = \'{"retry_first_s": "later", "retry_most_s": null}\' where parameter_name = \'dispatch_config\'',
            "",
        ),
        (
            "update locaria.parameters set parameter = '{\"retry_first_s\": 1e300, \"retry_most_s\": 1e300}' where parameter_name = 'dispatch_config'",
            "",
        ),
    ],
)
def test_a_wrong_configuration_does_not_fail_an_insert(
    scene: Scenario, change: str, said: str
) -> None:
    scene.owner.execute(change)
    scene.fault("throttled")
    file = scene.insert_file()
    assert scene.status_of(file) == "REGISTERED"
    why = scene.view(file)["why"]
    assert said in why, why
    assert "waiting" in why


def test_a_missing_aws_lambda_extension_does_not_fail_an_insert(scene: Scenario) -> None:
    scene.root.execute("drop schema aws_lambda cascade")
    file = scene.insert_file()
    assert "aws_lambda" in scene.view(file)["why"]


def test_a_rolled_back_savepoint_after_a_failure_leaves_the_session_usable(scene: Scenario) -> None:
    scene.fault("throttled")
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    app.execute("set constraints all immediate")
    app.rollback()
    assert scene.dispatches() == []
    scene.fault(None)
    scene.insert_file(connection=app)
    app.commit()
    assert len(scene.invocations()) == 1


def test_commits_that_fail_together_do_not_wait_for_each_other(scene: Scenario) -> None:
    """Two transactions that open two circuits in opposite order would deadlock if they waited."""
    scene.set_parameter(
        "fargate_config",
        file_loader={"arn": "no_such_1"},
        file_download={"arn": "no_such_2"},
    )
    first, second = (scene.session("app", autocommit=False) for _ in range(2))
    for session in (first, second):
        session.execute("set lock_timeout = '5s'")
        session.execute("set constraints all immediate")
    scene.insert_file(connection=first)
    scene.insert_file(connection=second, status="DOWNLOAD_REQUESTED")
    scene.insert_file(connection=first, status="DOWNLOAD_REQUESTED")
    scene.insert_file(connection=second)
    first.commit()
    second.commit()
    assert len(scene.owner.execute("select * from locaria.circuits").fetchall()) == 2
    scene.tick()


def interface(scene: Scenario, request: str) -> dict[str, object]:
    value: dict[str, object] = scene.call("aws_lambda_interface", request, connection=scene.owner)
    return value


def test_the_interface_returns_the_reply_of_lambda(scene: Scenario) -> None:
    reply = interface(scene, '{"function": "file_loader", "parameters": {"action": "ping"}}')
    assert reply == {
        "status_code": 202,
        "payload": None,
        "executed_version": None,
        "log_result": None,
    }
    assert scene.invocations("ping") == [{"action": "ping"}]


def test_the_interface_reports_what_is_missing(scene: Scenario) -> None:
    scene.set_parameter("fargate_config", default={})
    for request, sqlstate, word in [
        ("{}", "LC007", "function"),
        ('{"function": ""}', "LC007", "function"),
        ('{"function": "x", "config": "nowhere"}', "LC006", "parameters.nowhere"),
        ('{"function": "x", "config": "lambda_config"}', "LC006", 'for "x"'),
        ('{"function": "x"}', "LC006", 'no "arn"'),
    ]:
        with refused(sqlstate, word):
            interface(scene, request)
    scene.set_parameter("lambda_config", x={"arn": "ecsRunTask", "region": "local"})
    for request, word in [
        ('{"function": "x", "mode": "event"}', "Event, RequestResponse"),
        ('{"function": "x", "mode": "DryRun"}', "Event, RequestResponse"),
        ('{"function": "x", "log_type": "All"}', "None, Tail"),
    ]:
        with refused("LC007", word):
            interface(scene, request)


def test_only_parameters_decide_which_function_is_called(scene: Scenario) -> None:
    """Neither a request nor a row can contain an ARN."""
    with refused("LC006"):
        interface(
            scene,
            '{"function": "evil", "config": "lambda_config", "arn": "arn:aws:lambda:local:1:function:evil"}',
        )
    scene.insert_file(
        attributes={
            "arn": "arn:evil",
            "function": "evil",
            "task": "evil",
            "cluster": "evil",
            "parameters": {"task": "evil"},
        }
    )
    (payload,) = scene.invocations()
    assert "evil" not in str(payload)
    row = scene.root.execute("select distinct function_name from aws_lambda.invocations").fetchall()
    assert row == [{"function_name": "ecsRunTask"}]


def test_a_request_response_call_gives_up_after_its_timeout(scene: Scenario) -> None:
    scene.owner.execute("set aws_lambda.request_timeout_ms = 20")
    began = time.monotonic()
    with refused("38000", "invoke API failed"):
        interface(scene, '{"function": "file_loader", "mode": "RequestResponse"}')
    assert time.monotonic() - began < 20
